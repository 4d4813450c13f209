"""Write the pages' sentences about numbers, as pure functions.

Numbers are rounded to what a forecast can carry, the minus is a real minus sign, and units stand
after a no-break space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from statistics import median

from fairweather_app.web.forecast.observed import Check
from fairweather_app.web.layout.local_time import (
    NO_BREAK,
    LocalDay,
    day_name,
    local_days,
    moment,
)
from fairweather_app.web.layout.wording import counted, label, number, quantity, span, symbol

OBSERVATIONS_STALE_AFTER = timedelta(hours=3)
"""Observations come every hour; when three are missing, a page says so."""

STALE_AFTER = timedelta(hours=36)
"""A forecast that started longer ago is of the past: the page says so and never says tomorrow."""

_MUCH_BETTER, _BETTER = 0.3, 0.1

_WHOLE = 1e-6

_WIDE_SPAN = 3

_UNNAMED = "temperature"  # "4 to 9 °C" needs no name; every other quantity does


def is_past(reference_time: datetime, now: datetime) -> bool:
    """Whether a forecast started so long ago that its tomorrow is over."""
    return now - reference_time > STALE_AFTER


def day_in_words(day: date, today: date) -> str:
    """``Today``, ``Tomorrow`` or ``Tuesday 31 December``, as the reader's calendar has it."""
    if day == today:
        return "Today"
    if day == today + timedelta(days=1):
        return "Tomorrow"
    return day_name(day)


def spoken_of(days: Sequence[LocalDay], today: date) -> LocalDay | None:
    """The day that a headline speaks of: the first whole one that is not over yet.

    Else the first whole one, and else the fullest.
    """
    return max(
        days,
        key=lambda each: (
            each.whole and each.date >= today,
            each.whole,
            0 if each.whole else len(each.steps),
        ),
        default=None,
    )


def headline(
    times: Sequence[datetime],
    series: Mapping[str, tuple[str, Sequence[float | None]]],
    *,
    zone: tzinfo,
    now: datetime,
) -> str:
    """Say the first thing: ``Tomorrow 4 to 9 °C, likely around 6, humidity 55 to 80 %``.

    Args:
        times: ascending valid times, UTC.
        series: by variable its unit and one value per time; the first is the main one.
        zone: the area's zone.
        now: the reader's present, which decides what is today and what is over.

    Speaks of the day of `spoken_of`. What is likely is the middle one of its values.
    """
    today = now.astimezone(zone).date()
    day = spoken_of(local_days(times, zone), today)
    if day is None:
        return "The forecast is empty."
    parts: list[str] = []
    for variable, (unit, values) in series.items():
        held = [value for value in (values[step] for step in day.steps) if value is not None]
        if held:
            text = span(min(held), max(held), symbol(variable, unit))
            if not parts and max(held) - min(held) >= _WIDE_SPAN:
                text += f", likely around{NO_BREAK}{number(median(held))}"
            parts.append(text if variable == _UNNAMED else f"{label(variable).lower()} {text}")
    if not parts:
        return f"{day_name(day.date)} has no values."
    name = day_in_words(day.date, today)
    colon = ":" if name == day_name(day.date) or parts[0][:1].isalpha() else ""
    return f"{name}{colon} {', '.join(parts)}."


def extremes(
    times: Sequence[datetime],
    variable: str,
    unit: str,
    values: Sequence[float | None],
    *,
    zone: tzinfo,
) -> str:
    """``Highest Sunday 22 December around 15:00, 17 °C; lowest …``; empty without values."""
    held = [(value, time) for value, time in zip(values, times, strict=True) if value is not None]
    if not held:
        return ""
    low = min(held, key=lambda each: each[0])
    high = max(held, key=lambda each: each[0])
    high_word, low_word = (
        ("warmest", "coldest") if variable == "temperature" else ("highest", "lowest")
    )
    unit = symbol(variable, unit)

    def when(time: datetime) -> str:
        local = time.astimezone(zone)
        return f"{day_name(local.date())} around {local:%H:%M}"

    return (
        f"In the whole forecast {high_word} on {when(high[1])}, {quantity(high[0], unit)}, and "
        f"{low_word} on {when(low[1])}, {quantity(low[0], unit)}."
    )


def age(reference_time: datetime, now: datetime) -> str:
    """How long ago: ``5 hours ago``, ``3 days ago``, ``12 years ago``; whole and rounded down."""
    hours = max(0, (now - reference_time) // timedelta(hours=1))
    for size, word in ((24 * 365, "year"), (24 * 30, "month"), (24, "day"), (1, "hour")):
        if hours >= size:
            return f"{counted(hours // size, word)} ago"
    return "just now"


def started(
    reference_time: datetime, zone: tzinfo, now: datetime, *, announced: bool = False
) -> str:
    """When the forecast starts, and a word of caution when that is past and not announced."""
    text = f"Starts {moment(reference_time, zone)}"
    if is_past(reference_time, now) and not announced:
        return f"{text}, {age(reference_time, now)}: a forecast of the past, not of today"
    return text


def skill(variable: str, value: float | None) -> str:
    """What a skill, 1 less MAE / MAE(baseline), means, in plain words."""
    name = label(variable)
    if value is None:
        return f"{name}: no skill is stated for this area."
    percent = round(value * 100)
    guess = "the better of two simple guesses (yesterday once more, or the usual for the season)"
    if percent <= 0:
        return f"{name}: no better than {guess} on weather it had not seen."
    much = "much " if value >= _MUCH_BETTER else "" if value >= _BETTER else "slightly "
    return (
        f"{name}: {much}better than {guess}. On weather it had not seen its error was "
        f"{percent}{NO_BREAK}% smaller."
    )


def inside(interval: tuple[float, float]) -> str:
    """``8 of 10 outcomes``: how many are expected between two probabilities.

    ``19 of 20`` or ``99.8 % of outcomes`` where tenths do not say it.
    """
    share = interval[1] - interval[0]
    for whole in (10, 20, 100):
        part = share * whole
        if abs(part - round(part)) < _WHOLE:
            return f"{round(part)} of {whole} outcomes"
    return f"{100 * share:.3g}{NO_BREAK}% of outcomes"


def band(intervals: Mapping[str, tuple[float, float] | None]) -> str:
    """What a band means, by variable; None where one has none: empty when none has one.

    ``8 of 10 outcomes are expected inside``; ``for humidity 8 of 10 …`` where they differ.
    """
    shares = {name: inside(each) for name, each in intervals.items() if each is not None}
    if len(shares) == len(intervals) and len(set(shares.values())) == 1:
        return f"{next(iter(shares.values()))} are expected inside"
    return "; ".join(
        f"for {label(name).lower()} {share} are expected inside" for name, share in shares.items()
    )


def reach(
    day: str, interval: tuple[float, float], low: float | None, high: float | None, unit: str
) -> str:
    """How far a day's band goes, as a sentence; empty where it has no values."""
    if low is None or high is None:
        return ""
    return (
        f"At any hour {inside(interval)} are expected inside the band, which on {day} goes from "
        f"{span(low, high, unit)}."
    )


def light(
    day: LocalDay,
    times: Sequence[datetime],
    nights: Sequence[tuple[datetime, datetime]],
    zone: tzinfo,
) -> str:
    """When the sun is up on a day of a series: ``light from 07:20 to 16:40``.

    Empty where the day does not show both ends of it.
    """
    if not day.whole:
        return ""
    begin, end = times[day.steps[0]] - timedelta(hours=1), times[day.steps[-1]]
    rises = [dawn for _, dawn in nights if begin <= dawn <= end]
    sets = [dusk for dusk, _ in nights if begin <= dusk <= end]
    if not rises or not sets or sets[-1] <= rises[0]:
        return ""
    up, down = rises[0].astimezone(zone), sets[-1].astimezone(zone)
    return f"light from {up:%H:%M} to {down:%H:%M}"


def stale(
    area: str,
    latest: datetime | None,
    zone: tzinfo,
    now: datetime,
    until: datetime | None,
    *,
    variable: str = "",
) -> str:
    """An announcement when the newest observation of an area is old; empty when it is fresh.

    Args:
        area: where, in words.
        latest: when it was last observed; None when it never was.
        zone: the area's zone.
        now: the reader's present.
        until: the last time that the forecast speaks of; None when it speaks of none.
        variable: what was observed, where it is not all that the model starts from.
    """
    what = label(variable).lower() if variable else "observation"
    if latest is None:
        never = f"No {what} of {area} was ever observed, so this forecast does not know it."
        return never if variable else ""
    if now - latest <= OBSERVATIONS_STALE_AFTER:
        return ""
    text = f"The newest {what} of {area} is from {moment(latest, zone)}, {age(latest, now)}."
    if until is None or until < now:
        return f"{text} What follows is a forecast of the past, not of today."
    return f"{text} This forecast does not know the {what if variable else 'weather'} since."


def checked(check: Check) -> str:
    """What came of a forecast, in plain words: ``Temperature: off by 1.2 °C on average …``."""
    error = f"{number(check.error, 1)}{NO_BREAK}{check.unit}"
    text = (
        f"{label(check.variable)}: off by {error} on average over {counted(check.count, 'value')}"
    )
    if check.first_day is not None:
        text += f", by {number(check.first_day, 1)}{NO_BREAK}{check.unit} on the first day"
    if check.inside is not None:
        text += f"; {number(100 * check.inside)}{NO_BREAK}% came out inside the band"
    return f"{text}."


def learned_from(shown: int, judged: int, count: int) -> str:
    """What a forecast proves that is held against what came: less, where its model knew that.

    Args:
        shown: how many of the values that came its model may have learned from.
        judged: how many of them were held out to judge it.
        count: how many came.
    """
    if shown:
        some = "" if shown == count else "some of "
        return (
            f"This model learned from {some}the very weather shown here: expect a larger error on "
            "days it had not seen."
        )
    if judged:
        why = ": it was held out to judge the model" if judged == count else ""
        return f"This model did not learn from the weather shown here{why}."
    return ""


def ranked(area: str, refused: int, *, before: int | None, pinned: bool) -> str:
    """Why this model and no other.

    Args:
        area: what the forecast is for.
        refused: how many deliveries were passed over, for whatever reason.
        before: how many of those come before it, and refused; None where that is not known.
        pinned: whether the operator pinned the area to it.
    """
    fit = "declares this area and holds for this time of the year and for this weather"
    others = counted(refused, "other delivery", "other deliveries")
    over = f" {others} {'was' if refused == 1 else 'were'} passed over." if refused else ""
    if pinned:
        return f"The operator pinned {area} to it, and it {fit}.{over}"
    if before is None:
        return f"It {fit}.{over}"
    if not before:
        return f"It {fit}, and ranks first.{over}"
    first = f"{before} {'comes' if before == 1 else 'come'} before it and refused."
    over = f" In all, {others} {'was' if refused == 1 else 'were'} passed over."
    return f"It {fit}, and is the best that does: {first}{over if refused > before else ''}"
