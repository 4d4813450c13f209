"""Convert temperatures to the units that a reader chose, °C or °F.

Data stay in the contract's units; only what is shown is converted, here and nowhere else. Other
quantities are shown in their own unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fairweather_app.api.schemas import VariableForecast

Units = Literal["C", "F"]
CELSIUS: Units = "C"
FAHRENHEIT: Units = "F"
NAMES: dict[Units, str] = {"C": "°C", "F": "°F"}

_CELSIUS_IN_DATA = "degC"


def read_units(text: str | None) -> Units | None:
    """The units that an address or a cookie names, in either case; None for anything else."""
    named = {"c": CELSIUS, "f": FAHRENHEIT}
    return named.get((text or "").strip().lower())


def shown_unit(unit: str, units: Units) -> str:
    """The unit that values in `unit` are shown in: ``°F``, or `unit` itself."""
    return NAMES[FAHRENHEIT] if units == FAHRENHEIT and unit == _CELSIUS_IN_DATA else unit


def shown_values(values: Iterable[float | None], unit: str, units: Units) -> list[float | None]:
    """Values in `unit` as they are shown."""
    if shown_unit(unit, units) == unit:
        return list(values)
    return [None if value is None else value * 9 / 5 + 32 for value in values]


def shown_forecast(forecast: VariableForecast, units: Units) -> VariableForecast:
    """A variable's forecast, its band included, as it is shown."""
    unit = shown_unit(forecast.unit, units)
    if unit == forecast.unit:
        return forecast

    def convert(values: list[float | None] | None) -> list[float | None] | None:
        return None if values is None else shown_values(values, forecast.unit, units)

    return VariableForecast(
        unit=unit,
        value=shown_values(forecast.value, forecast.unit, units),
        lower=convert(forecast.lower),
        upper=convert(forecast.upper),
        interval=forecast.interval,
    )
