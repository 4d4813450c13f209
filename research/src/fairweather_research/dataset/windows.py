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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fairweather_research.observations.series import Series


class SampledSeries(NamedTuple):
    """A series brought to one sample rate: value i stands for ``start + i * rate / phases``.

    With several phases samples overlap, so that windows may end between whole sample rates.
    """

    start: int  # time of the first sample, seconds since 1970-01-01T00:00Z
    rate: int  # seconds between the samples of a window, and that each is the mean of
    value: npt.NDArray[np.float64]  # NaN where nothing was observed
    phases: int = 1  # samples that begin within one rate

    @property
    def time(self) -> npt.NDArray[np.int64]:
        """The time each sample stands for, seconds since 1970-01-01T00:00Z."""
        every = self.rate // self.phases
        return self.start + every * np.arange(len(self.value), dtype=np.int64)

    def place(self, reference: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the position of the sample of each time."""
        return (reference - self.start) // (self.rate // self.phases)

    def accumulate(self, ufunc: np.ufunc, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Accumulate one number a sample along the samples of every phase, each for itself."""
        padded = np.pad(values, (0, -len(values) % self.phases)).reshape(-1, self.phases)
        return np.asarray(ufunc.accumulate(padded, axis=0).ravel()[: len(values)])

    def present(self, reference: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.int64]:
        """Return how many values there are in the window up to each reference time."""
        last = np.maximum(self.place(reference) + self.phases, 0)
        after = max(int(last.max(initial=0)) + 1 - self.phases - len(self.value), 0)
        present = np.pad(np.isfinite(self.value), (self.phases, after)).astype(np.int64)
        number = self.accumulate(np.add, present)
        return np.asarray(number[last] - number[np.maximum(last - self.phases * samples, 0)])

    def covered(self, reference: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.bool_]:
        """Return the samples that lie in at least one window ending at a reference time."""
        last, length = self.place(reference), self.phases * samples
        # those before the record count as well, and are cut off
        edges = np.zeros(length + len(self.value) + self.phases, dtype=np.int64)
        np.add.at(edges, last + self.phases, 1)
        np.add.at(edges, last + self.phases + length, -1)
        return np.asarray(self.accumulate(np.add, edges)[length : length + len(self.value)] > 0)

    def windows(self, reference: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.float64]:
        """Return the window of ``samples`` values up to each reference time, [times, samples].

        Reference times must be sample times. Samples before the start or after the end are NaN.
        """
        # Views of one padded series: an index of every value would be twice as large as the values.
        length = self.phases * (samples - 1) + 1
        first = self.place(reference) + 1 - length
        low = max(-int(first.min(initial=0)), 0)
        high = max(int(first.max(initial=0)) + length - len(self.value), 0)
        padded = np.pad(self.value, (low, high), constant_values=np.nan)
        views: npt.NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, length)
        return views[:, :: self.phases][first + low]


def sample(series: Series, *, start: int, rate: int, count: int, phases: int = 1) -> SampledSeries:
    """Bring a series to a sample rate.

    Args:
        series: observations at any times; NaN values do not count.
        start: time of the first sample, seconds.
        rate: seconds that a sample is the mean of.
        count: number of samples.
        phases: samples that begin within one rate, which it divides.
    """
    # of the times t between, (t_k - every, t_k] holds what ceil((time - start) / every) sends to k
    every, more = rate // phases, phases - 1
    index = more - (start - series.time) // every
    use = (index >= 0) & (index < count + more) & np.isfinite(series.value)
    index, value = index[use], series.value[use]
    number, total = (
        np.convolve(np.bincount(index, each, count + more), np.ones(phases), "valid")
        for each in (None, value)
    )
    mean = np.full(count, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return SampledSeries(start, rate, mean, phases)


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
