"""From a forecast to what the page shows: days, hours, and the numbers of the chart.

Templates decide nothing here and compute nothing there: they print what these objects hold. Every
text may come from a delivery and is plain, never markup; the templates escape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from fairweather_app.api.schemas import Forecast, VariableForecast
from fairweather_app.times import write_time
from fairweather_app.web import words
from fairweather_app.web.local_time import (
    NO_BREAK,
    LocalDay,
    clock,
    day_name,
    local_days,
    midnight,
    moment,
    noon,
    short_day_name,
    wall_clock,
    zone_of,
    zones_in_use,
)
from fairweather_app.web.sun import nights

MAIN = "temperature"
FEWEST_STEPS_OF_A_LAST_DAY = 6

Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One variable as the tables name it."""

    variable: str
    label: str
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A day's range on the week's scale, in per cent of the bar's width."""

    start: float
    width: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DayRow:
    """One line of the week: the first variable's range, and a span for each other one."""

    name: str
    short_name: str
    note: str
    low: str
    high: str
    bar: Bar | None
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HourRow:
    """One valid time: its local clock and one text per column."""

    instant: str
    clock: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HourGroup:
    """The hours of one local day."""

    name: str
    rows: tuple[HourRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastView:
    """Everything the page says about one forecast."""

    forecast: Forecast
    headline: str
    started: str
    past: bool
    summary: str
    band: str
    zone_name: str
    zone_labels: str
    reference_wall_clock: str
    columns: tuple[Column, ...]
    days: tuple[DayRow, ...]
    hours: tuple[HourGroup, ...]
    ranked: str
    skills: tuple[str, ...]
    trained_until: str
    chart: Mapping[str, Any]


def forecast_view(
    forecast: Forecast, *, now: datetime, place: tuple[float, float] | None = None
) -> ForecastView:
    """What to show of a forecast.

    Args:
        forecast: as the app answers it; may hold any variables, with or without a band.
        now: the reader's present.
        place: degrees north and east of the area, for the nights; without it none are drawn.
    """
    zone = zone_of(forecast.timezone)
    times = forecast.forecast.time
    variables = _main_first(forecast.forecast.variables)
    days = local_days(times, zone)
    reference = forecast.reference_time
    columns = tuple(
        Column(
            variable=name,
            label=words.label(name),
            unit=words.symbol(name, each.unit),
        )
        for name, each in variables.items()
    )
    first = next(iter(variables), None)
    band = words.band({name: each.interval for name, each in variables.items()})
    headline = words.headline(
        times,
        {name: (each.unit, each.value) for name, each in variables.items()},
        reference_time=reference,
        zone=zone,
        now=now,
    )
    receipt = forecast.receipt
    return ForecastView(
        forecast=forecast,
        headline=headline,
        started=words.started(reference, zone, now),
        past=words.is_past(reference, now),
        summary=words.extremes(
            times, first, variables[first].unit, variables[first].value, zone=zone
        )
        if first
        else "",
        band=band,
        zone_name=forecast.timezone,
        zone_labels=zones_in_use(times, zone),
        reference_wall_clock=wall_clock(reference, zone),
        columns=columns,
        days=_day_rows(days, times, variables, columns, zone),
        hours=tuple(
            HourGroup(
                name=day_name(day.date),
                rows=tuple(_hour_row(times[step], step, variables, zone) for step in day.steps),
            )
            for day in days
        ),
        ranked=words.ranked(sum(receipt.refused_counts.values())),
        skills=tuple(
            words.skill(name, receipt.skill[name]) for name in variables if name in receipt.skill
        ),
        trained_until=words.trained_until(receipt.train_end_time),
        chart=_chart(
            forecast,
            variables=variables,
            columns=columns,
            days=days,
            zone=zone,
            place=place,
            said=f"{headline} Around each line a band: {band}." if band else headline,
        ),
    )


def _main_first(variables: Mapping[str, VariableForecast]) -> dict[str, VariableForecast]:
    return dict(sorted(variables.items(), key=lambda item: item[0] != MAIN))


def _held(values: Values, steps: range) -> list[float]:
    return [value for value in (values[step] for step in steps) if value is not None]


def _day_rows(
    days: Sequence[LocalDay],
    times: Sequence[datetime],
    variables: Mapping[str, VariableForecast],
    columns: Sequence[Column],
    zone: tzinfo,
) -> tuple[DayRow, ...]:
    """One row per day; a last day of a few hours only is left to the hourly table."""
    if not variables:
        return ()
    main, *others = variables.values()
    held = [value for value in main.value if value is not None]
    rows = []
    for day in days:
        last = day is days[-1] and day is not days[0]
        if last and not day.whole and len(day.steps) < FEWEST_STEPS_OF_A_LAST_DAY:
            continue
        own = _held(main.value, day.steps)
        note = ""
        if not day.whole and day is days[0]:
            note = f"from {clock(times[day.steps[0]], zone)}"
        elif not day.whole:
            note = f"until {clock(times[day.steps[-1]], zone)}"
        rows.append(
            DayRow(
                name=day_name(day.date),
                short_name=short_day_name(day.date),
                note=note,
                low=words.number(min(own, default=None)),
                high=words.number(max(own, default=None)),
                bar=_bar(min(own), max(own), min(held), max(held)) if own else None,
                others=tuple(
                    _spread(_held(each.value, day.steps), column.unit)
                    for each, column in zip(others, columns[1:], strict=True)
                ),
            )
        )
    return tuple(rows)


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return words.NOTHING
    low, high = words.number(min(values)), words.number(max(values))
    text = low if low == high else f"{low}{words.NOTHING}{high}"
    return f"{text}{NO_BREAK}{unit}"


def _bar(low: float, high: float, lowest: float, highest: float) -> Bar:
    scale = (highest - lowest) or 1.0
    width = max(100 * (high - low) / scale, 3.0)
    start = min(100 * (low - lowest) / scale, 100 - width)
    return Bar(start=round(start, 1), width=round(width, 1))


def _hour_row(
    time: datetime, step: int, variables: Mapping[str, VariableForecast], zone: tzinfo
) -> HourRow:
    return HourRow(
        instant=write_time(time),
        clock=clock(time, zone),
        cells=tuple(_cell(each, step) for each in variables.values()),
    )


def _cell(variable: VariableForecast, step: int) -> str:
    text = words.number(variable.value[step], 1)
    if variable.lower is None or variable.upper is None:
        return text
    low, high = variable.lower[step], variable.upper[step]
    return f"{text} ({words.number(low, 1)}{NO_BREAK}to{NO_BREAK}{words.number(high, 1)})"


def _chart(
    forecast: Forecast,
    *,
    variables: Mapping[str, VariableForecast],
    columns: Sequence[Column],
    days: Sequence[LocalDay],
    zone: tzinfo,
    place: tuple[float, float] | None,
    said: str,
) -> dict[str, Any]:
    """The chart's numbers as JSON: times in milliseconds since 1970, labels already local.

    The browser is told every label, so that it needs to know nothing of the area's zone.
    """
    times = forecast.forecast.time
    start, end = (forecast.reference_time, times[-1]) if times else (forecast.reference_time,) * 2
    midnights = [midnight(day.date, zone) for day in days]
    dark = nights(start, end, *place) if place else ()
    return {
        "start": _milliseconds(start),
        "end": _milliseconds(end),
        "time": [_milliseconds(time) for time in times],
        "when": [moment(time, zone) for time in times],
        "days": [
            {"at": _milliseconds(noon(day.date, zone)), "name": short_day_name(day.date)}
            for day in days
        ],
        "midnights": [_milliseconds(time) for time in midnights if start < time < end],
        "nights": [[_milliseconds(sunset), _milliseconds(sunrise)] for sunset, sunrise in dark],
        "description": f"Chart of the forecast for {forecast.area}. {said} "
        "The same numbers are in the tables below.",
        "series": [
            {
                "name": column.variable,
                "label": column.label,
                "unit": column.unit,
                "value": each.value,
                "lower": each.lower,
                "upper": each.upper,
                "inside": each.interval and f"{words.inside(each.interval)} expected inside",
            }
            for each, column in zip(variables.values(), columns, strict=True)
        ],
    }


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
