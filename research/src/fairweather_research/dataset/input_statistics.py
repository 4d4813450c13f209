"""Statistics of the training inputs: a histogram, and quantiles by month.

The model card draws them beside the bounds. They hold counts and quantiles only, never a series.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.reference_times import local_month
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.document import StrictModel

_BINS = 40
_QUANTILES = {"lowest": 0.0, "low": 0.05, "middle": 0.5, "high": 0.95, "highest": 1.0}


class Month(StrictModel):
    """The values of one calendar month, in the input's unit."""

    month: int  # 1 to 12, by the local calendar of the area
    lowest: float
    low: float  # 5 % of values lie below
    middle: float
    high: float  # 5 % lie above
    highest: float


class InputStatistics(StrictModel):
    """The values of one input that lay in at least one training window."""

    edges: tuple[float, ...]  # of the bins, one more than there are
    counts: tuple[int, ...]
    months: tuple[Month, ...]  # those that held a value, in order


def compute_statistics(windows: WindowSet) -> dict[str, InputStatistics]:
    """Compute the statistics of every input of training windows, by name, over all areas."""
    found = {}
    for number, plan in enumerate(windows.plan.inputs):
        values, months = [], []
        for position, area in enumerate(windows.plan.areas.values()):
            series = windows.sources[number, position]
            rows = windows.area == position
            used = series.covered(windows.reference[rows], plan.samples)
            used &= np.isfinite(series.value)
            values.append(series.value[used])
            months.append(local_month(series.time[used], area.timezone))
        found[plan.name] = _statistics(np.concatenate(values), np.concatenate(months))
    return found


def _statistics(values: npt.NDArray[np.float64], months: npt.NDArray[np.int64]) -> InputStatistics:
    counts, edges = np.histogram(values, bins=_BINS)
    by_month = []
    for month in np.unique(months).tolist():
        quantiles = np.quantile(values[months == month], list(_QUANTILES.values()))
        named = dict(zip(_QUANTILES, quantiles.tolist(), strict=True))
        by_month.append(Month(month=month, **named))
    return InputStatistics(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), months=tuple(by_month)
    )
