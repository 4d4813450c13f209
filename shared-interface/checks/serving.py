"""A running app, started as people start it and asked over HTTP."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT = 60.0
_IN_TEST = re.compile("being tested|waits for its test|testing it")
"""What a listing says of a delivery whose model is still tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """An app that listens.

    Attributes:
        address: where, such as ``http://127.0.0.1:5000``.
        process: the one process that serves.
    """

    address: str
    process: subprocess.Popen[bytes]

    def get(self, path: str, **query: str) -> tuple[int, Any]:
        """Return status and JSON of a GET request."""
        url = f"{self.address}{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        return self.open(url)

    def open(self, request: str | urllib.request.Request) -> tuple[int, Any]:
        """Return status and JSON of any request."""
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - loopback
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def settings(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of an app whose store and observations lie in ``folder``."""
    return {
        **os.environ,
        "FAIRWEATHER_STORE": str(folder / "store"),
        "FAIRWEATHER_OBSERVATIONS": f"sqlite:///{folder / 'observations.sqlite'}",
        "FAIRWEATHER_CACHE": str(folder / "cache"),
        "FAIRWEATHER_RELOAD_SECONDS": "1",
        **more,
    }


def command(*arguments: str) -> list[str]:
    """Return the command line of one of the app's commands."""
    return [sys.executable, "-m", "flask", "--app", "fairweather_app", *arguments]


def free_port(wanted: int) -> int:
    """Return ``wanted`` where nothing listens on it yet, else a free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("found no free port on 127.0.0.1")


@contextmanager
def running(
    environment: dict[str, str],
    log: Path,
    *,
    deliveries: int = 1,
    port: int = 0,
    folder: Path | None = None,
) -> Iterator[App]:
    """Start the development server, wait until it has looked at its store, and end it on leaving.

    A slow look publishes its first deliveries before it has seen the last: the app counts as ready
    once one is live and it lists ``deliveries`` of them. Relative paths in the environment start
    from ``folder``; the working directory when absent.

    Raises:
        RuntimeError: the server ended or was not ready in time; the message ends with its log.
    """
    chosen = free_port(port)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - arguments of our own
            command("run", "--port", str(chosen)),
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    app = App(address=f"http://127.0.0.1:{chosen}", process=process)
    try:
        deadline = time.monotonic() + _TIMEOUT
        while not _ready(app, deliveries):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app is not ready:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield app
    finally:
        process.terminate()
        process.wait(timeout=_TIMEOUT)


def _ready(app: App, deliveries: int) -> bool:
    try:
        if app.get("/readyz")[0] != 200:  # noqa: PLR2004 - HTTP
            return False
        models = app.get("/models")[1]["models"]
        waiting = [each for each in models if _IN_TEST.search(str(each.get("reason")))]
        return len(models) >= deliveries and not waiting
    except (urllib.error.URLError, ConnectionError, json.JSONDecodeError):
        return False
