"""The poller: two threads that keep the catalogue up to date while the app serves.

One scans the store, the other follows withdrawals and pins, which do not wait for the store.

`create_app` starts no thread; serving does, in one of two ways:

- ``flask --app fairweather_app run`` starts it, in the process that answers requests. No other
  ``flask`` command does.
- A WSGI server, such as ``fairweather-app serve``, imports ``fairweather_app.wsgi:app``, which
  calls `start_polling`.
"""

from __future__ import annotations

import logging
import threading

import click
from flask import Flask
from flask.cli import run_command
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from fairweather_app.background.preload import BEFORE_READY_SECONDS, preload
from fairweather_app.background.recorder import RECORDER, Recorder
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.pins import report_pins
from fairweather_app.models_backend.acceptance_process import end_idle

POLLER = "fairweather-poller"
FOLLOWER = "fairweather-follower"
PRELOADER = "fairweather-preloader"

LATE_SECONDS = 60.0
PATIENCE_SECONDS = 1.0
"""A scan waits so long for the test of one delivery; the next one takes its result."""
LATE_PERIODS = 3
"""A store that was not scanned for so long, and so many reload periods, is a problem."""

logger = logging.getLogger(__name__)


class Poller:
    """Refreshes a catalogue again and again, on threads; preloads models after the first time."""

    def __init__(self, app_context: AppContext) -> None:
        self._context = app_context
        self._stopping = threading.Event()
        self._refreshed = threading.Event()
        self._reporting = threading.Lock()
        self._reported = app_context.catalogue.snapshot
        self._unmatched: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._poll, name=POLLER, daemon=True)
        self._follower = threading.Thread(target=self._follow, name=FOLLOWER, daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()
        self._follower.start()

    def wait_for_first_refresh(self, seconds: float) -> bool:
        """Wait for the first refresh, at most so many `seconds`; return whether it has ended."""
        return self._refreshed.wait(seconds)

    def stop(self) -> None:
        """End the threads and wait until they have ended."""
        self._stopping.set()
        self._thread.join()
        self._follower.join()

    def _poll(self) -> None:
        from fairweather_app.api.metrics import count_look  # noqa: PLC0415 - see `request_log`

        catalogue = self._context.catalogue
        while not self._stopping.is_set():
            try:
                before = catalogue.snapshot
                count_look(before, catalogue.refresh(PATIENCE_SECONDS))
                self._report()
                end_idle()
            except Exception:
                logger.exception("scanning the store failed; it is tried again")
            pending = catalogue.refresher.pending
            if not self._refreshed.is_set() and (catalogue.snapshot.live or not pending):
                preloading = threading.Thread(target=self._preload, name=PRELOADER, daemon=True)
                preloading.start()
                preloading.join(BEFORE_READY_SECONDS)
                self._refreshed.set()
            seconds = self._context.settings.reload_seconds
            self._stopping.wait(min(seconds, PATIENCE_SECONDS) if pending else seconds)

    def _follow(self) -> None:
        """Follow decisions twice in each period, so that one holds within it."""
        period = self._context.settings.reload_seconds
        while not self._stopping.wait(period / 2):
            try:
                self._context.catalogue.follow_decisions(max(LATE_SECONDS, LATE_PERIODS * period))
                self._report()
            except Exception:
                logger.exception("following withdrawals and pins failed; it is tried again")

    def _report(self) -> None:
        with self._reporting:
            before, after = self._reported, self._context.catalogue.snapshot
            self._reported = after
            report_changes(before, after)
            report_pins(self._context.selectors.rules, before.contents, after.contents)
            if after.checked_at is not None and after.problem is None:
                unmatched = self._context.unmatched_settings(after.contents)
                for sentence in sorted(unmatched - self._unmatched):
                    logger.warning("%s", sentence)
                self._unmatched = unmatched

    def _preload(self) -> None:
        try:
            preload(self._context, self._stopping.is_set)
        except Exception:
            logger.exception("preloading failed; models are loaded when they are requested")


def start_polling(app: Flask) -> Poller:
    """Keep the app's catalogue up to date in this process; a second call changes nothing."""
    running = app.extensions.get(POLLER)
    if isinstance(running, Poller) and running.running:
        return running
    app_context: AppContext = app.extensions["fairweather"]
    poller = app.extensions[POLLER] = Poller(app_context)
    poller.start()
    recorder = app.extensions[RECORDER] = Recorder(app_context)
    recorder.start()
    return poller


def serves_here() -> bool:
    """Return whether this process answers the requests of ``flask run``, with a reloader or not."""
    context = click.get_current_context(silent=True)
    if context is None or context.command is not run_command:
        return False
    reloads = context.params.get("reload")
    if reloads is None:
        reloads = get_debug_flag()
    return not reloads or is_running_from_reloader()


def report_changes(before: Snapshot, after: Snapshot) -> None:
    """Log what changed from one snapshot to the next."""
    if after.problem is not None and after.problem != before.problem:
        logger.error("%s", after.problem)
    if after.problem is None and before.problem is not None:
        logger.info("the store can be read again")
    if before.contents is after.contents:
        return
    for name, entry in after.entries.items():
        known = before.entries.get(name)
        if known is not None and (known.summary, known.digest) == (entry.summary, entry.digest):
            continue
        if entry.live:
            again = "" if known is None or known.live else " again"
            logger.info("delivery %s is live%s", name, again)
        else:
            logger.warning("delivery %s is %s", name, entry.summary)
    for name in before.entries.keys() - after.entries.keys():
        logger.info("delivery %s was removed from the store", name)
