"""A small world to look at: deliveries of every state, observations of today, a real server.

What models forecast here is known beforehand: a delivery of the testing kit hands its window on, so
the coming week is the last one once more. Weather is made by a generator with a fixed seed and ends
at the last full hour, so that the forecasts have a tomorrow.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import csv
import math
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fairweather_interface.testing import build_delivery

HOURS = 24 * 21
STALE = timedelta(hours=50)
_PATIENCE = 60.0
_WEEK = 168


def write_world(folder: Path, now: datetime) -> None:
    """Write a store and an archive of observations into an empty folder."""
    store = folder / "store"
    week: dict[str, Any] = {"samples": _WEEK, "max_missing": 0.5}
    both = ("temperature", "humidity")
    texts: dict[str, Any] = {"topic": "The week ahead in New York", "author": "The coast team"}
    build_delivery(
        store,
        areas=("EWR", "JFK"),
        variables=both,
        quantiles=(0.1, 0.9),
        skill=0.31,
        skill_interval=(0.28, 0.34),
        model_type="CoastPredictor",
        **texts,
        **week,
    )
    build_delivery(
        store,
        areas=("JFK",),
        variables=both,
        quantiles=(0.1, 0.9),
        skill=0.12,
        skill_interval=(0.09, 0.15),
        model_type="CoastPredictor",
        topic="The week ahead, first try",
        author="The coast team",
        **week,
    )
    away = [(now.month + k - 1) % 12 + 1 for k in (4, 5, 6)]
    build_delivery(
        store,
        areas=("JFK", "Beit-Shemesh"),
        model_type="SeasonPredictor",
        topic="One season",
        author="The other team",
        valid_months=sorted(away),
        **week,
    )

    def invented(document: dict[str, Any]) -> None:
        document["training"]["synthetic"] = True

    build_delivery(
        store,
        areas=("Jerusalem",),
        model_type="TrialPredictor",
        topic="A trial on simulated weather",
        author="The other team",
        change=invented,
        **week,
    )
    build_delivery(store, areas=("JFK",), model=b"no model at all", topic="Damaged on its way")
    build_delivery(
        store,
        areas=("JFK",),
        change=lambda document: document.update(schema_version="99.0", min_reader="99.0"),
    )
    _write_observations(folder / "observations.csv", now)


def _write_observations(path: Path, now: datetime) -> None:
    """Write three weeks of hourly weather; those of EWR ended two days ago."""
    chance = random.Random(7)  # noqa: S311 - weather, not a secret
    last = now.replace(minute=0, second=0, microsecond=0)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("area", "time", "variable", "unit", "value"))
        for area, until in (("JFK", last), ("EWR", last - STALE), ("LGA", last),
                            ("Jerusalem", last)):  # fmt: skip
            drift = 0.0
            for k in range(HOURS):
                when = until - timedelta(hours=HOURS - 1 - k)
                drift = 0.98 * drift + chance.gauss(0, 0.45)
                sun = math.sin(2 * math.pi * ((when.hour - 5) % 24 - 9) / 24)
                front = 4 * math.sin(2 * math.pi * k / (24 * 5.5))
                temperature = 5 + 3.2 * sun + front + drift
                humidity = min(97.0, max(25.0, 64 - 11 * sun - 2 * front - 2 * drift))
                for name, unit, value in (
                    ("temperature", "degC", temperature),
                    ("humidity", "%", humidity),
                ):
                    rows.writerow((area, when.isoformat(), name, unit, f"{value:.1f}"))


def environment(folder: Path, store: Path) -> dict[str, str]:
    """Return the settings of an app that keeps everything but its store in a folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FAIRWEATHER_")}
    return kept | {
        "FAIRWEATHER_STORE": str(store),
        "FAIRWEATHER_OBSERVATIONS": f"sqlite:///{folder / 'observations.sqlite'}",
        "FAIRWEATHER_CACHE": str(folder / "cache"),
        "FAIRWEATHER_LOG_REQUESTS": "false",
    }


@contextmanager
def serving(folder: Path, *, store: Path, archive: Path, **more: str) -> Iterator[str]:
    """Import an archive, start the production server, give its address, and end it on leaving.

    Database, cache and log are kept in `folder`; `more` are settings by name.

    Raises:
        RuntimeError: the server was not ready in time; the message ends with its log.
    """
    settings = environment(folder, store)
    settings |= {f"FAIRWEATHER_{name.upper()}": value for name, value in more.items()}
    flask = [sys.executable, "-m", "flask", "--app", "fairweather_app"]
    subprocess.run(  # noqa: S603 - arguments of our own
        [*flask, "observations", "import", str(archive)],
        env=settings,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = folder / "server.log"
    command = Path(sys.executable).with_name("fairweather-app")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - arguments of our own
            [str(command), "serve", "--port", str(port), "--workers", "1"],
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _ready(address):
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"the app is not ready:\n{text}")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except OSError:  # refused, reset, or too slow
        return False


def present() -> datetime:
    """Return the real time, in UTC."""
    return datetime.now(UTC)
