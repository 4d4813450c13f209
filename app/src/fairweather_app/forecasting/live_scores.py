"""Scores: the mean absolute error and the bias of logged forecasts, by lead day.

Laws:

- A score is a pure function of the forecasts that are logged and of the observations there are: it
  changes when an observation arrives or is corrected, and no process has to notice.
- The observed value of a step is computed as a window's sample is: the mean of the observations in
  (t - step, t]. Times without an observation do not count.
- Only a forecast counts of which nothing had been observed when it was made. So asking for the
  past, which the model may have been trained on, improves nothing.
- Bias is forecast minus observed. Lead day 1 is the first 24 hours.
- Only forecasts from the app's own observations count: those of a request may be made up.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np

from fairweather_app.common.lru import LruCache
from fairweather_app.common.times import MICROSECOND, from_microseconds
from fairweather_app.forecasting.forecast_log import ForecastLog, LoggedForecast, to_log
from fairweather_app.models_backend.runtime_model import Predictions, RuntimeModel
from fairweather_app.observations import ObservationStore, WindowCache
from fairweather_app.observations.store import Times, Values
from fairweather_app.observations.windows import Read, sample_means

MOST_PENDING = 10_000
MOST_REMEMBERED = 20_000
MOST_SECONDS_OLD = 60.0
DAY = timedelta(days=1) // MICROSECOND

AreaAndTime = tuple[str, datetime]
"""Area and reference time of a forecast."""


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


class LiveScores:
    """The scores of one app, and the forecasts to be logged. Safe to share between threads."""

    def __init__(self, store: ObservationStore, windows: WindowCache) -> None:
        self.log = ForecastLog(store.database)
        self._store = store
        self._windows = windows
        self._pending: deque[tuple[AreaAndTime, list[LoggedForecast]]] = deque()
        self._dropped: deque[int] = deque()
        self._known: LruCache[tuple[str, str, datetime], bool] = LruCache(MOST_REMEMBERED)
        self._lock = threading.Lock()
        self._all: tuple[float, list[LiveScore]] | None = None

    def add(
        self, model: RuntimeModel, area: str, reference_time: datetime, predictions: Predictions
    ) -> None:
        """Note a forecast, to be logged soon, unless something of its time is observed already."""
        key = (model.delivery_id, area, reference_time)
        if self._known.get(key):
            return
        latest = self._windows.latest(area)
        if latest is not None and latest.replace(microsecond=0) > reference_time:
            return
        self._known.put(key, True)  # noqa: FBT003 - a set that forgets
        self.enqueue((area, reference_time), to_log(model, area, reference_time, predictions))

    def enqueue(self, key: AreaAndTime, forecasts: list[LoggedForecast]) -> None:
        """Let forecasts wait until they are logged; too many are dropped, and counted."""
        if len(self._pending) >= MOST_PENDING:
            self._dropped.append(len(forecasts))
            return
        self._pending.append((key, forecasts))

    def take_pending(self) -> list[tuple[AreaAndTime, list[LoggedForecast]]]:
        """Return all that waits, which then waits no more."""
        return [self._pending.popleft() for _ in range(len(self._pending))]

    def take_dropped(self) -> int:
        """Return how many forecasts were dropped since the last call."""
        return sum(self._dropped.popleft() for _ in range(len(self._dropped)))

    def of(self, delivery_id: str) -> list[LiveScore]:
        """Compute the scores of one delivery; raises `ObservationStoreError`, as `all` does."""
        return score(self.log.read(delivery_id), self._store.series)

    def all(self) -> list[LiveScore]:
        """Return the scores of every delivery, at most `MOST_SECONDS_OLD`."""
        with self._lock:
            if self._all is None or time.monotonic() - self._all[0] > MOST_SECONDS_OLD:
                self._all = (time.monotonic(), score(self.log.read(), self._store.series))
            return self._all[1]


def score(forecasts: Sequence[LoggedForecast], observed: Read) -> list[LiveScore]:
    """Score forecasts, sorted by area and variable, with what was observed."""
    errors: dict[tuple[str, str, str, int], list[Values]] = defaultdict(list)
    for (area, variable), group in groupby(forecasts, key=lambda each: (each.area, each.variable)):
        of_series = list(group)
        first = from_microseconds(min(each.reference_time for each in of_series))
        last = from_microseconds(max(each.until for each in of_series))
        times, values = observed(area, variable, first, last)
        for each in of_series:
            start, end = np.searchsorted(times, [each.reference_time, each.until], side="right")
            for day, error in _errors(each, times[start:end], values[start:end]):
                errors[each.delivery_id, area, variable, day].append(error)
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
        for (delivery_id, area, variable, day), parts in sorted(errors.items())
        for error in [np.concatenate(parts)]
    ]


def _errors(forecast: LoggedForecast, times: Times, values: Values) -> Iterable[tuple[int, Values]]:
    """Yield the errors of one forecast by lead day, where anything was observed."""
    if not len(times):
        return
    predicted = np.frombuffer(forecast.values, dtype="<f4").astype(np.float64)
    observed = sample_means(
        times,
        values,
        reference_time=from_microseconds(forecast.until),
        samples=len(predicted),
        sample_rate=forecast.step * MICROSECOND,
    )
    days = (np.arange(1, len(predicted) + 1) * forecast.step - 1) // DAY + 1
    known = ~np.isnan(observed)
    for day in np.unique(days[known]):
        chosen = known & (days == day)
        yield int(day), predicted[chosen] - observed[chosen]
