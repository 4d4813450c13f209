"""Verify a forecast: compare it with what was observed at its valid times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fairweather_app.web.forecast.series import Series


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The errors of one series.

    Attributes:
        series: what was compared.
        count: how many values could be compared.
        error: the mean absolute error, in the series' unit.
        first_day: the same over the first 24 hours; None where none of them was observed.
        inside: the share of observed values inside the band; None without a band.
    """

    series: Series
    count: int
    error: float
    first_day: float | None
    inside: float | None


def verify(series: Series, leads: Sequence[timedelta]) -> Verification | None:
    """Compare a series with its observations, by lead time; None where nothing was observed."""
    errors: list[tuple[timedelta, float]] = []
    hits: list[bool] = []
    for k, observed in enumerate(series.observed):
        value = series.values[k]
        if value is None or observed is None:
            continue
        errors.append((leads[k], abs(value - observed)))
        if series.interval is not None:
            low, high = series.lower[k], series.upper[k]
            hits.append(low is not None and high is not None and low <= observed <= high)
    if not errors:
        return None
    first = [error for lead, error in errors if lead <= timedelta(days=1)]
    return Verification(
        series=series,
        count=len(errors),
        error=sum(error for _, error in errors) / len(errors),
        first_day=sum(first) / len(first) if first else None,
        inside=sum(hits) / len(hits) if hits else None,
    )
