"""Parse, count and write times.

Inside the app a time is an aware `datetime` in UTC or, where there are many, whole microseconds
since 1970. Both are exact.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fairweather_app.text import cut

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(hours=1)
"""The clocks of two machines differ by at most so much."""
MICROSECOND = timedelta(microseconds=1)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def parse_time(value: object) -> datetime:
    """Read an ISO-8601 time with its zone in UTC, on a whole second, or raise `ValueError`."""
    example = "such as 2013-12-20T00:00Z"
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        found = cut(repr(value))
        raise ValueError(f"{found} is not a time: write it as a string {example}")  # noqa: TRY004 - pydantic turns a ValueError into a problem
    if not _TIME.fullmatch(value):
        hint = " (in an address, write '+' as %2B)" if " " in value else ""
        raise ValueError(f"{cut(value)!r} is not an ISO-8601 time with a zone, {example}{hint}")
    try:
        time = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a time there is: {error}") from None
    if not EARLIEST <= time <= LATEST:
        raise ValueError(f"{value!r} is out of reach: ask between {EARLIEST:%Y} and {LATEST:%Y}")
    if time.microsecond:
        raise ValueError(f"{value!r} has a fraction of a second: reference times are whole seconds")
    return time


def to_microseconds(time: datetime) -> int:
    """Return whole microseconds from 1970 to an aware time; exact, unlike `datetime.timestamp`."""
    return (time - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the time in UTC: the inverse of `to_microseconds`."""
    return EPOCH + microseconds * MICROSECOND


def write_time(time: datetime) -> str:
    """Write an aware time in ISO-8601, UTC, with ``Z``."""
    text = time.astimezone(UTC).isoformat(timespec="seconds" if time.second else "minutes")
    return text.replace("+00:00", "Z")
