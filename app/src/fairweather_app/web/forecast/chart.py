"""Make the numbers of the chart, which the page's script draws.

Labels are ready to print and in the area's local time: the script knows neither the area's zone nor
its units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import chain
from typing import Any

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.daylight import Night
from fairweather_app.web.forecast.series import Series
from fairweather_app.web.layout.local_time import instant, local_days, moment, short_day_name

_PERCENT = (0.0, 100.0, 50.0)
_STEPS = (1.0, 2.0, 5.0, 10.0, 20.0)
_MOST_STEPS = {True: 7, False: 3}
"""How many steps the axis of the first panel, and of the others, has at most."""


def chart_begin(past: Sequence[datetime], series: Sequence[Series], start: datetime) -> datetime:
    """Return the first time of the chart: of the first observation, else the start."""
    observed = (
        past[k] for each in series for k, value in enumerate(each.recent) if value is not None
    )
    return min(observed, default=start)


def chart_numbers(
    forecast: Forecast,
    past: Sequence[datetime],
    series: Sequence[Series],
    *,
    begin: datetime,
    end: datetime,
    nights: Sequence[Night],
    now: datetime,
    zone: tzinfo,
    description: str,
) -> dict[str, Any]:
    """Return the chart as plain data: times in milliseconds since 1970, values as shown."""
    times = forecast.forecast.time
    days = [day.date for day in local_days([at for at in (*past, *times) if at >= begin], zone)]
    return {
        "begin": _milliseconds(begin),
        "start": _milliseconds(forecast.reference_time),
        "end": _milliseconds(end),
        "now": _milliseconds(now) if begin <= now <= end else None,
        "time": [_milliseconds(time) for time in times],
        "when": [moment(time, zone) for time in times],
        "past": [_milliseconds(time) for time in past],
        "days": [
            {"at": _milliseconds(instant(day, zone, 12)), "name": short_day_name(day)}
            for day in days
        ],
        "midnights": [
            _milliseconds(at) for day in days if begin < (at := instant(day, zone)) < end
        ],
        "nights": [[_milliseconds(dusk), _milliseconds(dawn)] for dusk, dawn in nights],
        "description": description,
        "series": [_panel(each, first=each is series[0]) for each in series],
    }


def _panel(series: Series, *, first: bool) -> dict[str, Any]:
    low, high, step = _PERCENT
    if series.unit != "%":
        low, high, step = scale(
            chain(series.values, series.lower, series.upper, series.recent, series.observed),
            most=_MOST_STEPS[first],
            least=min((series.row.maximum - series.row.minimum) / 50, 1.0) if series.row else 1.0,
        )

    def rounded(values: Iterable[float | None]) -> list[float | None]:
        digits = series.digits + 2  # more than a chart shows
        return [None if value is None else round(value, digits) for value in values]

    return {
        "name": series.variable,
        "label": series.label,
        "unit": series.unit,
        "digits": series.digits + 1,
        "value": rounded(series.values),
        "lower": rounded(series.lower) if series.interval else None,
        "upper": rounded(series.upper) if series.interval else None,
        "recent": rounded(series.recent),
        "observed": rounded(series.observed),
        "band": series.interval and sentences.band_name(series.interval),
        "low": low,
        "high": high,
        "step": step,
    }


def scale(
    values: Iterable[float | None], *, most: int, least: float = 1.0
) -> tuple[float, float, float]:
    """Return round ends of an axis around values, and its step; at most so many steps.

    Both ends are multiples of the step; values that lie closer than `least` do not fill it. An axis
    without values goes from 0 to 1.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if high - low < least:
        low, high = low - least / 2, high + least / 2
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (size * each for each in _STEPS):
        bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
        if round((top - bottom) / step) <= most:
            break
    return round(bottom, 6), round(top, 6), round(step, 6)


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
