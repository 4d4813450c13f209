"""Mark the days of a forecast: informed by recent observations, or usual for the season."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fairweather_interface.metadata import ModelMetadata
from fairweather_interface.metadata.evidence import DayScore

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.layout import wording

INFORMED = "informed by recent observations"
USUAL = "usual for the season"
LEAST_SKILL = 0.05
DAY = timedelta(days=1)


def mark(scores: Sequence[DayScore], lead: timedelta) -> str:
    """Return what a value at a lead time owes to recent observations, by the scores of its days.

    The scores are of days 1, 2 and so on. A day whose skill, against the baseline that is better on
    that day, is at least `LEAST_SKILL` is `INFORMED`, any other one `USUAL`. Beyond the last day
    with a score what was usual stays so, and of what was informed nothing is known: empty, as
    without scores.
    """
    day = max(-(-lead // DAY), 1)
    known = scores[:day]
    if not known:
        return ""
    skill = known[-1].skill
    if skill is None or skill < LEAST_SKILL:
        return USUAL
    return INFORMED if len(known) == day else ""


def marks(
    forecast: Forecast, metadata: ModelMetadata | None, step: int, variables: Sequence[str]
) -> str:
    """Return the marks of some variables at a step of a forecast, in words; empty without any.

    ``informed by recent observations``, or by variable where they differ. The lead time counts from
    the newest observation of the variable: where that is old, so is what the forecast knows.
    """
    if metadata is None:
        return ""
    scores = {
        each.variable: each.by_lead_day or ()
        for each in metadata.performance
        if each.area == forecast.area
    }
    lead = forecast.forecast.time[step] - forecast.reference_time
    found: dict[str, str] = {}
    for name in variables:
        age = input_age(forecast, name)
        found[name] = "" if age is None else mark(scores.get(name, ()), lead + age)
    if len(set(found.values())) == 1:
        return found[variables[0]]
    named = [f"{wording.label(name).lower()} {text}" for name, text in found.items() if text]
    return ", ".join(named)


def input_age(forecast: Forecast, variable: str) -> timedelta | None:
    """Return the age of the oldest input of a variable, or of all where none is of it.

    None where one has no value at all.
    """
    inputs = forecast.receipt.inputs.values()
    ages = [each.age for each in inputs if each.variable == variable]
    ages = ages or [each.age for each in inputs]
    known = [age for age in ages if age is not None]
    return max(known, default=timedelta(0)) if len(known) == len(ages) else None
