"""Units that observations may come in, and how they become the declared ones.

The interface fixes one unit per variable. A user's file may use another unit that means the same
quantity; this table is the whole list, and a unit outside it is refused, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from fairweather_interface.definitions import VARIABLES

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Conversion", "conversion", "known_units"]


# Finer than any instrument, coarser than the noise of arithmetic: 100.04 °F are 37.8 °C.
_DECIMALS = 6


class Conversion(NamedTuple):
    """The declared unit's value is ``factor * value + offset``, rounded to six decimals."""

    factor: float
    offset: float

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values in the declared unit; same shape, NaN stays NaN."""
        if self == _SAME:
            return values
        return np.round(values * self.factor + self.offset, _DECIMALS) + 0.0  # and no -0.0


_SAME = Conversion(1.0, 0.0)

# declared unit -> units that convert into it
_INTO: dict[str, dict[str, Conversion]] = {
    "degC": {
        "K": Conversion(1.0, -273.15),
        "degF": Conversion(5 / 9, -160 / 9),
    },
    "%": {
        "1": Conversion(100.0, 0.0),
    },
    "hPa": {
        "Pa": Conversion(0.01, 0.0),
        "mbar": _SAME,
    },
    "m s-1": {
        "km h-1": Conversion(1 / 3.6, 0.0),
        "knot": Conversion(1852 / 3600, 0.0),
        "mph": Conversion(0.44704, 0.0),
    },
}


def known_units(variable: str) -> tuple[str, ...]:
    """Units accepted for a variable, the declared one first."""
    declared = VARIABLES[variable].unit
    return (declared, *sorted(_INTO.get(declared, {})))


def conversion(variable: str, unit: str) -> Conversion | None:
    """How to bring ``unit`` to the declared unit of ``variable``; None when that is unknown."""
    declared = VARIABLES[variable].unit
    if unit == declared:
        return _SAME
    return _INTO.get(declared, {}).get(unit)
