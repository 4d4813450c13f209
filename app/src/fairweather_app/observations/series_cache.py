"""A series in memory: a stretch of the observations of one area and variable, kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

import numpy as np

from fairweather_app.common.lru import LruCache
from fairweather_app.common.times import from_microseconds, to_microseconds
from fairweather_app.observations.series import Key, Times, Values
from fairweather_app.observations.windows import Observations

Read = Callable[[int, int], tuple[Times, Values]]
"""Reads the observations in (after, until], in microseconds, oldest first."""

LONGEST_STRETCH = 3
"""A stretch that has grown longer than so many times what is asked for is cut to that."""


class Series:
    """The observations in (after, until], as they were read, and what has arrived since.

    `slice` gives exactly what `read` would: it reads what is not here yet, and once more what
    something has arrived in.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._after = self._until = 0
        self._times: Times = np.empty(0, dtype=np.int64)
        self._values: Values = np.empty(0, dtype=np.float64)
        self._stale: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._times)

    def __bool__(self) -> bool:
        return True

    def arrived(self, first: int, last: int) -> None:
        """Something was written in [first, last]: what is here of it is read again when asked."""
        if self._stale is not None:
            first, last = min(first, self._stale[0]), max(last, self._stale[1])
        self._stale = (first, last)

    def slice(self, after: int, until: int) -> tuple[Times, Values]:
        """Times and values in (after, until]. Not to be changed."""
        if after > self._until or until < self._after or self._after == self._until:
            self._replace(after, until)
        else:
            self._refresh()
            if after < self._after:
                self._splice(after, self._after)
            if until > self._until:
                self._splice(self._until, until)
            if self._until - self._after > LONGEST_STRETCH * (until - after):
                self._cut(after, until)
        start, end = np.searchsorted(self._times, [after, until], side="right")
        return self._times[start:end], self._values[start:end]

    def _refresh(self) -> None:
        """Read again what something has arrived in, as far as it lies in the stretch."""
        if self._stale is not None:
            first, last = self._stale
            after, until = max(first - 1, self._after), min(last, self._until)
            if after < until:
                self._splice(after, until)
            self._stale = None

    def _replace(self, after: int, until: int) -> None:
        self._times, self._values = self._read(after, until)
        self._after, self._until, self._stale = after, until, None

    def _splice(self, after: int, until: int) -> None:
        """Put what is read of (after, until] in the place of what is here of it."""
        times, values = self._read(after, until)
        start, end = np.searchsorted(self._times, [after, until], side="right")
        self._times = np.concatenate([self._times[:start], times, self._times[end:]])
        self._values = np.concatenate([self._values[:start], values, self._values[end:]])
        self._after, self._until = min(after, self._after), max(until, self._until)

    def _cut(self, after: int, until: int) -> None:
        start, end = np.searchsorted(self._times, [after, until], side="right")
        self._times, self._values = self._times[start:end].copy(), self._values[start:end].copy()
        self._after, self._until = after, until


class SeriesInMemory:
    """Stretches of many series of `origin`, at most `most` observations; is `Observations` itself.

    Not safe to use from several threads at once.
    """

    def __init__(self, origin: Observations, most: int) -> None:
        self._origin = origin
        self._kept: LruCache[Key, Series] = LruCache(most, size=lambda series: len(series) + 1)

    def series(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Times (microseconds) and values of the observations in (after, until]."""
        key = (area, variable)
        series = self._kept.get(key) or Series(partial(self._read, *key))
        found = series.slice(to_microseconds(after), to_microseconds(until))
        self._kept.put(key, series)  # it may have grown
        return found

    def arrived(self, area: str, variable: str, first: int, last: int) -> None:
        """Something of a series was written in [first, last]."""
        series = self._kept.get((area, variable))
        if series is not None:
            series.arrived(first, last)

    def _read(self, area: str, variable: str, after: int, until: int) -> tuple[Times, Values]:
        return self._origin.series(
            area, variable, from_microseconds(after), from_microseconds(until)
        )
