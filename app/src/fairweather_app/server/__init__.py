"""``fairweather-app serve``: the production server, granian, with one worker process a core.

The parent imports the app, which workers then share, and loads nothing: neither a loaded model nor
a thread survives a fork. Each worker makes its own app (`wsgi`), polls the store and serves.

Stopping loses no request. On SIGTERM the workers first drain: ``/readyz`` answers 503, so that load
balancers send no more, and every answer has ``Connection: close``, so that clients do not reuse a
connection that is about to end. Then the workers finish the running requests, and end. So they do
when the parent has died, whatever killed it.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from flask import Flask, request

from fairweather_app.common.private_files import check_private
from fairweather_app.errors import AppError, NotReadyError
from fairweather_app.settings import load_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 4
"""Threads a worker: some can answer while others wait for a database; models run one a core."""
STDERR = 2
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

ORPHAN_SECONDS = 10
"""A worker whose parent has died has so long to finish its requests."""

_draining = mmap.mmap(-1, 1)
"""Not 0 when the server is about to stop: set by the parent, memory of the workers it forks too."""
_turns = mmap.mmap(-1, 4)
"""How many requests a worker answers at once: likewise, as a number of four bytes."""


@click.group()
@click.version_option(package_name="fairweather-app")
def main() -> None:
    """Run fairweather-app. Its other commands: flask --app fairweather_app --help."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass  # what was closed before the start: a socket in its place would be written to
    os.close(number)
    sys.stderr = sys.stderr or os.fdopen(STDERR, "w")


@main.command(context_settings={"show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8000, type=click.IntRange(1, 65_535), help="Port to listen on.")
@click.option(
    "--workers",
    default=lambda: len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
    show_default="one a core",
    type=click.IntRange(1),
    help="Worker processes; each holds the live models.",
)
@click.option(
    "--threads",
    default=THREADS,
    type=click.IntRange(1),
    help="Requests that a worker answers at once.",
)
@click.option(
    "--drain",
    default=1.0,
    type=click.FloatRange(0),
    help="Seconds between being asked to stop and taking no more requests.",
)
@click.option(
    "--grace",
    default=30,
    type=click.IntRange(1),
    help="Seconds that running requests have after that to finish.",
)
@click.option(
    "--shadow",
    "shadows",
    multiple=True,
    metavar="ID",
    help="A delivery that predicts beside the one that answers, and is scored; may be repeated.",
)
def serve(
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    drain: float,
    grace: int,
    shadows: tuple[str, ...],
) -> None:
    """Run the production server.

    On SIGTERM or Ctrl-C running requests are finished first. Settings are the app's own
    (FAIRWEATHER_STORE, ...). A worker that dies is started again.

    Example: FAIRWEATHER_STORE=/srv/deliveries fairweather-app serve --host 0.0.0.0
    """
    given = os.environ.get(MULTIPROCESS)
    try:  # inside the given one it shows whether that can be written
        if given:
            check_private(Path(given))
        made = tempfile.TemporaryDirectory(prefix="fairweather-metrics-", dir=given or None)
    except OSError as error:
        name = f"{MULTIPROCESS} is {given!r}" if given else "TMPDIR"
        raise click.UsageError(
            f"{name}: expected a folder in which counters can be written "
            f"({error.strerror or error})"
        ) from None
    with made as folder, _take_port(host, port) as held:
        # prometheus_client decides when it is imported where counters live: not before this
        os.environ[MULTIPROCESS] = given or folder
        _turns[:] = threads.to_bytes(4, "big")
        if shadows:
            os.environ["FAIRWEATHER_SHADOW"] = ",".join(shadows)
        # wrong settings are reported once, here, and not in every worker for ever
        from fairweather_app.forecasting.context import build_app_context  # noqa: PLC0415 - likewise

        try:
            build_app_context(load_settings()).observations.close()
        except AppError as error:
            raise click.UsageError(str(error)) from None
        from granian import Granian  # noqa: PLC0415 - only this command needs it
        from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415
        from granian.log import LogLevels, logger  # noqa: PLC0415

        from fairweather_app.server.admission import CONNECTIONS  # noqa: PLC0415

        # so many threads are meant: see `admission`
        logger.addFilter(lambda record: "Python threads" not in record.getMessage())
        server = Granian(
            f"{__name__}:app_of_worker",
            factory=True,
            address=held.getsockname()[0],
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            workers=workers,
            backpressure=CONNECTIONS,
            blocking_threads=CONNECTIONS,
            respawn_failed_workers=True,
            workers_kill_timeout=grace,
            websockets=False,
            log_level=LogLevels.warning,
        )
        stop = server.signal_handler_interrupt

        def drain_first(_signal: int, _frame: FrameType | None) -> None:
            # granian's handler takes a lock that the thread it interrupts may hold: from another
            # thread it cannot wait for itself
            if not _draining[0]:
                _draining[0] = 1
                threading.Timer(drain, stop).start()

        server.signal_handler_interrupt = drain_first  # type: ignore[method-assign]
        server.serve()


def _take_port(host: str, port: int) -> socket.socket:
    """Take a port for the workers of this server alone; a name stands for its IPv4 address first.

    Workers listen on one port side by side, and the kernel would let those of another server join.
    So the parent takes it first, as one that shares with nobody, and admits its workers after that.
    """
    try:
        name = host.strip("[]").partition("%")[0]  # granian takes no zone of IPv6
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda each: each[0])
        with socket.socket(family) as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections may still end
            held.bind(address)
            held.listen()  # of two that were bound in the same moment only one succeeds
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.shutdown(socket.SHUT_RDWR)  # still bound, listening no more
            return held.dup()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise click.UsageError(
            f"cannot listen on {host!r}, port {port}: {why}; choose another --host or --port"
        ) from None


def _end_with_parent(parent: int) -> None:
    """Wait until a worker's parent has died, then end the worker: first gently, then by force."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def app_of_worker() -> Flask:
    """Make the app of one worker, in that worker.

    Until it serves, a signal ends it at once; the handlers inherited from the parent would not.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    os.umask(0o077)  # what a worker writes, its counters too, is for no other user
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with_parent, args=(parent.pid,), daemon=True).start()
    from fairweather_app.server.admission import Admission  # noqa: PLC0415 - see `serve`
    from fairweather_app.wsgi import app  # noqa: PLC0415 - scans the store

    @app.before_request
    def _refuse_while_draining() -> None:
        if _draining[0] and request.path == "/readyz":
            raise NotReadyError("the server is about to stop")

    inner: WSGIApplication = app.wsgi_app

    def close_while_draining(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        def start_too(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:  # noqa: ANN401 - as WSGI has it
            last = [("Connection", "close")] if _draining[0] else []
            return start(status, [*headers, *last], *rest)

        return inner(environ, start_too)

    limit = app.config["MAX_CONTENT_LENGTH"]
    admission: Any = Admission(
        close_while_draining, turns=int.from_bytes(_turns[:], "big"), body_limit=limit
    )
    app.wsgi_app = admission  # type: ignore[method-assign]
    return app
