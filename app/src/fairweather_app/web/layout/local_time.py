"""Write and read times in an area's local time, with the zone named.

Data stays in UTC; only what is shown is converted, so a day may have 23 or 25 hours here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fairweather_app.common.times import parse_time

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
"""English whatever the server's locale: the page says ``lang="en"``."""

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between what reads as one: a number and its unit, a day and its month."""

_WALL_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalDay:
    """The steps of a series that fall on one local date: positions in it, without a gap.

    It is `whole` when the series covers the day from its first to its last hour.
    """

    date: date
    steps: range
    whole: bool


def zone_of(name: str | None) -> tzinfo:
    """Return the zone of an IANA name; UTC without one, or where this machine lacks it."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_days(times: Sequence[datetime], zone: tzinfo) -> tuple[LocalDay, ...]:
    """Group ascending valid times by local date.

    Every step belongs to exactly one day. A day is whole when the neighbouring steps (or the
    length of one step, at the ends) reach past its first and its last hour.
    """
    if not times:
        return ()
    dates = [time.astimezone(zone).date() for time in times]
    step = times[1] - times[0] if len(times) > 1 else timedelta(hours=1)
    days = []
    for day, group in groupby(range(len(times)), dates.__getitem__):
        positions = list(group)
        steps = range(positions[0], positions[-1] + 1)
        starts = times[steps[0]] - step < instant(day, zone)
        ends = times[steps[-1]] + step >= instant(day + timedelta(days=1), zone)
        days.append(LocalDay(date=day, steps=steps, whole=starts and ends))
    return tuple(days)


def instant(day: date, zone: tzinfo, hour: int = 0) -> datetime:
    """Return the instant, in UTC, at which the clock shows a full hour on a local date."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)


def day_name(day: date) -> str:
    """Return ``Friday 20 December``."""
    return f"{WEEKDAYS[day.weekday()]} {day.day}{NO_BREAK}{MONTHS[day.month - 1]}"


def short_day_name(day: date) -> str:
    """Return ``Fri 20``."""
    return f"{WEEKDAYS[day.weekday()][:3]}{NO_BREAK}{day.day}"


def date_name(day: date) -> str:
    """Return ``20 December 2013``."""
    return f"{day.day}{NO_BREAK}{MONTHS[day.month - 1]} {day.year}"


def clock(time: datetime, zone: tzinfo) -> str:
    """Return ``19:00``, by the area's clock."""
    return f"{time.astimezone(zone):%H:%M}"


def clocks(day: LocalDay, times: Sequence[datetime], zone: tzinfo) -> tuple[str, ...]:
    """Return the clock at the times of a local day, with the zone on a day on which clocks change.

    So ``01:00 EDT`` and ``01:00 EST`` can be told apart.
    """
    own = times[day.steps.start : day.steps.stop]
    change = len({zone_label(time, zone) for time in own}) > 1
    return tuple(clock(each, zone) + change * f" {zone_label(each, zone)}" for each in own)


def moment(time: datetime, zone: tzinfo) -> str:
    """Return ``Friday 20 December 2013, 19:00 EST``: date, time and zone of an instant."""
    local = time.astimezone(zone)
    return f"{day_name(local.date())} {local.year}, {local:%H:%M} {zone_label(time, zone)}"


def zone_label(time: datetime, zone: tzinfo) -> str:
    """Return ``EST``, ``UTC``, or ``UTC+03`` where the zone has no letters of its own."""
    name = time.astimezone(zone).tzname() or "UTC"
    return name if name[:1].isalpha() else f"UTC{name}"


def zones_in_use(times: Sequence[datetime], zone: tzinfo) -> str:
    """Return the labels of the zone over a series: ``EST``; ``EDT, then EST`` at a change."""
    labels = dict.fromkeys(zone_label(time, zone) for time in times)
    return ", then ".join(labels)


def read_reference_time(text: str, zone: tzinfo) -> datetime:
    """Read a reference time from the page's address; the result is in UTC.

    A time with a zone is as in the HTTP interface. One without, which is what a browser's
    date-and-time field sends, is the area's wall clock (the earlier of the two, where
    clocks are put back). A wrong one is `ValueError`.
    """
    if _WALL_CLOCK.fullmatch(text):
        try:
            local = datetime.fromisoformat(text).replace(tzinfo=zone)
            return parse_time(local.astimezone(UTC).isoformat())
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is not a time there is: {error}") from None
    return parse_time(text)


def wall_clock(time: datetime, zone: tzinfo) -> str:
    """Return the value of a browser's date-and-time field: ``2013-12-20T19:00``, local."""
    return f"{time.astimezone(zone):%Y-%m-%dT%H:%M}"
