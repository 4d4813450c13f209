"""Write the sentences of the forecast page, as pure functions.

Numbers are rounded to what a forecast can carry, as `wording` writes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from types import MappingProxyType

from fairweather_app.api.schemas import ReceiptInput
from fairweather_app.web.forecast.daylight import Night
from fairweather_app.web.forecast.series import Series, Verification, present
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import (
    NO_BREAK,
    LocalDay,
    clock,
    day_name,
    local_days,
    moment,
)

OBSERVATIONS_STALE_AFTER = timedelta(hours=3)
"""Observations come every hour; when three are missing, a page warns of it."""

STALE_AFTER = timedelta(hours=36)
"""A forecast that started longer ago is of the past: its tomorrow is over."""

GUESS = "the best simple guess (same as yesterday, or usual for the season)"

_WHOLE = 1e-6


def is_past(reference_time: datetime, now: datetime) -> bool:
    """Return whether a forecast started so long ago that its tomorrow is over."""
    return now - reference_time > STALE_AFTER


def headline_day(days: Sequence[LocalDay], today: date) -> LocalDay | None:
    """Return the day of the headline: the first whole one that is not over yet.

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
    times: Sequence[datetime], series: Sequence[Series], *, zone: tzinfo, now: datetime
) -> str:
    """Return the first sentence: ``Tomorrow: low 4 °C, high 9 °C, humidity 80 %``."""
    today = now.astimezone(zone).date()
    day = headline_day(local_days(times, zone), today)
    if day is None:
        return "The forecast is empty."
    parts: list[str] = []
    for each in series:
        values = present(each.values, day.steps)
        if not values:
            continue
        few = each.digits
        low, high = (wording.quantity(end, each.unit, few) for end in (min(values), max(values)))
        if each.variable == wording.MAIN:  # "low 4 °C, high 9 °C" needs no name
            parts.append(low if low == high else f"low{NO_BREAK}{low}, high{NO_BREAK}{high}")
        else:
            text = wording.span(min(values), max(values), each.unit, few)
            parts.append(f"{each.label.lower()} {text}")
    if not parts:
        return f"{day_name(day.date)} has no values."
    name = {today: "Today", today + timedelta(days=1): "Tomorrow"}.get(day.date)
    return f"{name or day_name(day.date)}: {', '.join(parts)}."


def extremes(times: Sequence[datetime], series: Series, *, zone: tzinfo) -> str:
    """Return when the highest and the lowest value are; empty without two values.

    ``Warmest: Sunday 22 December, 15:00, 17 °C. Coldest: …``
    """
    known = [(value, k) for k, value in enumerate(series.values) if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - one is neither
        return ""

    def at(word: str, value: float, step: int) -> str:
        day = day_name(times[step].astimezone(zone).date())
        amount = wording.quantity(value, series.unit, series.digits)
        return f"{word.capitalize()}: {day}, {clock(times[step], zone)}, {amount}."

    lowest, highest = series.extremes
    high = max(known, key=lambda each: each[0])
    low = min(known, key=lambda each: each[0])
    return f"{at(highest, *high)} {at(lowest, *low)}"


def age(reference_time: datetime, now: datetime) -> str:
    """Return how long ago: ``5 hours ago``, ``3 days ago``; whole and rounded down."""
    hours = max(0, (now - reference_time) // timedelta(hours=1))
    for size, word in ((24 * 365, "year"), (24 * 30, "month"), (24, "day"), (1, "hour")):
        if hours >= size:
            return f"{wording.counted(hours // size, word)} ago"
    return "just now"


def based_on(
    reference_time: datetime,
    zone: tzinfo,
    now: datetime,
    *,
    announced: bool = False,
    ages: Mapping[str, timedelta | None] = MappingProxyType({}),
) -> str:
    """Return where the observations end; and that it is long ago, where that is not announced.

    Where those of a variable end before the start: how long before, by `ages`; None where it has no
    value at all.
    """
    old = [
        f"no {name} at all" if each is None else f"the newest {name} {before_start(each)}"
        for variable, each in ages.items()
        for name in [wording.label(variable).lower()]
        if each != timedelta(0)
    ]
    text = f"Based on observations up to {moment(reference_time, zone)}"
    if old:
        text = f"Starts {moment(reference_time, zone)}, with {wording.listed(old)}"
    if is_past(reference_time, now) and not announced:
        return f"{text}, {age(reference_time, now)}: a past forecast."
    return f"{text}."


def before_start(age: timedelta) -> str:
    """Return how long before its start a forecast was observed last: ``2 h before the start``."""
    if not age:
        return "at the start"
    minutes = age // timedelta(minutes=1)
    parts = ((minutes // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{count}{NO_BREAK}{unit}" for count, unit in parts if count) + (
        " before the start"
    )


def supplied(inputs: Mapping[str, ReceiptInput], zone: tzinfo) -> list[str]:
    """Return what a model was supplied with, by input: ``humidity up to Friday …, 5 % missing``.

    Inputs of the same variable are called by their own names.
    """
    count = Counter(each.variable for each in inputs.values())
    texts = []
    for name, each in inputs.items():
        text = wording.label(each.variable if count[each.variable] == 1 else name).lower()
        if each.observed_until is None or each.age is None:
            texts.append(f"no {text}")
            continue
        text = f"{text} up to {moment(each.observed_until, zone)} ({before_start(each.age)})"
        texts.append(f"{text}, {wording.percent(each.missing)} missing" if each.missing else text)
    return texts


def skill(variable: str, value: float | None) -> str:
    """Return what a skill, 1 less MAE / MAE(baseline), means."""
    name = wording.label(variable)
    if value is None:
        return f"{name}: accuracy unknown for this area."
    percent = round(value * 100)
    better = f"{percent}{NO_BREAK}% more accurate" if percent > 0 else "no more accurate"
    return f"{name}: {better} than {GUESS}, measured on data it was not trained on."


def share(interval: tuple[float, float]) -> str:
    """Return the probability of a band: ``80 %``."""
    return wording.percent(interval[1] - interval[0])


def band_name(interval: tuple[float, float]) -> str:
    """Return what a band is called: ``80 % range``."""
    return f"{share(interval)} range"


def bands(series: Sequence[Series]) -> str:
    """Return what the bands are called, by variable where they differ; empty without any."""
    names = {each.label.lower(): band_name(each.interval) for each in series if each.interval}
    if len(names) == len(series) and len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{name} for {variable}" for variable, name in names.items())


def band_on(day: LocalDay | None, series: Series | None) -> str:
    """Return how far the band of a series goes on a day, as a sentence; empty without a band."""
    if day is None or series is None or series.interval is None:
        return ""
    low, high = present(series.lower, day.steps), present(series.upper, day.steps)
    if not low or not high:
        return ""
    ends = [wording.number(end, series.digits) for end in (min(low), max(high))]
    tenths = 10 * (series.interval[1] - series.interval[0])
    whole = abs(tenths - round(tenths)) < _WHOLE
    often = f"{round(tenths)} times in 10" if whole else f"with {share(series.interval)} certainty"
    return (
        f"At any hour on {day_name(day.date)}, the {series.label.lower()} should be between "
        f"{ends[0]} and {ends[1]}{NO_BREAK}{series.unit} ({often})."
    )


def sun(day: LocalDay, times: Sequence[datetime], nights: Sequence[Night], zone: tzinfo) -> str:
    """Return ``sunrise 07:20, sunset 16:40``; empty where the series does not show both."""
    if not day.whole:
        return ""
    begin, end = times[day.steps[0]] - timedelta(hours=1), times[day.steps[-1]]
    rises = [dawn for _, dawn in nights if begin <= dawn <= end]
    sets = [dusk for dusk, _ in nights if begin <= dusk <= end]
    if not rises or not sets or sets[-1] <= rises[0]:
        return ""
    return f"sunrise {clock(rises[0], zone)}, sunset {clock(sets[-1], zone)}"


def stale(
    area: str,
    latest: datetime | None,
    zone: tzinfo,
    now: datetime,
    until: datetime | None,
    *,
    variable: str = "",
) -> str:
    """Return a warning when the newest observation of an area is old; empty when it is fresh.

    `until` is the last valid time of the forecast, `variable` what was observed: empty where it is
    everything that is observed.
    """
    name = wording.label(variable)
    if latest is None:
        return f"{name} was never observed at {area} and is not included." if variable else ""
    if now - latest <= OBSERVATIONS_STALE_AFTER:
        return ""
    what = f"{name.lower()} observation" if variable else "observation"
    text = f"The newest {what} for {area} is from {moment(latest, zone)}, {age(latest, now)}."
    if until is None or until < now:
        return f"{text} This forecast is out of date."
    return f"{text} {name if variable else 'What happened'} since then is not included."


def verified(found: Verification) -> str:
    """Return how a forecast turned out: ``Temperature: wrong by 1.2 °C on average …``."""
    series = found.series
    unit, more = wording.error_symbol(series.unit), series.digits + 1
    values, amount = (
        wording.counted(found.count, "value"),
        wording.quantity(found.error, unit, more),
    )
    text = f"{series.label}: wrong by {amount} on average over {values}"
    if found.first_day is not None:
        text += f" ({wording.quantity(found.first_day, unit, more)} on day 1)"
    if found.inside is not None and series.interval is not None:
        text += (
            f". {wording.number(100 * found.inside)}{NO_BREAK}% of values were inside the range; "
            f"{share(series.interval)} were expected"
        )
    return f"{text}."


def training_note(trained: int, kept_out: int, count: int) -> str:
    """Return what a verified forecast proves: less, where they were training data.

    Of `count` values, `trained` may be training data and `kept_out` were held out to evaluate.
    """
    if trained:
        what = "These observations were" if trained == count else "Part of these observations was"
        return f"{what} in the model's training data, so real errors are usually larger."
    if kept_out:
        why = ": it was held out to evaluate the model" if kept_out == count else ""
        return f"These observations were not in the model's training data{why}."
    return ""


def ranked(area: str, refused: int, *, better: int | None, pinned: bool) -> str:
    """Return why this model and no other.

    Of `refused` deliveries, `better` rank before it; None where that is not known.
    """
    sentences = ["It covers this area, season and conditions."]
    if pinned:
        sentences = [f"The operator chose it for {area}. {sentences[0]}"]
    elif better is not None:
        sentences = [
            "It covers this area, season and conditions, and is the best-ranked that does."
        ]
    tried = 0 if pinned else better or 0
    if tried:
        models = "One better-ranked model" if tried == 1 else f"{tried} better-ranked models"
        sentences.append(f"{models} could not be used.")
    rest = refused - tried
    if rest:
        models = wording.counted(rest, "other model does", "other models do")
        why = "were set aside" if pinned else "could not be used"
        why = "was set aside" if pinned and rest == 1 else why
        sentences.append(f"{models} not cover {area} or {why}.")
    return " ".join(sentences)
