"""Make the tables: a row for each local day, and a row for each hour, as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from fairweather_app.api.schemas import VariableForecast
from fairweather_app.common.times import write_time
from fairweather_app.web.forecast.chart import Column
from fairweather_app.web.forecast.observed import Observed
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

Values = Sequence[float | None]


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
    """One time: its local clock, a text per column and, once it came, what was observed."""

    instant: str
    clock: str
    cells: tuple[str, ...]
    came: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HourGroup:
    """The hours of one local day; `light` says from when to when it is day, where that is known."""

    name: str
    rows: tuple[HourRow, ...]
    light: str = ""


def recent_rows(
    around: Mapping[str, Observed],
    variables: Mapping[str, VariableForecast],
    zone: tzinfo,
) -> tuple[HourGroup, ...]:
    """What was observed before the start, by local day; a cell for each forecast variable."""
    if not any(each.any_recent for each in around.values()):
        return ()
    times = next(iter(around.values())).times
    nothing: Values = [None] * len(times)
    values = [around[name].recent if name in around else nothing for name in variables]
    groups = []
    for day in local_days(times, zone):
        rows = tuple(
            HourRow(
                instant=write_time(times[step]),
                clock=shown,
                cells=tuple(wording.number(each[step], 1) for each in values),
            )
            for step, shown in zip(day.steps, _clocks(day, times, zone), strict=True)
            if any(each[step] is not None for each in values)
        )
        if rows:
            groups.append(HourGroup(name=day_name(day.date), rows=rows))
    return tuple(groups)


def held(values: Values, steps: range) -> list[float]:
    """The values of some steps that are there."""
    return [value for value in (values[step] for step in steps) if value is not None]


def day_rows(
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
    known = [value for value in main.value if value is not None]
    rows = []
    for day in days:
        last = day is days[-1] and day is not days[0]
        if last and not day.whole and len(day.steps) < FEWEST_STEPS_OF_A_LAST_DAY:
            continue
        own = held(main.value, day.steps)
        note = ""
        if not day.whole and day is days[0]:
            note = f"from {_clocks(day, times, zone)[0]}"
        elif not day.whole:
            note = f"until {_clocks(day, times, zone)[-1]}"
        rows.append(
            DayRow(
                name=day_name(day.date),
                short_name=short_day_name(day.date),
                note=note,
                low=wording.number(min(own, default=None)),
                high=wording.number(max(own, default=None)),
                bar=_bar(min(own), max(own), min(known), max(known)) if own else None,
                others=tuple(
                    _spread(held(each.value, day.steps), column.unit)
                    for each, column in zip(others, columns[1:], strict=True)
                ),
            )
        )
    return tuple(rows)


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return wording.NOTHING
    low, high = wording.number(min(values)), wording.number(max(values))
    text = low if low == high else f"{low}{wording.NOTHING}{high}"
    return f"{text}{NO_BREAK}{unit}"


def _bar(low: float, high: float, lowest: float, highest: float) -> Bar:
    scale = (highest - lowest) or 1.0
    width = max(100 * (high - low) / scale, 3.0)
    start = min(100 * (low - lowest) / scale, 100 - width)
    return Bar(start=round(start, 1), width=round(width, 1))


def hour_rows(
    day: LocalDay,
    times: Sequence[datetime],
    variables: Mapping[str, VariableForecast],
    zone: tzinfo,
    came: Mapping[str, Values],
) -> tuple[HourRow, ...]:
    """The hours of a day: what is said, and what came of it where any of the forecast did."""
    return tuple(
        HourRow(
            instant=write_time(times[step]),
            clock=shown,
            cells=tuple(_cell(each, step) for each in variables.values()),
            came=tuple(
                wording.number(came[name][step] if name in came else None, 1) for name in variables
            )
            if came
            else (),
        )
        for step, shown in zip(day.steps, _clocks(day, times, zone), strict=True)
    )


def _clocks(day: LocalDay, times: Sequence[datetime], zone: tzinfo) -> tuple[str, ...]:
    return clocks([times[step] for step in day.steps], zone)


def _cell(variable: VariableForecast, step: int) -> str:
    text = wording.number(variable.value[step], 1)
    if variable.lower is None or variable.upper is None:
        return text
    low, high = variable.lower[step], variable.upper[step]
    return f"{text} ({wording.number(low, 1)}{NO_BREAK}to{NO_BREAK}{wording.number(high, 1)})"
