"""Make the numbers of the chart, which the page's script draws.

Labels are ready to print and in the area's local time: the script knows neither the area's zone nor
its units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import chain
from typing import Any

from fairweather_app.api.schemas import VariableForecast
from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.observed import Observed
from fairweather_app.web.layout.local_time import LocalDay, midnight, moment, noon, short_day_name

_PERCENT = (0.0, 100.0, 50.0)
_STEPS = (1.0, 2.0, 5.0, 10.0)
_MOST_STEPS = {True: 7, False: 3}
"""How many steps the axis of the first panel, and of every other one, has at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One variable as tables and charts name it."""

    variable: str
    label: str
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What a chart shows of time: where it begins and ends, and when it is dark in between."""

    begin: datetime
    start: datetime
    end: datetime
    now: datetime | None
    days: Sequence[LocalDay]
    nights: Sequence[tuple[datetime, datetime]]
    zone: tzinfo


def chart_numbers(
    span: Span,
    *,
    times: Sequence[datetime],
    variables: Mapping[str, VariableForecast],
    observed: Mapping[str, Observed],
    columns: Sequence[Column],
    description: str,
) -> dict[str, Any]:
    """Return the chart as plain data: times in milliseconds since 1970, values as shown."""
    zone = span.zone
    midnights = [midnight(day.date, zone) for day in span.days]
    past = next((each.times for each in observed.values()), ())
    return {
        "begin": _milliseconds(span.begin),
        "start": _milliseconds(span.start),
        "end": _milliseconds(span.end),
        "now": None if span.now is None else _milliseconds(span.now),
        "time": [_milliseconds(time) for time in times],
        "when": [moment(time, zone) for time in times],
        "past": [_milliseconds(time) for time in past],
        "days": [
            {"at": _milliseconds(noon(day.date, zone)), "name": short_day_name(day.date)}
            for day in span.days
        ],
        "midnights": [_milliseconds(time) for time in midnights if span.begin < time < span.end],
        "nights": [[_milliseconds(dusk), _milliseconds(dawn)] for dusk, dawn in span.nights],
        "description": description,
        "series": [
            _series(each, column, observed.get(name), first=position == 0)
            for position, ((name, each), column) in enumerate(
                zip(variables.items(), columns, strict=True)
            )
        ],
    }


def _series(
    forecast: VariableForecast, column: Column, observed: Observed | None, *, first: bool
) -> dict[str, Any]:
    recent = [] if observed is None else list(observed.recent)
    came = [] if observed is None or not observed.any_came else list(observed.came)
    low, high, step = _PERCENT
    if column.unit != "%":
        low, high, step = scale(
            chain(forecast.value, forecast.lower or (), forecast.upper or (), recent, came),
            most=_MOST_STEPS[first],
        )
    return {
        "name": column.variable,
        "label": column.label,
        "unit": column.unit,
        "value": _rounded(forecast.value),
        "lower": _rounded(forecast.lower),
        "upper": _rounded(forecast.upper),
        "recent": _rounded(recent),
        "came": _rounded(came),
        "inside": forecast.interval and f"{sentences.inside(forecast.interval)} expected between",
        "low": low,
        "high": high,
        "step": step,
    }


def scale(values: Iterable[float | None], *, most: int) -> tuple[float, float, float]:
    """Return round ends of an axis around values, and its step; at most so many steps.

    Both ends are multiples of the step. An axis without values goes from 0 to 1.
    """
    held = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(held, default=0.0), max(held, default=1.0)
    if high - low < 1:
        low, high = low - 0.5, high + 0.5
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (size * each for each in (*_STEPS, 20.0)):
        bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
        if round((top - bottom) / step) <= most:
            break
    return round(bottom, 6), round(top, 6), round(step, 6)


def _rounded(values: Sequence[float | None] | None) -> list[float | None] | None:
    """Round to two decimals, more than a chart shows."""
    if values is None:
        return None
    return [None if value is None else round(value, 2) for value in values]


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
