"""No process of the app calls home, whichever of its modules is imported first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SEEN = """
import json, os, sys, threading, time

told = []

def listen(event, arguments):
    if event == "import" and arguments[0] == "onnxruntime":
        told.append(("imported with", os.environ.get("ORT_DISABLE_TELEMETRY")))
    elif event.startswith("socket.") and event not in {"socket.__new__", "socket.gethostname"}:
        told.append((event, repr(arguments)))

sys.addaudithook(listen)
import numpy
def foreign():
    return len(os.listdir("/proc/self/task")) - threading.active_count()

threads = foreign()
import %s
import onnxruntime
until = time.monotonic() + 10
while (more := foreign() - threads) > 0 and time.monotonic() < until:
    time.sleep(0.01)  # one of ours may just end: Python forgets it before the system does
print(json.dumps([told, more, os.listdir(os.environ["HOME"])]))
"""


@pytest.mark.parametrize(
    "module",
    [
        "fairweather_app",
        "fairweather_app.models_backend.onnx",
        "fairweather_app.server",
        "fairweather_app.wsgi",
    ],
)
def test_onnx_runtime_is_imported_with_its_telemetry_switched_off(
    module: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    environment |= {"HOME": str(home), "FAIRWEATHER_CACHE": str(tmp_path / "cache")}
    environment["FAIRWEATHER_STORE"] = str(tmp_path)
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", SEEN % module],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    events, threads, files = json.loads(done.stdout.splitlines()[-1])
    assert events == [["imported with", "1"]]  # nobody looked a host up, nor connected
    assert files == []  # where it would keep an id of the device, and what waits to be sent
    assert threads <= 0  # none but the app's own, which Python knows: none that would send it
