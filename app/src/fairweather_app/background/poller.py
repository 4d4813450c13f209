"""Serving: the poller, which looks at the store while the app serves.

`create_app` starts no thread; serving does, in one of two ways:

- ``flask --app fairweather_app run`` starts it, in the process that answers requests. No other
  ``flask`` command does.
- A WSGI server (``fairweather-app serve`` is one) is given ``fairweather_app.wsgi:app``, which
  calls `start_polling`. It has to be imported in each worker: do not preload, for neither
  threads nor loaded models survive a fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

import click
from flask import Flask
from flask.cli import run_command
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from fairweather_app.background.preload import BEFORE_READY_SECONDS, preload
from fairweather_app.background.recorder import RECORDER, Recorder
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.snapshot import Contents, Snapshot
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.pins import report_pins

POLLER = "fairweather-poller"

PRELOADER = "fairweather-preloader"

logger = logging.getLogger(__name__)


class Poller:
    """Refreshes a catalogue at once and then every `seconds`, on a thread of its own, and logs.

    `report` is called with the contents before and after each look. After the first one `preload`
    runs, on another thread that is told when to stop.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        seconds: float,
        preload: Callable[[Callable[[], bool]], object] = lambda _stopping: None,
        report: Callable[[Contents, Contents], object] = lambda _before, _after: None,
    ) -> None:
        self._catalogue = catalogue
        self._seconds = seconds
        self._preload = preload
        self._report = report
        self._stopping = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._poll, name=POLLER, daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait_for_first_look(self, seconds: float) -> bool:
        """Wait until the store was looked at once, but not longer than `seconds`; whether it was.

        Preloading has ended then, or had its time, and goes on beside. A worker process that takes
        requests before it knows of a model would answer not-ready beside others that could serve.
        """
        return self._looked.wait(seconds)

    def stop(self) -> None:
        """End the thread and wait until it has ended."""
        self._stopping.set()
        self._thread.join()

    def _poll(self) -> None:
        from fairweather_app.api.metrics import count_look  # noqa: PLC0415 - see `accounting`

        while not self._stopping.is_set():
            try:
                before = self._catalogue.snapshot
                after = self._catalogue.refresh()
                count_look(before, after)
                report_changes(before, after)
                self._report(before.contents, after.contents)
            except Exception:
                logger.exception("looking at the store failed; it is tried again")
            if not self._looked.is_set():
                self._prepare()
                self._looked.set()
            self._stopping.wait(self._seconds)

    def _prepare(self) -> None:
        def run() -> None:
            try:
                self._preload(self._stopping.is_set)
            except Exception:
                logger.exception("preloading failed; models are loaded when they are asked for")

        preloading = threading.Thread(target=run, name=PRELOADER, daemon=True)
        preloading.start()
        preloading.join(BEFORE_READY_SECONDS)


def start_polling(app: Flask) -> Poller:
    """Keep the app's catalogue up to date from now on, in this process; calling twice is once."""
    running = app.extensions.get(POLLER)
    if isinstance(running, Poller) and running.running:
        return running
    app_context: AppContext = app.extensions["fairweather"]
    poller = Poller(
        app_context.catalogue,
        app_context.settings.reload_seconds,
        partial(preload, app_context),
        partial(report_pins, app_context.selectors.rules),
    )
    app.extensions[POLLER] = poller
    poller.start()
    recorder = app.extensions[RECORDER] = Recorder(app_context)
    recorder.start()
    return poller


def serves_here() -> bool:
    """Whether this is the process of ``flask run`` that answers requests.

    With the reloader of the debug mode ``flask run`` is two processes; only the inner one serves.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.command is not run_command:
        return False
    reloads = context.params.get("reload")
    if reloads is None:
        reloads = get_debug_flag()
    return not reloads or is_running_from_reloader()


def report_changes(before: Snapshot, after: Snapshot) -> None:
    """Log what changed from one snapshot to the next, for those who do not read the snapshot."""
    if after.problem is not None and after.problem != before.problem:
        logger.error("%s", after.problem)
    if after.problem is None and before.problem is not None:
        logger.info("the store can be read again")
    if before.contents is after.contents:
        return
    for name, entry in after.entries.items():
        if before.entries.get(name) is entry:
            continue
        known = before.entries.get(name)
        if entry.live:
            again = "" if known is None or known.live else " again"
            logger.info("delivery %s is live%s", name, again)
        else:
            logger.warning("delivery %s is %s", name, entry.told)
    for name in before.entries.keys() - after.entries.keys():
        logger.info("delivery %s was removed from the store", name)
