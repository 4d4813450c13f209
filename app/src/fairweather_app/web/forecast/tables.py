"""Make the tables: a row for each local day, and a row for each hour, as texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from fairweather_app.common.times import write_time
from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.daylight import Night
from fairweather_app.web.forecast.observed import Values
from fairweather_app.web.forecast.series import Series, present
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import (
    NO_BREAK,
    LocalDay,
    clocks,
    day_name,
    local_days,
    short_day_name,
)

FEWEST_STEPS_OF_A_LAST_DAY = 6

Row = dict[str, Any]
"""What the template prints of a day or an hour."""


def day_rows(
    days: Sequence[LocalDay],
    times: Sequence[datetime],
    series: Sequence[Series],
    zone: tzinfo,
    mark: Callable[[int], str],
) -> list[Row]:
    """Return a row for each day: the range of the first series, and a span for each other one.

    A last day of a few hours is left to the hourly table. Each ``band`` goes from the lowest lower
    to the highest upper bound of the day; a bar is where a range starts on the scale of all days,
    and its width, in per cent. `mark` is asked for the step in the middle of a day.
    """
    if not series:
        return []
    main, *others = series
    every = range(len(times))
    scale = [
        value for each in (main.values, main.lower, main.upper) for value in present(each, every)
    ]
    digits = main.digits
    rows = []
    for day in days:
        last = day is days[-1] and day is not days[0]
        if last and not day.whole and len(day.steps) < FEWEST_STEPS_OF_A_LAST_DAY:
            continue
        own, band = present(main.values, day.steps), _band(main, day.steps)
        note = ""
        if not day.whole and day is days[0]:
            note = f"from {clocks(day, times, zone)[0]}"
        elif not day.whole:
            note = f"until {clocks(day, times, zone)[-1]}"
        rows.append(
            {
                "name": day_name(day.date),
                "short_name": short_day_name(day.date),
                "note": note,
                "mark": mark(day.steps[len(day.steps) // 2]),
                "low": wording.number(min(own, default=None), digits),
                "high": wording.number(max(own, default=None), digits),
                "bar": _bar(own, scale) if own else None,
                "band": _span(main, band),
                "band_bar": _bar(band, scale) if band else None,
                "bands": _bands(series, day.steps),
                "others": [
                    (_spread(each, day.steps), _span(each, _band(each, day.steps)))
                    for each in others
                ],
            }
        )
    return rows


def _band(series: Series, steps: range) -> list[float]:
    """Return the ends of the band over some steps; none without a band."""
    low, high = present(series.lower, steps), present(series.upper, steps)
    return [min(low), max(high)] if low and high else []


def _bands(series: Sequence[Series], steps: range) -> str:
    """Return all bands of a day in a line: ``80 % range: 5 to 9 °C, humidity …``."""
    parts = [
        f"{'' if each is series[0] else each.label.lower() + ' '}{_span(each, band)}"
        f"{NO_BREAK}{each.unit}"
        for each in series
        for band in [_band(each, steps)]
        if band
    ]
    return f"{sentences.bands(series)}: {', '.join(parts)}" if parts else ""


def _spread(series: Series, steps: range) -> str:
    values = present(series.values, steps)
    return f"{_span(series, values)}{NO_BREAK}{series.unit}" if values else wording.NO_VALUE


def _span(series: Series, values: Sequence[float]) -> str:
    """Return the lowest and the highest of some values, without the unit; empty without any."""
    if not values:
        return ""
    digits = series.digits
    ends = dict.fromkeys(wording.number(each, digits) for each in (min(values), max(values)))
    # a minus beside a dash cannot be read
    known = (value for each in (series.values, series.lower) for value in each)
    below_zero = any(value is not None and value < 0 for value in known)
    between = f"{NO_BREAK}to{NO_BREAK}" if below_zero else wording.NO_VALUE
    return between.join(ends)


def _bar(values: Sequence[float], all_values: Sequence[float]) -> tuple[float, float]:
    low, high, lowest, highest = min(values), max(values), min(all_values), max(all_values)
    scale = (highest - lowest) or 1.0
    width = max(100 * (high - low) / scale, 3.0)
    start = min(100 * (low - lowest) / scale, 100 - width)
    return round(start, 1), round(width, 1)


def hour_groups(
    days: Sequence[LocalDay],
    times: Sequence[datetime],
    series: Sequence[Series],
    zone: tzinfo,
    nights: Sequence[Night],
) -> list[Row]:
    """Return a row for each time, by local day: a cell for each series, and what was observed."""
    return [
        {
            "name": day_name(day.date),
            "sun": sentences.sun(day, times, nights, zone),
            "rows": [
                {
                    "instant": write_time(times[step]),
                    "clock": shown,
                    "cells": [_cell(each, step) for each in series],
                    "observed": [_number(each, each.observed, step) for each in series],
                }
                for step, shown in zip(day.steps, clocks(day, times, zone), strict=True)
            ],
        }
        for day in days
    ]


def recent_groups(times: Sequence[datetime], series: Sequence[Series], zone: tzinfo) -> list[Row]:
    """Return the observations before the start, by local day, the gaps left out."""
    groups = []
    for day in local_days(times, zone):
        rows = [
            {"clock": shown, "cells": [_number(each, each.recent, step) for each in series]}
            for step, shown in zip(day.steps, clocks(day, times, zone), strict=True)
            if any(each.recent and each.recent[step] is not None for each in series)
        ]
        if rows:
            groups.append({"name": day_name(day.date), "rows": rows})
    return groups


def _number(series: Series, values: Values, step: int) -> str:
    return wording.number(values[step] if values else None, series.digits + 1)


def _cell(series: Series, step: int) -> str:
    text = _number(series, series.values, step)
    if series.interval is None:
        return text
    low, high = (_number(series, each, step) for each in (series.lower, series.upper))
    return f"{text} ({low}{NO_BREAK}to{NO_BREAK}{high})"
