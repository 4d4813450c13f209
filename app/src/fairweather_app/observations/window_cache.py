"""In-memory cache of windows, always consistent with the database.

Laws:

- `window`, `latest`, `units` and `areas` return what the database held when they were called, or
  later: each first looks for new arrivals. On SQLite that costs microseconds while nothing arrives;
  on PostgreSQL one query.
- An arrival makes stale only the windows that it lies in, and the series that it belongs to.
- Rows that other programs write into the table are noticed within `FORGET_SECONDS`.
- At most `MOST_BYTES` are kept of windows, and of series; the least recently used leave first.
  A forecast for another time costs 0.4 ms of CPU with series and 1.2 without (two hourly inputs).
- The database is read within the time limit; one that fails or hangs is `ObservationStoreError`,
  never an old answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, cast

from fairweather_interface.variables import VARIABLES

from fairweather_app.common.lru import LruCache
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import to_microseconds
from fairweather_app.errors import GivenUpError, ObservationStoreError
from fairweather_app.observations.store import Arrival, ObservationStore, Times, Values
from fairweather_app.observations.windows import Window, WindowSpec, check_unit, read_window

MOST_BYTES = 40_000_000
BYTES_BESIDE = 1000
"""What a window or a stretch of a series takes beside its values: key, times, objects."""
FORGET_SECONDS = 300.0
DATABASE = "the observation database"

T = TypeVar("T")
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class SeriesCache(LruCache[tuple[str, str], tuple[datetime, datetime, Times, Values]]):
    """Of each series of a store a stretch: after when, until when, its times and its values."""

    def __init__(self, store: ObservationStore) -> None:
        super().__init__(
            MOST_BYTES, size=lambda _, stretch: BYTES_BESIDE + stretch[2].nbytes + stretch[3].nbytes
        )
        self._store = store

    def read(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Return what `ObservationStore.series` does, and some observations around it."""
        found = self.get((area, variable))
        if found is None or after < found[0] or until > found[1]:
            more = min((until - after) / 4, after - _EVER[0], _EVER[1] - until)
            span = (after - more, until + more)
            found = (*span, *self._store.series(area, variable, *span))
            self.put((area, variable), found)
        return found[2:]


class WindowCache:
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
        self._windows: LruCache[WindowSpec, Window] = LruCache(
            MOST_BYTES, size=lambda _, window: BYTES_BESIDE + window.values.nbytes
        )
        self._series = SeriesCache(store)
        self._facts: dict[tuple[str | None, ...], object] = {}
        self._seen: int | None = None
        self._version: tuple[int, int] | None = None
        self._forgotten = clock()

    def revision(self) -> int:
        """Return a number that changes when anything arrives, and only then."""
        with self._locked():
            if self._clock() - self._forgotten > FORGET_SECONDS:
                self._forget()
            if self._version is None or not self._store.database.is_unchanged():
                version = self._limited(self._store.database.version)  # a file may hang, too
                if version is None or version != self._version:
                    self._catch_up(version)
            return self._revision

    def window(self, spec: WindowSpec, trace: RequestTrace | None = None) -> Window:
        """Return the window, as `read_window` would read it now; count it in the `trace`."""
        trace = trace or RequestTrace()
        with self._locked():
            self.revision()
            found = self._windows.get(spec)
            if found is not None:
                trace.windows["kept"] += 1
                return found
            if spec.variable not in VARIABLES:  # the contract's unit is checked where it is read
                check_unit(spec, self._fact(("units",), self._store.units).get(spec.variable))
            made = self._limited(partial(read_window, self._series.read, spec))
            made.values.flags.writeable = False  # many answers share it
            self._windows.put(spec, made)
            trace.windows["made"] += 1
            return made

    def latest(self, area: str | None = None, variable: str | None = None) -> datetime | None:
        """As `ObservationStore.latest`."""
        return self._fact(("latest", area, variable), lambda: self._store.latest(area, variable))

    def units(self) -> dict[str, str]:
        """As `ObservationStore.units`."""
        return self._fact(("units",), self._store.units)

    def areas(self) -> tuple[str, ...]:
        """As `ObservationStore.areas`."""
        return self._fact(("areas",), self._store.areas)

    def _fact(self, key: tuple[str | None, ...], find: Callable[[], T]) -> T:
        with self._locked():
            self.revision()
            if key not in self._facts:
                self._facts[key] = self._limited(find)
            return cast("T", self._facts[key])

    def _catch_up(self, version: tuple[int, int] | None) -> None:
        """Read the arrivals since the last time; forget everything where they are not known."""
        seen = self._seen
        if version and self._version and version[0] != self._version[0]:
            seen = None  # another file, which counts anew

        def read() -> tuple[Sequence[Arrival] | None, int]:
            arrived = None if seen is None else self._store.arrived_since(seen)
            if arrived is None:
                return None, self._store.newest_arrival()
            return arrived, arrived[-1].id if arrived else seen or 0

        arrived, newest = self._limited(read)
        if arrived is None:
            self._forget()
        for each in arrived or ():
            self._windows.drop(partial(_may_change, each))
            self._series.drop((each.area, each.variable).__eq__)
        if arrived:
            self._facts.clear()
            self._revision += 1
        self._seen, self._version = newest, version

    def _forget(self) -> None:
        self._seen = self._version = None
        self._windows.drop()
        self._series = SeriesCache(self._store)
        self._facts = {}
        self._forgotten = self._clock()
        self._revision += 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; a thread that has it longer than the time limit waits for the database."""
        if not self._lock.acquire(timeout=self._limit.seconds):
            raise ObservationStoreError(f"{DATABASE} did not answer within {self._limit.seconds} s")
        try:
            yield
        finally:
            self._lock.release()

    def _limited(self, work: Callable[[], T]) -> T:
        """Run database work on another thread while this one holds the lock."""
        try:
            return self._limit.run(DATABASE, work)
        except GivenUpError as error:
            self._series = SeriesCache(self._store)  # what was given up may still fill the old one
            raise ObservationStoreError(str(error)) from None


def _may_change(arrival: Arrival, spec: WindowSpec) -> bool:
    until = spec.reference_time
    return (
        spec.variable == arrival.variable
        and arrival.area in spec.areas
        and arrival.first <= to_microseconds(until)
        and arrival.last > to_microseconds(until - spec.period)
    )
