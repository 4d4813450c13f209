"""Scores: the mean absolute error and the bias of logged forecasts, by lead day.

Laws:

- A score is a pure function of the forecasts that are logged and of the observations there are: it
  changes when an observation arrives or is corrected, and no process has to notice.
- The observed value of a step is computed as a window's sample is: the mean of the observations in
  (t - step, t]. Times without an observation do not count.
- Only a forecast counts that starts at the whole hour of the app's clock when it is made, from the
  app's own observations: one an hour, area and delivery, made by the recorder. A request tells only
  that a delivery answers somewhere. So neither asking for the past (which the model may have been
  trained on), nor ahead of the observations (which makes them old), nor very often bends a score.
- Bias is forecast minus observed. Lead day 1 is the first 24 hours.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import numpy as np

from fairweather_app.common.lru import LruCache
from fairweather_app.common.times import MICROSECOND, from_microseconds
from fairweather_app.forecasting.forecast_log import ForecastLog, LoggedForecast
from fairweather_app.observations import ObservationStore
from fairweather_app.observations.store import Times, Values
from fairweather_app.observations.windows import Read

MOST_PENDING = 10_000
MOST_REMEMBERED = 20_000
MOST_SECONDS_OLD = 60.0
DAY = timedelta(days=1) // MICROSECOND


class ForecastKey(NamedTuple):
    """A forecast to be logged: who makes it, where, and the whole hour at which it starts."""

    delivery_id: str
    area: str
    hour: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveScore:
    """The errors of a delivery for one area and variable on one lead day.

    Attributes:
        lead_day: 1 is the first 24 hours.
        count: how many values were compared.
        mae: mean absolute error, in the variable's unit.
        bias: mean of forecast minus observed, in the variable's unit.
    """

    delivery_id: str
    area: str
    variable: str
    lead_day: int
    count: int
    mae: float
    bias: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SeriesErrors:
    """Forecast minus observed, shape (forecasts, steps); NaN where nothing was observed.

    `starts` are the reference times; they and the `step` are in microseconds.
    """

    delivery_id: str
    area: str
    variable: str
    starts: Times
    step: int
    errors: Values


class LiveScores:
    """The scores of one app, and the forecasts to be logged. Safe to share between threads."""

    def __init__(self, store: ObservationStore, clock: Callable[[str], datetime]) -> None:
        self.log = ForecastLog(store.database)
        self._store = store
        self._clock = clock
        self._pending: dict[ForecastKey, None] = {}
        self._known: LruCache[ForecastKey, bool] = LruCache(MOST_REMEMBERED)
        self._watched: object = None
        self._dropped = 0
        self._lock = threading.Lock()
        self._scoring = threading.Lock()
        self._all: tuple[float, list[LiveScore]] | None = None

    def hour(self, area: str) -> datetime:
        """Return the whole hour of the app's clock, at which forecasts for an area start now."""
        return self._clock(area).replace(minute=0, second=0, microsecond=0)

    def note_answer(self, delivery_id: str, area: str, reference_time: datetime) -> None:
        """Note which delivery answered for the time of the app's clock; another time is ignored."""
        hour = self.hour(area)
        if reference_time in {hour, self._clock(area)}:
            self.add(ForecastKey(delivery_id, area, hour))

    def watch(self, areas: Mapping[str, Sequence[str]], revision: int) -> list[ForecastKey]:
        """Return the forecasts of the hour that the deliveries of some areas have to make now.

        Those are all of them whenever the hour or the observations (their `revision`) changed, so
        that what is compared was made of the same observations.
        """
        found = [
            ForecastKey(name, area, hour)
            for area, names in areas.items()
            for hour in [self.hour(area)]
            for name in names
        ]
        if self._watched == (found, revision):
            return []
        self._watched = found, revision
        return found

    def add(self, key: ForecastKey) -> None:
        """Let a forecast be logged, unless it was before; too many that wait are dropped."""
        if self._known.get(key):
            return
        self._known.put(key, True)  # noqa: FBT003 - a set that forgets
        with self._lock:
            if len(self._pending) < MOST_PENDING:
                self._pending[key] = None
            else:
                self._dropped += 1

    def retry(self, keys: Sequence[ForecastKey]) -> None:
        """Let forecasts wait that could not be logged."""
        with self._lock:
            self._pending = {**dict.fromkeys(keys), **self._pending}
            self._watched = None

    def take_pending(self) -> list[ForecastKey]:
        """Return all that wait, which then wait no more."""
        with self._lock:
            taken, self._pending = list(self._pending), {}
            return taken

    def take_dropped(self) -> int:
        """Return how many forecasts were dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def of(self, delivery_id: str) -> list[LiveScore]:
        """Compute the scores of one delivery; raises `ObservationStoreError`, as `all` does."""
        return score(self.log.read(delivery_id), self._store.series)

    def all(self) -> list[LiveScore]:
        """Return the scores of every delivery, at most `MOST_SECONDS_OLD`."""
        with self._scoring:
            if self._all is None or time.monotonic() - self._all[0] > MOST_SECONDS_OLD:
                self._all = (time.monotonic(), score(self.log.read(), self._store.series))
            return self._all[1]


def score(forecasts: Sequence[LoggedForecast], observed: Read) -> list[LiveScore]:
    """Score forecasts, sorted by area and variable, with what was observed."""
    parts: dict[tuple[str, str, str, int], list[Values]] = defaultdict(list)
    for each in find_errors(forecasts, observed):
        days = (np.arange(1, each.errors.shape[1] + 1) * each.step - 1) // DAY + 1
        for day in np.unique(days):
            error = each.errors[:, days == day]
            key = (each.delivery_id, each.area, each.variable, int(day))
            parts[key].append(error[~np.isnan(error)])
    return [
        LiveScore(
            delivery_id=delivery_id,
            area=area,
            variable=variable,
            lead_day=day,
            count=len(error),
            mae=float(np.abs(error).mean()),
            bias=float(error.mean()),
        )
        for (delivery_id, area, variable, day), found in sorted(parts.items())
        for error in [np.concatenate(found)]
        if len(error)
    ]


def find_errors(forecasts: Sequence[LoggedForecast], observed: Read) -> Iterator[SeriesErrors]:
    """Yield the errors of forecasts, sorted by area and variable, by what was observed."""
    for (area, variable), group in groupby(forecasts, key=lambda each: (each.area, each.variable)):
        alike: dict[tuple[str, int, int], list[LoggedForecast]] = defaultdict(list)
        for each in group:
            alike[each.delivery_id, each.step, len(each.values) // 4].append(each)
        rows = [each for found in alike.values() for each in found]
        first = from_microseconds(min(each.reference_time for each in rows))
        last = from_microseconds(max(each.until for each in rows))
        times, values = observed(area, variable, first, last)
        present = ~np.isnan(values)
        times, sums = times[present], np.append(0.0, np.cumsum(values[present]))
        for (delivery_id, step, count), found in alike.items():
            starts = np.array([each.reference_time for each in found])
            edges = starts[:, np.newaxis] + step * np.arange(count + 1)
            places = np.searchsorted(times, edges, side="right")
            counts = np.diff(places)
            means = np.full(counts.shape, np.nan)
            np.divide(np.diff(sums[places]), counts, out=means, where=counts > 0)
            predicted = np.frombuffer(b"".join(each.values for each in found), dtype="<f4")
            yield SeriesErrors(
                delivery_id=delivery_id,
                area=area,
                variable=variable,
                starts=starts,
                step=step,
                errors=predicted.astype(np.float64).reshape(counts.shape) - means,
            )
