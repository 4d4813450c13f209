"""The app under test: ``fairweather-app serve`` and its other commands, each a process."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

PATIENCE = 60.0
SERVE = (sys.executable, "-c", "from fairweather_app.server import main; main()", "serve")
FLASK = (sys.executable, "-m", "flask", "--app", "fairweather_app")


@dataclass
class Served:
    """One server over `folder`; `environment` are the app's settings."""

    folder: Path
    environment: dict[str, str]
    workers: int
    port: int
    process: subprocess.Popen[bytes] | None = None
    exits: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it does not, or ends.
        """
        log = self.folder / "server.log"
        with log.open("ab") as file:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*SERVE, "--port", str(self.port), "--workers", str(self.workers)],
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env=os.environ | self.environment,
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: see {log}")
            with suppress(OSError, http.client.HTTPException):
                if self.get("/healthz")[0] == http.HTTPStatus.OK:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the server did not answer within {PATIENCE:g} s: see {log}")

    def stop(self) -> int:
        """Ask it to stop as an operator does, and wait; its exit code."""
        assert self.process is not None  # noqa: S101 - start() comes first
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.exits.append(self.process.wait(PATIENCE))
        return self.exits[-1]

    def kill(self) -> None:
        """End it and its workers at once, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for each in children:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self.process.wait(PATIENCE)

    def worker_pids(self) -> list[int]:
        """The processes that answer requests."""
        assert self.process is not None  # noqa: S101 - start() comes first
        with suppress(psutil.NoSuchProcess):
            return [
                each.pid
                for each in psutil.Process(self.process.pid).children()
                if "resource_tracker" not in " ".join(each.cmdline())
            ]
        return []

    def memory(self) -> float:
        """PSS of all its processes, in MB: shared pages count once."""
        assert self.process is not None  # noqa: S101 - start() comes first
        total = 0
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            for each in [parent, *parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    total += each.memory_full_info().pss
        return total / 1e6

    def get(self, address: str) -> tuple[int, bytes]:
        """Ask once over a connection of its own: status and content.

        Raises:
            OSError: nobody answers.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", address)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def models(self) -> dict[str, tuple[str, str | None]]:
        """What one worker says of every delivery: state and code.

        Raises:
            OSError: nobody answers.
        """
        status, content = self.get("/models")
        if status != http.HTTPStatus.OK:
            raise OSError(f"/models answers {status}")
        found: list[dict[str, Any]] = json.loads(content)["models"]
        return {each["delivery_id"]: (each["state"], each.get("code")) for each in found}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the app's other commands, as an operator does."""
        return subprocess.run(  # noqa: S603 - our own command
            [*FLASK, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=os.environ | self.environment,
            timeout=120,
        )


class Memory(threading.Thread):
    """Samples the memory of the server until it is told to stop."""

    def __init__(self, served: Served, stopping: threading.Event, seconds: float = 2.0) -> None:
        super().__init__(name="soak-memory", daemon=True)
        self._served = served
        self._stopping = stopping
        self._seconds = seconds
        self.samples: list[tuple[float, float]] = []

    def run(self) -> None:
        """Sample while a server is there."""
        began = time.monotonic()
        while not self._stopping.wait(self._seconds):
            if len(self._served.worker_pids()) == self._served.workers:
                self.samples.append((time.monotonic() - began, self._served.memory()))


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port
