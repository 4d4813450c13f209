"""Units that observations may come in, and how they become the declared ones.

The row of a variable fixes its unit and lists the others that may be converted into it
(``conversions``). A unit outside that list is refused, never guessed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from fairweather_interface.variables import Conversion, Variable

__all__ = ["convert", "known_units"]

# Finer than any instrument, coarser than the noise of arithmetic: 100.04 degF are 37.8 degC.
_DECIMALS = 6


def known_units(variable: Variable) -> tuple[str, ...]:
    """Return the units accepted for a variable, the declared one first."""
    return (variable.unit, *sorted(conversion.unit for conversion in variable.conversions))


def convert(
    values: npt.NDArray[np.float64], variable: Variable, unit: str
) -> npt.NDArray[np.float64] | None:
    """Return values in the declared unit of a variable, of the same shape; NaN stays NaN.

    Converted values are rounded to six decimals. None where the unit is not known.
    """
    units = {conversion.unit: conversion for conversion in variable.conversions}
    found = Conversion(unit=unit) if unit == variable.unit else units.get(unit)
    if found is None:
        return None
    if (found.factor, found.offset) == (1.0, 0.0):
        return values
    return np.round(values * found.factor + found.offset, _DECIMALS) + 0.0  # and no -0.0
