"""Bring each variable of a forecast, its band and its observations into one shown series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairweather_interface.variables import VARIABLES

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast.observed import Observations, Values
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.units import Units, shown_unit, shown_values


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One variable of a forecast as pages show it, in the reader's unit.

    Attributes:
        variable: its name in data.
        label: its name for people.
        unit: as people write it.
        values: one for each valid time; None where there is none.
        lower: the lower bound of the band; empty without a band.
        upper: the upper bound.
        interval: the probabilities of the two bounds; None without a band.
        recent: what was observed before the start; empty where nothing was.
        observed: what was observed at the valid times; empty where nothing was, or is not yet.
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

    @property
    def extremes(self) -> tuple[str, str]:
        """What people call its lowest and its highest value."""
        known = VARIABLES.get(self.variable)
        return known.extremes if known else ("lowest", "highest")


def shown_series(forecast: Forecast, observed: Observations, units: Units) -> tuple[Series, ...]:
    """Return the variables of a forecast, the one that pages lead with first."""
    return tuple(
        Series(
            variable=name,
            label=wording.label(name),
            unit=wording.symbol(name, shown_unit(each.unit, units)),
            values=shown_values(each.value, each.unit, units),
            lower=shown_values(each.lower or (), each.unit, units),
            upper=shown_values(each.upper or (), each.unit, units),
            interval=each.interval if each.lower and each.upper else None,
            recent=_if_any(shown_values(observed.recent.get(name, ()), each.unit, units)),
            observed=_if_any(shown_values(observed.later.get(name, ()), each.unit, units)),
        )
        for name, each in sorted(
            forecast.forecast.variables.items(), key=lambda item: item[0] != wording.MAIN
        )
    )


def present(values: Values, steps: Sequence[int]) -> list[float]:
    """Return the values of some steps, without the gaps."""
    return [value for value in (values[step] for step in steps) if value is not None]


def _if_any(values: list[float | None]) -> Values:
    return values if any(value is not None for value in values) else ()
