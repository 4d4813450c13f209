"""From raw observations to windows, as every reader of a model computes them.

The window of an input at reference time t0 has N = period / sample_rate samples, oldest first.
Sample k (k = 1..N) stands for t_k = t0 - (N - k) * sample_rate and is the mean of the observations
whose time lies in (t_k - sample_rate, t_k]; NaN where there is none. Observations that are NaN do
not count. All of it is in UTC: a day on which clocks change has no more and no fewer samples.

For a region, each member's window is taken first; a sample of the region is then the mean over the
members that have a value, NaN unless at least half of the members have one.

The interface's golden windows hold this module and the app to the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fairweather_research.observations.series import Series

__all__ = ["SampledSeries", "coarsen", "region_mean", "sample"]


class SampledSeries(NamedTuple):
    """A series brought to one sample rate: value i stands for ``start + i * rate``."""

    start: int  # time of the first sample, seconds since 1970-01-01T00:00Z
    rate: int  # seconds between samples
    value: npt.NDArray[np.float64]  # NaN where nothing was observed

    @property
    def time(self) -> npt.NDArray[np.int64]:
        """The time each sample stands for, seconds since 1970-01-01T00:00Z."""
        return self.start + self.rate * np.arange(len(self.value), dtype=np.int64)

    def present(self, reference: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.int64]:
        """Return how many values there are in the window up to each reference time."""
        number = np.r_[0, np.cumsum(np.isfinite(self.value))]
        last = (reference - self.start) // self.rate + 1
        return np.asarray(number[last] - number[np.maximum(last - samples, 0)])

    def windows(self, reference: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.float64]:
        """Return the window of ``samples`` values up to each reference time, [times, samples].

        Reference times must be sample times. Samples before the start or after the end are NaN.
        """
        # Views of one padded series: an index of every value would be twice as large as the values.
        first = (reference - self.start) // self.rate + 1 - samples
        low = max(-int(first.min(initial=0)), 0)
        high = max(int(first.max(initial=0)) + samples - len(self.value), 0)
        padded = np.pad(self.value, (low, high), constant_values=np.nan)
        views: npt.NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, samples)
        return views[first + low]


def sample(series: Series, *, start: int, rate: int, count: int) -> SampledSeries:
    """Bring a series to a sample rate.

    Args:
        series: observations at any times; NaN values do not count.
        start: time of the first sample, seconds.
        rate: seconds between samples.
        count: number of samples.
    """
    # (t_k - rate, t_k] holds what ceil((time - start) / rate) sends to k
    index = -((start - series.time) // rate)
    use = (index >= 0) & (index < count) & np.isfinite(series.value)
    index, value = index[use], series.value[use]
    number = np.bincount(index, minlength=count)
    total = np.bincount(index, weights=value, minlength=count)
    mean = np.full(count, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return SampledSeries(start, rate, mean)


def region_mean(members: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return the mean over members that have a value; NaN unless at least half have one."""
    stack = np.stack(members)
    present = np.isfinite(stack)
    number = present.sum(axis=0)
    total = np.where(present, stack, 0.0).sum(axis=0)
    mean = np.full(stack.shape[1:], np.nan)
    np.divide(total, number, out=mean, where=2 * number >= len(stack))
    return mean


def coarsen(values: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Return the mean of each run of ``factor`` samples along the last axis, over those present.

    NaN where a run is empty. A model's graph does this to its inputs before anything else.
    """
    runs = values.reshape(*values.shape[:-1], -1, factor)
    present = np.isfinite(runs)
    number = present.sum(axis=-1)
    mean = np.full(number.shape, np.nan)
    np.divide(np.where(present, runs, 0.0).sum(axis=-1), number, out=mean, where=number > 0)
    return mean
