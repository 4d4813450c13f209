"""Calibration: how far to trust a network, lead day by lead day.

The gain of recent observations lies in the first day or two. Further out a network still says
something, and is usually worse than saying nothing. So the graph multiplies each forecast anomaly
by a factor between 1 (the network) and 0 (climatology), found here on calibration blocks, which the
network was not fitted on:

- one factor a variable and lead day, straight lines between the middles of the days;
- the factor of least mean absolute error, where it beats climatology by more than two standard
  errors over the blocks; otherwise 0: when in doubt, climatology;
- never larger on a later day than on an earlier one, as what is known of now only fades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["shrinkage"]

_FACTORS = np.linspace(0.0, 1.0, 21)  # the first says climatology
_DOUBT = 2.0  # standard errors


def shrinkage(
    forecast: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
    block: npt.NDArray[np.int64],
    *,
    steps_a_day: int,
) -> npt.NDArray[np.float64]:
    """Factors for one variable, shape [leads], falling from at most 1 to at least 0.

    Args:
        forecast: anomalies the network says, shape [rows, leads].
        target: anomalies observed, the same shape, NaN where there is nothing to calibrate with.
        block: the calibration block of each target, the same shape.
        steps_a_day: leads in one lead day; the last day may be shorter.
    """
    leads = forecast.shape[1]
    firsts = range(0, leads, steps_a_day)
    factors = np.zeros(len(firsts))
    for day, first in enumerate(firsts):
        leads_of_day = slice(first, first + steps_a_day)
        there = np.isfinite(target[:, leads_of_day])
        factors[day] = _factor(
            forecast[:, leads_of_day][there],
            target[:, leads_of_day][there],
            block[:, leads_of_day][there],
        )
    factors = np.minimum.accumulate(factors)
    middles = np.array(
        [first + (min(first + steps_a_day, leads) - first - 1) / 2 for first in firsts]
    )
    return np.interp(np.arange(leads), middles, factors)


def _factor(
    forecast: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
    block: npt.NDArray[np.int64],
) -> float:
    """The best factor where the blocks agree that it gains anything; otherwise 0."""
    if not len(target):
        return 0.0
    _, number = np.unique(block, return_inverse=True)
    count = np.bincount(number)
    error = np.stack(
        [
            np.bincount(number, weights=np.abs(target - factor * forecast)) / count
            for factor in _FACTORS
        ]
    )  # [factors, blocks]
    best = int(error.mean(axis=1).argmin())
    gain = error[0] - error[best]
    doubt = _DOUBT * gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    return float(_FACTORS[best]) if gain.mean() > doubt else 0.0
