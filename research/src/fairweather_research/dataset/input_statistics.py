"""The portrait of what taught a model: how its inputs were spread, and how they went by month.

Bounds say where training ended; a portrait shows how much of it was near them. It is drawn on the
model card and holds counts and quantiles only, never a series.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.window_set import WindowSet, covered, local_month
from fairweather_research.document import StrictModel

__all__ = ["Month", "Portrait", "portray"]

_BINS = 40
_QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


class Month(StrictModel):
    """What one calendar month held, in the input's unit."""

    month: int  # 1 to 12, by the local calendar of the area
    lowest: float
    low: float  # 5 % of values lie below
    middle: float
    high: float  # 5 % lie above
    highest: float


class Portrait(StrictModel):
    """The values of one input that lay in at least one training window."""

    edges: tuple[float, ...]  # of the bins, one more than there are
    counts: tuple[int, ...]
    months: tuple[Month, ...]  # those that held a value, in order


def portray(taught: WindowSet) -> dict[str, Portrait]:
    """Portray every input of training windows, by input name, over all areas."""
    found = {}
    for number, plan in enumerate(taught.plan.inputs):
        values, months = [], []
        for position, area in enumerate(taught.plan.areas.values()):
            series = taught.sources[number, position]
            rows = taught.area == position
            used = covered(series, taught.reference[rows], plan.samples)
            used &= np.isfinite(series.value)
            values.append(series.value[used])
            months.append(local_month(series.time[used], area.timezone))
        found[plan.name] = _portrait(np.concatenate(values), np.concatenate(months))
    return found


def _portrait(values: npt.NDArray[np.float64], months: npt.NDArray[np.int64]) -> Portrait:
    counts, edges = np.histogram(values, bins=_BINS)
    told = []
    for month in np.unique(months).tolist():
        lowest, low, middle, high, highest = np.quantile(values[months == month], _QUANTILES)
        told.append(
            Month(month=month, lowest=lowest, low=low, middle=middle, high=high, highest=highest)
        )
    return Portrait(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), months=tuple(told))
