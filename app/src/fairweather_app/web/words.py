"""Words: every sentence the page says about numbers, as pure functions.

Numbers are rounded to what a forecast can carry, the minus is a real minus sign, and units stand
after a no-break space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

from fairweather_interface.definitions import VARIABLES

from fairweather_app.web.local_time import NO_BREAK, date_name, day_name, local_days, moment

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"

STALE_AFTER = timedelta(hours=36)
"""A forecast that started longer ago is of the past: the page says so and never says tomorrow."""

_MUCH_BETTER, _BETTER = 0.3, 0.1
_UNNAMED = "temperature"  # "4 to 9 °C" needs no name; every other quantity does


def label(variable: str) -> str:
    """What people call a variable: ``Temperature``; an unknown one by its own name."""
    known = VARIABLES.get(variable)
    name = known.label if known else variable.replace("_", " ")
    return name[:1].upper() + name[1:]


def symbol(variable: str, unit: str) -> str:
    """What people write for a unit (``°C``), where it is the variable's own; else the unit."""
    known = VARIABLES.get(variable)
    return known.symbol if known and known.unit == unit else unit


def number(value: float | None, digits: int = 0) -> str:
    """``4.2``, with a real minus below zero; a dash without a value; zero has no sign."""
    if value is None:
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def quantity(value: float | None, unit: str) -> str:
    """``4 °C``."""
    return f"{number(value)}{NO_BREAK}{unit}"


def span(low: float | None, high: float | None, unit: str) -> str:
    """``4 to 9 °C``, or ``4 °C`` when both round to the same number."""
    if number(low) == number(high):
        return quantity(low, unit)
    return f"{number(low)}{NO_BREAK}to{NO_BREAK}{quantity(high, unit)}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:  # noqa: PLR2004 - one word needs no conjunction
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(count: int, word: str, plural: str = "") -> str:
    """``1 model``, ``3 models``, ``2 deliveries``."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


def sentence(text: str) -> str:
    """A reason as a sentence of its own: first letter raised, full stop at the end."""
    text = text.strip()
    raised = text[:1].upper() + text[1:]
    return raised if raised.endswith((".", "!", "?")) else f"{raised}."


def is_past(reference_time: datetime, now: datetime) -> bool:
    """Whether a forecast started so long ago that its tomorrow is over."""
    return now - reference_time > STALE_AFTER


def day_in_words(day: date, reference: date, *, past: bool) -> str:
    """``Today``, ``Tomorrow`` or ``Tuesday 31 December``; only the last for a past forecast."""
    if not past and day == reference:
        return "Today"
    if not past and day == reference + timedelta(days=1):
        return "Tomorrow"
    return day_name(day)


def headline(
    times: Sequence[datetime],
    series: Mapping[str, tuple[str, Sequence[float | None]]],
    *,
    reference_time: datetime,
    zone: tzinfo,
    now: datetime,
) -> str:
    """Say the first thing: ``Tomorrow 4 to 9 °C, humidity 55 to 80 %``.

    Args:
        times: ascending valid times, UTC.
        series: by variable its unit and one value per time; the first is the main one.
        reference_time: when the forecast starts.
        zone: the area's zone.
        now: the reader's present, which decides whether there is a tomorrow to speak of.

    Speaks of the first whole local day, or of the fullest one where none is whole.
    """
    days = local_days(times, zone)
    if not days:
        return "The forecast is empty."
    day = max(days, key=lambda each: (each.whole, len(each.steps) if not each.whole else 0))
    parts = []
    for variable, (unit, values) in series.items():
        held = [value for value in (values[step] for step in day.steps) if value is not None]
        if held:
            text = span(min(held), max(held), symbol(variable, unit))
            parts.append(text if variable == _UNNAMED else f"{label(variable).lower()} {text}")
    if not parts:
        return f"{day_name(day.date)} has no values."
    past = is_past(reference_time, now)
    name = day_in_words(day.date, reference_time.astimezone(zone).date(), past=past)
    colon = ":" if past or parts[0][:1].isalpha() else ""
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
    """How long ago: ``3 days ago``, ``7 months ago``, ``12 years ago``; whole and rounded down."""
    days = max(0, (now - reference_time).days)
    for size, word in ((365, "year"), (30, "month"), (1, "day")):
        if days >= size:
            return f"{counted(days // size, word)} ago"
    return "today"


def started(reference_time: datetime, zone: tzinfo, now: datetime) -> str:
    """When the forecast starts, and a word of caution when that is past."""
    text = f"Starts {moment(reference_time, zone)}"
    if is_past(reference_time, now):
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
    """``80 %``: how many values are expected inside a band of these two probabilities."""
    low, high = interval
    return f"{100 * (high - low):.3g}{NO_BREAK}%"


def band(intervals: Mapping[str, tuple[float, float] | None]) -> str:
    """What a band means, by variable; None where one has none: empty when none has one.

    ``80 % of values are expected inside``; ``80 % of humidity values …`` where they differ.
    """
    shares = {name: inside(each) for name, each in intervals.items() if each is not None}
    if len(shares) == len(intervals) and len(set(shares.values())) == 1:
        return f"{next(iter(shares.values()))} of values are expected inside"
    return "; ".join(
        f"{share} of {label(name).lower()} values are expected inside"
        for name, share in shares.items()
    )


def trained_until(time: datetime) -> str:
    """``learned from weather until 30 September 2013`` is said with this date, UTC."""
    return date_name(time.date())


def ranked(refused: int) -> str:
    """Why this model and no other, given how many were passed over."""
    fit = "It declares this area and holds for this time of the year and for this weather"
    if not refused:
        return f"{fit}, and ranks first."
    others = counted(refused, "other delivery", "other deliveries")
    return f"{fit}, and ranks first. {others} {'was' if refused == 1 else 'were'} passed over."
