"""The load tool: wrk, which costs the machine next to nothing beside the servers it drives."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from contenders import Contender

LUA = Path(__file__).parent / "load.lua"


@dataclass(frozen=True)
class Load:
    """How one run of load went: times in milliseconds, `failed` is all that was no success."""

    connections: int
    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def find_wrk() -> str:
    """Where wrk is.

    Raises:
        RuntimeError: it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise RuntimeError("found no wrk, the load tool; install it: apt-get install wrk")
    return found


def drive(
    contender: Contender, bodies: Path, *, connections: int, seconds: int, first: int = 0
) -> Load:
    """Drive a server for a while, from body `first` on."""
    environment = {"BENCH_METHOD": "POST" if contender.wire else "GET", "BENCH_FIRST": str(first)}
    if contender.wire:
        environment["BENCH_BODIES"] = str(bodies / f"{contender.wire}.bodies")
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    found = subprocess.run(  # noqa: S603 - a command of ours
        [*command, "-s", str(LUA), contender.url],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    try:
        told = json.loads(found.stderr.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(
            f"wrk failed on {contender.name}: {found.stderr}{found.stdout}"
        ) from None
    return Load(connections, **told)
