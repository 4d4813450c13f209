"""The recorder: a thread that makes and stores the forecasts to be scored.

Of each delivery that answered for the time of the app's clock, it makes the forecast of the whole
hour; the same windows give the same one. A **shadow** (of the settings, or on trial) predicts in
parallel to the deliveries that answer, and all of them every hour, asked for or not.
"""

from __future__ import annotations

import logging
import threading
from multiprocessing.util import Finalize

from fairweather_interface.refusals import Refusal

from fairweather_app.background.trials import TrialRunner, watched_areas
from fairweather_app.errors import AppError, LoadError, ObservationStoreError, ReadOnlyError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecast_log import LoggedForecast, to_log
from fairweather_app.forecasting.live_scores import ForecastKey

RECORDER = "fairweather-recorder"
SECONDS = 2.0
EXIT_SECONDS = 10.0

logger = logging.getLogger(__name__)


def record(app_context: AppContext) -> int:
    """Make and store the waiting forecasts, and those that are compared; return how many.

    While the database fails they go on waiting; where it is read-only they are lost.
    """
    from fairweather_app.api.metrics import RECORDED  # noqa: PLC0415 - see `request_log`

    live, contents = app_context.live, app_context.catalogue.snapshot.contents
    RECORDED.labels("lost").inc(live.take_dropped())
    areas = watched_areas(app_context, contents)
    watched = live.watch(areas, app_context.windows.revision()) if areas else []
    pending = [key for key in live.take_pending() if key not in watched]
    found = [forecast for key in pending for forecast in _forecast(app_context, key)]
    beside = [forecast for key in watched for forecast in _forecast(app_context, key)]
    if not found and not beside:
        return 0
    try:
        live.log.add(found, beside)
    except ReadOnlyError:
        RECORDED.labels("lost").inc(len(found) + len(beside))
        raise
    except ObservationStoreError:
        live.retry(pending)
        raise
    RECORDED.labels("kept").inc(len(found) + len(beside))
    return len(found) + len(beside)


def _forecast(app_context: AppContext, key: ForecastKey) -> list[LoggedForecast]:
    """Return what is to be logged of a forecast; nothing where the delivery makes none."""
    from fairweather_app.api.metrics import SHADOWS  # noqa: PLC0415 - see `request_log`

    name, area, hour = key
    entry = app_context.catalogue.snapshot.entries.get(name)
    if entry is None or not entry.live or area not in entry.areas:
        return []
    try:
        model = app_context.catalogue.model(entry)
    except LoadError as error:
        logger.warning("no forecast of %s for %s is logged: %s", name, area, error)
        return []
    outcome = app_context.forecaster.attempt(model, area, hour, use_cache=True)
    if isinstance(outcome, Refusal):
        logger.info("no forecast of %s for %s is logged: %s", name, area, outcome.reason)
        return []
    on_trial = app_context.catalogue.snapshot.contents.rollout.on_trial(entry.digest, area)
    SHADOWS.inc(on_trial or name in app_context.settings.shadow)
    return to_log(model, area, hour, outcome.predictions)


class Recorder:
    """Records every `SECONDS` on a thread, and for `EXIT_SECONDS` at most as the process ends."""

    def __init__(self, app_context: AppContext, seconds: float = SECONDS) -> None:
        self._app_context = app_context
        self._seconds = seconds
        self._trials = TrialRunner(app_context)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._record, name=RECORDER, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        # not `atexit`: the worker processes of a server end without it
        self._at_exit = Finalize(None, self.stop, args=(EXIT_SECONDS,), exitpriority=10)

    def stop(self, seconds: float | None = None) -> None:
        """Record what waits and end the thread; wait for it, at most so many seconds."""
        self._at_exit.cancel()
        self._stopping.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            logger.warning("forecasts are lost: the database did not take them in %s s", seconds)

    def _record(self) -> None:
        logged = ""
        while True:
            stopping = self._stopping.wait(self._seconds)
            try:
                if record(self._app_context):
                    logged = ""
                self._trials.run()
            except AppError as error:
                if str(error) != logged:
                    lost = isinstance(error, ReadOnlyError)
                    what = "are neither kept nor scored" if lost else "wait to be kept"
                    logger.warning("forecasts %s: %s", what, error)
                logged = str(error)
            except Exception:
                logger.exception("keeping forecasts failed")
            if stopping:
                return
