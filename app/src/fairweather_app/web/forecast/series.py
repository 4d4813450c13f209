"""Bring each variable of a forecast, its band and its observations into one shown series.

And verify it: compare it with what was observed at its valid times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast.observed import Observations, Values
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.preferences import Units, shown_unit, shown_values


@dataclass(frozen=True, kw_only=True)
class Series:
    """One variable of a forecast as pages show it, in the reader's unit.

    Attributes:
        values: one for each valid time; None where there is none.
        lower: the lower bound of the band; empty, as `upper`, without a band.
        interval: the probabilities of the two bounds; None without a band.
        recent: what was observed before the start; empty where nothing was.
        observed: what was observed at the valid times; empty where nothing was, or is not yet.
        row: the variable's, where the contract or the delivery has one.
    """

    variable: str
    label: str
    unit: str
    values: Values
    lower: Values = ()
    upper: Values = ()
    interval: tuple[float, float] | None = None
    recent: Values = ()
    observed: Values = ()
    row: Variable | None = None

    @cached_property
    def digits(self) -> int:
        """How many decimals it is written with, at least."""
        rows = {self.variable: self.row} if self.row else VARIABLES
        return wording.digits(self.variable, among=self.values, variables=rows)

    @property
    def extremes(self) -> tuple[str, str]:
        """What people call its lowest and its highest value."""
        row = self.row or VARIABLES.get(self.variable)
        return row.extremes if row else ("lowest", "highest")


def shown_series(
    forecast: Forecast,
    observed: Observations,
    units: Units,
    variables: Mapping[str, Variable] = VARIABLES,
) -> tuple[Series, ...]:
    """Return the variables of a forecast, the one that pages lead with first.

    `variables` are the rows of those that are known.
    """
    return tuple(
        Series(
            variable=name,
            label=wording.label(name, variables),
            unit=wording.symbol(name, shown_unit(each.unit, units)),
            values=shown_values(each.value, each.unit, units),
            lower=shown_values(each.lower or (), each.unit, units),
            upper=shown_values(each.upper or (), each.unit, units),
            interval=each.interval if each.lower and each.upper else None,
            recent=_if_any(shown_values(observed.recent.get(name, ()), each.unit, units)),
            observed=_if_any(shown_values(observed.later.get(name, ()), each.unit, units)),
            row=variables.get(name),
        )
        for name, each in sorted(
            forecast.forecast.variables.items(), key=lambda item: item[0] != wording.MAIN
        )
    )


def present(values: Values, steps: Sequence[int]) -> list[float]:
    """Return the values of some steps, without the gaps; none of an empty series."""
    found = (values[step] for step in steps) if values else ()
    return [value for value in found if value is not None]


def _if_any(values: list[float | None]) -> Values:
    return values if any(value is not None for value in values) else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The mean absolute error of one series, in its unit, over `count` values.

    Attributes:
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
