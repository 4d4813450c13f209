"""In-memory cache of series: of each, one stretch of observations, kept up to date."""

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
"""A stretch that is so many times longer than the requested one is cut to that."""


class Stretch:
    """The observations of one series in (after, until].

    `slice` returns exactly what `read` would; it reads only what is missing here, and again where
    new observations have arrived.
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
        """Mark [first, last] as written: it is read again on demand."""
        if self._stale is not None:
            first, last = min(first, self._stale[0]), max(last, self._stale[1])
        self._stale = (first, last)

    def slice(self, after: int, until: int) -> tuple[Times, Values]:
        """Return times and values in (after, until]. Not to be changed."""
        if after > self._until or until < self._after or self._after == self._until:
            self._times, self._values = self._read(after, until)
            self._after, self._until, self._stale = after, until, None
        if self._stale is not None:
            first, last = max(self._stale[0] - 1, self._after), min(self._stale[1], self._until)
            if first < last:
                self._splice(first, last)
            self._stale = None
        if after < self._after:
            self._splice(after, self._after)
        if until > self._until:
            self._splice(self._until, until)
        start, end = np.searchsorted(self._times, [after, until], side="right")
        if self._until - self._after > LONGEST_STRETCH * (until - after):
            self._times = self._times[start:end].copy()
            self._values = self._values[start:end].copy()
            self._after, self._until = after, until
            return self._times, self._values
        return self._times[start:end], self._values[start:end]

    def _splice(self, after: int, until: int) -> None:
        """Read (after, until] and put it in the place of what is here of it."""
        times, values = self._read(after, until)
        start, end = np.searchsorted(self._times, [after, until], side="right")
        self._times = np.concatenate([self._times[:start], times, self._times[end:]])
        self._values = np.concatenate([self._values[:start], values, self._values[end:]])
        self._after, self._until = min(after, self._after), max(until, self._until)


class SeriesCache:
    """Stretches of many series of `origin`, at most `capacity` observations; is `Observations` too.

    Not safe to use from several threads at once.
    """

    def __init__(self, origin: Observations, capacity: int) -> None:
        self._origin = origin
        self._kept: LruCache[Key, Stretch] = LruCache(capacity, size=lambda series: len(series) + 1)

    def series(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Return times (microseconds) and values of the observations in (after, until]."""
        key = (area, variable)
        stretch = self._kept.get(key) or Stretch(partial(self._read, *key))
        found = stretch.slice(to_microseconds(after), to_microseconds(until))
        self._kept.put(key, stretch)  # it may have grown
        return found

    def arrived(self, area: str, variable: str, first: int, last: int) -> None:
        """Mark [first, last] of a series as written."""
        stretch = self._kept.get((area, variable))
        if stretch is not None:
            stretch.arrived(first, last)

    def _read(self, area: str, variable: str, after: int, until: int) -> tuple[Times, Values]:
        return self._origin.series(
            area, variable, from_microseconds(after), from_microseconds(until)
        )
