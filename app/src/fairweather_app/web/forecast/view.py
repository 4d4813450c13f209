"""Turn a forecast into what the page shows: days, hours, verification, and the chart.

Templates compute nothing; they print what these objects hold. Every text may come from a delivery
and is plain, never markup; the templates escape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast import sentences, trust
from fairweather_app.web.forecast.chart import chart_begin, chart_numbers
from fairweather_app.web.forecast.daylight import nights
from fairweather_app.web.forecast.observed import NO_OBSERVATIONS, Observations
from fairweather_app.web.forecast.provenance import UNKNOWN, Provenance, count_trained
from fairweather_app.web.forecast.refusal import reasons_in_words
from fairweather_app.web.forecast.series import Series, shown_series, verify
from fairweather_app.web.forecast.tables import day_rows, hour_groups, recent_groups
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import local_days, zone_of, zones_in_use
from fairweather_app.web.layout.preferences import CELSIUS, NAMES, Units

LONGEST_SOURCE = 300
"""Characters: room for an address and for whom a licence wants to be named; a longer one goes."""


def forecast_view(
    forecast: Forecast,
    *,
    now: datetime,
    place: tuple[float, float] | None = None,
    units: Units = CELSIUS,
    observed: Observations = NO_OBSERVATIONS,
    latest: datetime | None = None,
    asked: bool = False,
    provenance: Provenance = UNKNOWN,
) -> dict[str, Any]:
    """Return what to show of a forecast, by its names in the template.

    A text is empty where there is nothing to write.

    A forecast may hold any variables, with or without a band. Nights are drawn where `place`, in
    degrees north and east, is known and a variable is one of weather: its row has a name in the
    climate and forecast conventions. `latest` is when the area was last observed; a reader who
    `asked` for the start knows how old it is.
    """
    zone = zone_of(forecast.timezone)
    times, receipt, start = forecast.forecast.time, forecast.receipt, forecast.reference_time
    rows = _variables(provenance)
    series = shown_series(forecast, observed, units, rows)
    first = series[0] if series else None
    days = local_days(times, zone)
    bands = sentences.bands(series)
    headline = sentences.headline(times, series, zone=zone, now=now)
    found = [verify(each, [time - start for time in times]) for each in series]
    verified = [each for each in found if each is not None]
    trained, held_out, source = 0, 0, ""
    if provenance.metadata is not None:
        trained, held_out = count_trained(provenance.metadata, forecast.area, series, times)
        training = provenance.metadata.training
        source = ": ".join(filter(None, (training.data_source, training.data_location)))
        source = source if len(source) <= LONGEST_SOURCE else training.data_source or ""
    stale = "" if asked else _stale(forecast, provenance, latest, zone, now)
    begin, end = chart_begin(observed.times, series, start), max(times, default=start)
    outdoors = any(each.variable in rows and rows[each.variable].standard_name for each in series)
    dark = nights(begin, end, *place) if place and outdoors else ()
    unused = sum(receipt.refused_counts.values())
    variables = [each.variable for each in series]

    def mark(step: int) -> str:
        return trust.marks(forecast, provenance.metadata, step, variables)

    return {
        "forecast": forecast,
        "headline": headline,
        "based_on": sentences.based_on(
            start,
            zone,
            now,
            announced=bool(stale),
            ages={
                each.variable: trust.input_age(forecast, each.variable)
                for each in receipt.inputs.values()
            },
        ),
        "inputs": sentences.supplied(receipt.inputs, zone),
        "in_degrees": any(each.unit in NAMES.values() for each in series),
        "past": sentences.is_past(start, now) and not stale,
        "stale": stale,
        "band_on_day": sentences.band_on(
            sentences.headline_day(days, now.astimezone(zone).date()), first
        ),
        "extremes": sentences.extremes(times, first, zone=zone) if first else "",
        "bands": bands,
        "band_names": [each.interval and sentences.band_name(each.interval) for each in series],
        "zone_labels": zones_in_use(times, zone),
        "series": series,
        "days": day_rows(days, times, series, zone, mark),
        "hours": hour_groups(days, times, series, zone, dark),
        "verified": tuple(sentences.verified(each) for each in verified),
        "training_note": sentences.training_note(
            trained, held_out, sum(each.count for each in verified)
        ),
        "trained_on_this": trained > 0,
        "recent": recent_groups(observed.times, series, zone),
        "training_source": source,
        "ranked": sentences.ranked(
            forecast.area, unused, better=provenance.better, pinned=provenance.pinned
        ),
        "skills": tuple(
            sentences.skill(each.label, receipt.skill[each.variable])
            for each in series
            if each.variable in receipt.skill
        ),
        "unused": (
            wording.counted(unused, "model was", "models were") + " not used",
            reasons_in_words(receipt.refused_counts, forecast.area),
        ),
        "chart": chart_numbers(
            forecast,
            observed.times,
            series,
            begin=begin,
            end=end,
            nights=dark,
            now=now,
            zone=zone,
            description=_description(forecast.area, headline, bands, series),
        ),
    }


def _variables(provenance: Provenance) -> Mapping[str, Variable]:
    """Return the rows of the variables that the contract or the delivery knows."""
    return VARIABLES if provenance.metadata is None else provenance.metadata.variable_table


def _stale(
    forecast: Forecast, provenance: Provenance, latest: datetime | None, zone: tzinfo, now: datetime
) -> str:
    """Return a warning of old observations: of the model's inputs, else of the area."""
    until, oldest = max(forecast.forecast.time, default=None), provenance.oldest
    if oldest is None or (oldest.areas == (forecast.area,) and oldest.latest == latest):
        return sentences.stale(forecast.area, latest, zone, now, until)
    where = wording.listed(oldest.areas)
    if oldest.latest is not None and len(oldest.areas) > 1:
        where = f"at least half of {where}"
    name = wording.label(oldest.variable, _variables(provenance))
    return sentences.stale(where, oldest.latest, zone, now, until, variable=name)


def _description(area: str, headline: str, bands: str, series: Sequence[Series]) -> str:
    """Describe the chart in words, for those who do not see it."""
    parts = [f"Chart of the forecast for {area}.", headline]
    if bands:
        parts.append(f"Shaded: {bands}.")
    if any(each.recent for each in series):
        parts.append("Dashed before the start: what was observed.")
    if any(each.observed for each in series):
        parts.append("Dashed after the start: what was observed since.")
    return " ".join([*parts, "The tables below hold the same numbers."])
