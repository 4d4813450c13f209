"""Windows kept ready: in memory, and at every moment what a fresh read would give.

Laws:

- `window`, `latest`, `areas` and `knows` give what the database held when they were called, or
  later: before each, whatever has arrived since is looked for. On SQLite that costs microseconds
  while nothing arrives; on PostgreSQL one query.
- What arrived makes stale only the windows that it lies in. Of a series only what is not here yet
  is read, and what something arrived in.
- Rows that others than this app write into the table are noticed within `FORGET_SECONDS`.
- At most `MOST_OBSERVATIONS` and `MOST_SAMPLES` are held, the least recently used leave first.
- The database is read within the time limit; one that fails or hangs is `ObservationStoreError`,
  never an old answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar, cast

from fairweather_app.common.lru import Memo
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import to_microseconds
from fairweather_app.errors import GivenUpError, ObservationStoreError
from fairweather_app.observations.series_cache import SeriesInMemory
from fairweather_app.observations.store import Arrival, ObservationStore
from fairweather_app.observations.windows import Wanted, Window, read_window

MOST_OBSERVATIONS = 2_000_000
MOST_SAMPLES = 5_000_000
FORGET_SECONDS = 300.0
DATABASE = "the observation database"

T = TypeVar("T")


class ReadyWindows:
    """The windows of one observation store. Safe to share between threads."""

    def __init__(
        self,
        store: ObservationStore,
        time_limit: TimeLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._limit = time_limit
        self._clock = clock
        self._lock = threading.RLock()
        self._revision = 0
        self._windows: Memo[Wanted, Window] = Memo(
            MOST_SAMPLES, size=lambda window: window.values.size
        )
        self._facts: dict[tuple[str | None, ...], object] = {}
        self._seen: int | None = None
        self._version: tuple[int, int] | None = None
        self._series = SeriesInMemory(store, MOST_OBSERVATIONS)
        self._forgotten = clock()

    def revision(self) -> int:
        """A number that is another one after anything arrived; the same while nothing did.

        Raises:
            ObservationStoreError: the database cannot be used.
        """
        self._hold()
        try:
            if self._clock() - self._forgotten > FORGET_SECONDS:
                self._forget()
            if self._version is None or not self._store.database.is_quiet():
                version = self._limited(self._store.database.version)  # a file may hang, too
                if version is None or version != self._version:
                    self._catch_up(version)
            return self._revision
        finally:
            self._lock.release()

    def window(self, wanted: Wanted, trace: RequestTrace | None = None) -> Window:
        """Return the window as `read_window` would read it now; count it in the `trace`."""
        trace = trace or RequestTrace()
        self._hold()
        try:
            self.revision()
            found = self._windows.get(wanted)
            if found is not None:
                trace.windows["kept"] += 1
                return found
            made = self._limited(partial(read_window, self._series, wanted))
            made.values.flags.writeable = False  # many answers share it
            self._windows.keep(wanted, made)
            trace.windows["made"] += 1
            return made
        finally:
            self._lock.release()

    def latest(self, area: str | None = None, variable: str | None = None) -> datetime | None:
        """As `ObservationStore.latest`."""
        return self._fact(("latest", area, variable), lambda: self._store.latest(area, variable))

    def areas(self) -> tuple[str, ...]:
        """As `ObservationStore.areas`."""
        return self._fact(("areas",), self._store.areas)

    def knows(self, area: str) -> bool:
        """Whether there is any observation of the area."""
        return area in self.areas()

    def _fact(self, key: tuple[str | None, ...], find: Callable[[], T]) -> T:
        self._hold()
        try:
            self.revision()
            if key not in self._facts:
                self._facts[key] = self._limited(find)
            return cast("T", self._facts[key])
        finally:
            self._lock.release()

    def _catch_up(self, version: tuple[int, int] | None) -> None:
        """Learn what arrived; forget everything where that cannot be known."""
        seen = self._seen
        if version and self._version and version[0] != self._version[0]:
            seen = None  # another file, which counts anew

        def look() -> tuple[Sequence[Arrival] | None, int]:
            arrived = None if seen is None else self._store.arrived_since(seen)
            if arrived is None:
                return None, self._store.newest_arrival()
            return arrived, arrived[-1].id if arrived else seen or 0

        arrived, newest = self._limited(look)
        if arrived is None:
            self._forget()
        for each in arrived or ():
            self._series.arrived(each.area, each.variable, each.first, each.last)
            self._windows.drop(partial(_lies_in, each))
        if arrived:
            self._facts.clear()
            self._revision += 1
        self._seen, self._version = newest, version

    def _forget(self) -> None:
        self._seen = self._version = None
        self._series = SeriesInMemory(self._store, MOST_OBSERVATIONS)
        self._windows.drop()
        self._facts = {}
        self._forgotten = self._clock()
        self._revision += 1

    def _limited(self, work: Callable[[], T]) -> T:
        """Let the database work, on another thread while this one holds the lock."""
        try:
            return self._limit.run(DATABASE, work)
        except GivenUpError as error:
            # what was given up may still be at work on the old one
            self._series = SeriesInMemory(self._store, MOST_OBSERVATIONS)
            raise ObservationStoreError(str(error)) from None

    def _hold(self) -> None:
        """Take the lock; whoever holds it longer than the time limit waits for the database."""
        if not self._lock.acquire(timeout=self._limit.seconds):
            raise ObservationStoreError(f"{DATABASE} did not answer within {self._limit.seconds} s")


def _lies_in(arrival: Arrival, wanted: Wanted) -> bool:
    """Whether what arrived may lie in a window."""
    until = wanted.reference_time
    return (
        wanted.variable == arrival.variable
        and arrival.area in wanted.areas
        and arrival.first <= to_microseconds(until)
        and arrival.last > to_microseconds(until - wanted.period)
    )
