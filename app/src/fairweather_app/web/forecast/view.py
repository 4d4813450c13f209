"""Turn a forecast into what the page shows: days, hours, checks, and the chart.

Templates compute nothing; they print what these objects hold. Every text may come from a delivery
and is plain, never markup; the templates escape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from fairweather_app.api.schemas import Forecast, VariableForecast
from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.chart import Column, Span, chart_numbers
from fairweather_app.web.forecast.daylight import nights
from fairweather_app.web.forecast.observed import Check, Observed, check
from fairweather_app.web.forecast.provenance import NOT_KNOWN, Answering, Fed, Learned
from fairweather_app.web.forecast.tables import (
    DayRow,
    HourGroup,
    day_rows,
    held,
    hour_rows,
    recent_rows,
)
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import (
    LocalDay,
    day_name,
    local_days,
    wall_clock,
    zone_of,
    zones_in_use,
)
from fairweather_app.web.layout.units import (
    CELSIUS,
    Units,
    shown_forecast,
    shown_unit,
    shown_values,
)

MAIN = "temperature"

LONGEST_SOURCE = 300
"""Characters: room for an address and for whom a licence wants to be named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastView:
    """Everything the page says about one forecast.

    Attributes:
        stale: an announcement when the newest observation is old, else empty.
        reach: how far the band goes on the day of the headline, else empty.
        checks: what came of the forecast, by variable; empty while nothing did.
        learned_from: what those checks prove of a model that learned from such days, else empty.
        knew: whether it had learned from any of the weather that came.
        recent: what was observed before the start, newest day first.
        source: what the model learned from, and where that can be had; empty where not known.
    """

    forecast: Forecast
    headline: str
    started: str
    past: bool
    stale: str
    reach: str
    summary: str
    band: str
    zone_name: str
    zone_labels: str
    reference_wall_clock: str
    columns: tuple[Column, ...]
    days: tuple[DayRow, ...]
    hours: tuple[HourGroup, ...]
    checks: tuple[str, ...]
    learned_from: str
    knew: bool
    recent: tuple[HourGroup, ...]
    source: str
    ranked: str
    skills: tuple[str, ...]
    trained_until: str
    chart: Mapping[str, Any]


def forecast_view(
    forecast: Forecast,
    *,
    now: datetime,
    place: tuple[float, float] | None = None,
    units: Units = CELSIUS,
    observed: Mapping[str, Observed] | None = None,
    latest: datetime | None = None,
    asked: bool = False,
    answering: Answering = NOT_KNOWN,
) -> ForecastView:
    """Return what to show of a forecast.

    Args:
        forecast: as the app answers it; may hold any variables, with or without a band.
        now: the reader's present.
        place: degrees north and east of the area, for the nights; without it none are drawn.
        units: what temperatures are shown in.
        observed: what was observed around the forecast, by variable, in the variable's unit.
        latest: when the area was last observed.
        asked: whether the reader chose the start, and so knows how old it is.
        answering: what is known of the model beyond its receipt.
    """
    zone = zone_of(forecast.timezone)
    times = forecast.forecast.time
    declared = dict(sorted(forecast.forecast.variables.items(), key=lambda item: item[0] != MAIN))
    variables = {name: shown_forecast(each, units) for name, each in declared.items()}
    seen = {
        name: _shown(observed[name], declared[name].unit, units)
        for name in variables
        if observed and name in observed
    }
    columns = tuple(
        Column(variable=name, label=wording.label(name), unit=wording.symbol(name, each.unit))
        for name, each in variables.items()
    )
    span = _span(forecast, seen, now, place, zone)
    dark = span.nights
    days = local_days(times, zone)
    band = sentences.band({name: each.interval for name, each in variables.items()})
    headline = sentences.headline(
        times,
        {name: (each.unit, each.value) for name, each in variables.items()},
        zone=zone,
        now=now,
    )
    checks = tuple(_checks(forecast, variables, seen, columns))
    came = {name: each.came for name, each in seen.items() if each.any_came}
    chart = chart_numbers(
        span,
        times=times,
        variables=variables,
        observed=seen,
        columns=columns,
        description=_description(forecast.area, headline, band, seen),
    )
    stale = "" if asked else _stale(forecast, answering.oldest, latest, zone, now)
    shown, judged = _known_before(times, variables, seen, answering.learned)
    first = next(iter(variables), None)
    receipt = forecast.receipt
    return ForecastView(
        forecast=forecast,
        headline=headline,
        started=sentences.started(forecast.reference_time, zone, now, announced=bool(stale)),
        past=sentences.is_past(forecast.reference_time, now) and not stale,
        stale=stale,
        reach=_reach(sentences.spoken_of(days, now.astimezone(zone).date()), variables, columns),
        summary=sentences.extremes(
            times, first, variables[first].unit, variables[first].value, zone=zone
        )
        if first
        else "",
        band=band,
        zone_name=forecast.timezone,
        zone_labels=zones_in_use(times, zone),
        reference_wall_clock=wall_clock(forecast.reference_time, zone),
        columns=columns,
        days=day_rows(days, times, variables, columns, zone),
        hours=tuple(
            HourGroup(
                name=day_name(day.date),
                light=sentences.light(day, times, dark, zone),
                rows=hour_rows(day, times, variables, zone, came),
            )
            for day in days
        ),
        checks=tuple(sentences.checked(each) for each in checks),
        learned_from=sentences.learned_from(shown, judged, sum(each.count for each in checks)),
        knew=shown > 0,
        recent=recent_rows(seen, variables, zone),
        source=_source(answering.learned),
        ranked=sentences.ranked(
            forecast.area,
            sum(receipt.refused_counts.values()),
            before=answering.before,
            pinned=answering.pinned,
        ),
        skills=tuple(
            sentences.skill(name, receipt.skill[name])
            for name in variables
            if name in receipt.skill
        ),
        trained_until=wording.trained_until(receipt.train_end_time),
        chart=chart,
    )


def _shown(observed: Observed, unit: str, units: Units) -> Observed:
    if shown_unit(unit, units) == unit:
        return observed
    return replace(
        observed,
        recent=shown_values(observed.recent, unit, units),
        came=shown_values(observed.came, unit, units),
    )


def _span(
    forecast: Forecast,
    around: Mapping[str, Observed],
    now: datetime,
    place: tuple[float, float] | None,
    zone: tzinfo,
) -> Span:
    """What the chart shows of time: from the first thing observed to the last valid time."""
    start, times = forecast.reference_time, forecast.forecast.time
    known = [
        time
        for each in around.values()
        for time, value in zip(each.times, each.recent, strict=True)
        if value is not None
    ]
    begin = min(known, default=start)
    end = times[-1] if times else start
    shown = [*sorted({time for each in around.values() for time in each.times}), *times]
    return Span(
        begin=begin,
        start=start,
        end=end,
        now=now if begin <= now <= end else None,
        days=local_days([time for time in shown if time >= begin], zone),
        nights=nights(begin, end, *place) if place else (),
        zone=zone,
    )


def _checks(
    forecast: Forecast,
    variables: Mapping[str, VariableForecast],
    around: Mapping[str, Observed],
    columns: Sequence[Column],
) -> Sequence[Check]:
    """Every variable held against what came of it."""
    leads = [time - forecast.reference_time for time in forecast.forecast.time]
    found = []
    for column in columns:
        each, observed = variables[column.variable], around.get(column.variable)
        band = (each.lower, each.upper) if each.lower and each.upper else None
        if observed is None:
            continue
        held = check(
            column.variable,
            column.unit,
            leads,
            said=each.value,
            came=observed.came,
            band=band,
        )
        if held is not None:
            found.append(held)
    return found


def _known_before(
    times: Sequence[datetime],
    variables: Mapping[str, VariableForecast],
    seen: Mapping[str, Observed],
    learned: Learned | None,
) -> tuple[int, int]:
    """How many of the values that came the model may have learned from, and was judged by."""
    if learned is None:
        return 0, 0
    checked = [
        (name, time)
        for name, each in variables.items()
        if name in seen
        for time, said, came in zip(times, each.value, seen[name].came, strict=True)
        if said is not None and came is not None
    ]
    return (
        sum(learned.was_shown(name, time) for name, time in checked),
        sum(learned.was_judged_by(name, time) for name, time in checked),
    )


def _source(learned: Learned | None) -> str:
    """What a model learned from, in a line; where the data can be had only if that is short."""
    if learned is None:
        return ""
    whole = f"{learned.source}: {learned.location}"
    return whole if len(whole) <= LONGEST_SOURCE else learned.source


def _stale(
    forecast: Forecast,
    oldest: Fed | None,
    latest: datetime | None,
    zone: tzinfo,
    now: datetime,
) -> str:
    """Announce old observations: of what the model is fed with, else of the area."""
    until = max(forecast.forecast.time, default=None)
    if oldest is None or (oldest.areas == (forecast.area,) and oldest.latest == latest):
        return sentences.stale(forecast.area, latest, zone, now, until)
    where = wording.listed(oldest.areas)
    if oldest.latest is not None and len(oldest.areas) > 1:
        where = f"at least half of {where}"
    return sentences.stale(where, oldest.latest, zone, now, until, variable=oldest.variable)


def _reach(
    day: LocalDay | None,
    variables: Mapping[str, VariableForecast],
    columns: Sequence[Column],
) -> str:
    """How far the first variable's band goes on the day of the headline; empty without a band."""
    first = next(iter(variables.values()), None)
    if day is None or first is None or not (first.interval and first.lower and first.upper):
        return ""
    low, high = held(first.lower, day.steps), held(first.upper, day.steps)
    return sentences.reach(
        day_name(day.date),
        first.interval,
        min(low, default=None),
        max(high, default=None),
        columns[0].unit,
    )


def _description(area: str, headline: str, band: str, around: Mapping[str, Observed]) -> str:
    """The chart in words, for those who do not see it."""
    said = [f"Chart of the forecast for {area}.", headline]
    if band:
        said.append(f"Around each line a band: {band}.")
    if any(each.any_recent for each in around.values()):
        said.append("Before its start, what was observed.")
    if any(each.any_came for each in around.values()):
        said.append("After its start, what came.")
    return " ".join([*said, "The same numbers are in the tables below."])
