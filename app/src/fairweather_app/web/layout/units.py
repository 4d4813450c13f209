"""Convert temperatures to the units that a reader chose, °C or °F.

Data stay in the contract's units; only what is shown is converted, here and nowhere else. Other
quantities are shown in their own unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Units = Literal["C", "F"]
CELSIUS: Units = "C"
FAHRENHEIT: Units = "F"
NAMES: dict[Units, str] = {"C": "°C", "F": "°F"}

_CELSIUS_IN_DATA = "degC"


def read_units(text: str | None) -> Units | None:
    """Return the units that an address or a cookie names, in either case; None if it does not."""
    named = {"c": CELSIUS, "f": FAHRENHEIT}
    return named.get((text or "").strip().lower())


def shown_unit(unit: str, units: Units) -> str:
    """Return the unit that values in `unit` are shown in: ``°F``, or `unit` itself."""
    return NAMES[FAHRENHEIT] if units == FAHRENHEIT and unit == _CELSIUS_IN_DATA else unit


def shown_values(values: Iterable[float | None], unit: str, units: Units) -> list[float | None]:
    """Return values in `unit` as they are shown."""
    if shown_unit(unit, units) == unit:
        return list(values)
    return [None if value is None else value * 9 / 5 + 32 for value in values]
