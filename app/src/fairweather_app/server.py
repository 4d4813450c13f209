"""``fairweather-app serve``: the production server, granian, with one worker process a core.

The parent imports the app, which workers then share, and loads nothing: neither a loaded model nor
a thread survives a fork. Each worker makes its own app (`wsgi`), watches the store and serves.
"""

from __future__ import annotations

import os
import sys
import tempfile

import click

from fairweather_app.config import load_settings
from fairweather_app.errors import AppError

THREADS = 4
"""Threads a worker: enough to answer while others wait for a database; models run one a core."""
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"


@click.group()
@click.version_option(package_name="fairweather-app")
def main() -> None:
    """Run fairweather-app. Its other commands: flask --app fairweather_app --help."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535))
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
    show_default=True,
    type=click.IntRange(1),
    help="Requests that a worker answers at once.",
)
@click.option(
    "--grace",
    default=30,
    show_default=True,
    type=click.IntRange(1),
    help="Seconds that running requests have to finish when the server is asked to stop.",
)
def serve(host: str, port: int, workers: int, threads: int, grace: int) -> None:
    """Serve forecasts until SIGTERM or Ctrl-C; what runs then is finished first.

    Settings are the app's own (FAIRWEATHER_STORE, ...). A worker that dies is started again.

    Example: FAIRWEATHER_STORE=/srv/deliveries fairweather-app serve --host 0.0.0.0
    """
    with tempfile.TemporaryDirectory(prefix="fairweather-metrics-") as folder:
        # prometheus_client decides when it is imported where counters live: not before this
        os.environ.setdefault(MULTIPROCESS, folder)
        _try_out()
        from granian import Granian  # noqa: PLC0415 - only this command needs it
        from granian.constants import Interfaces  # noqa: PLC0415
        from granian.log import LogLevels  # noqa: PLC0415

        Granian(
            "fairweather_app.wsgi:app",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=threads,
            respawn_failed_workers=True,
            workers_kill_timeout=grace,
            websockets=False,
            log_level=LogLevels.warning,
        ).serve()


def _try_out() -> None:
    """Say what is wrong with the settings once, here, and not in every worker for ever."""
    from fairweather_app.app_context import build_app_context  # noqa: PLC0415 - see above

    try:
        build_app_context(load_settings()).observations.close()
    except AppError as error:
        raise click.UsageError(str(error)) from None
