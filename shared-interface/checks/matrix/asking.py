"""Ask a running app what it makes of deliveries; run inside the environment of that app.

``python asking.py JOB.json`` starts the app as people start it, sends it the windows of every
example over HTTP, and prints what it found as JSON: facts, no judgement. It needs NumPy, which
every app brings, and imports nothing of ours.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_TIMEOUT = 60.0
_IN_TEST = re.compile("being tested|waits for its test|testing it")
"""What a listing says of a delivery whose model is still tried."""
_LOOK_TIMEOUT = 2.0  # a stranger that holds the port may never answer
_TAIL = 1500
_OK = 200


class AppNotServingError(Exception):
    """The app did not come up; the message says why."""


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Start the app on the job's store and return what it says of itself and of every delivery.

    Args:
        job: ``store``, ``work`` (an empty folder), ``deliveries`` (id by kind), ``command`` (of
            the app, without ``run``).
    """
    printed = subprocess.run(  # noqa: S603 - arguments of our own
        [*job["command"], "software"],
        env=_settings(job),
        capture_output=True,
        text=True,
        check=True,
    )
    with serving(job, free_port()) as address:
        _, models = _ask(f"{address}/models")
        known = {model["delivery_id"]: model for model in models["models"]}
        _, software = _ask(f"{address}/software")
        return {
            "printed_software": json.loads(printed.stdout),
            "software": software,
            "deliveries": {
                kind: _delivery(address, Path(job["store"]) / name, known.get(name))
                for kind, name in job["deliveries"].items()
            },
        }


def free_port() -> int:
    """Return a port that the operating system has free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(job: dict[str, Any], port: int) -> Iterator[str]:
    """Run the app on a port until it has looked at its store; give its address; end it.

    Raises:
        AppNotServingError: it ended, was not ready in time, or another process holds the port.
    """
    log = Path(job["work"]) / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - arguments of our own
            [*job["command"], "run", "--port", str(port)],
            env=_settings(job),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _TIMEOUT
        while not _has_looked(address, set(job["deliveries"].values())):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AppNotServingError(_why(port, process.poll(), log))
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=_TIMEOUT)


def _has_looked(address: str, wanted: set[str]) -> bool:
    """Whether an app answers that knows these deliveries; a stranger on the port does not."""
    try:
        _, models = _ask(f"{address}/models", timeout=_LOOK_TIMEOUT)
    except (OSError, ValueError):
        return False
    listed = models.get("models", []) if isinstance(models, dict) else []
    settled = {
        each.get("delivery_id") for each in listed if not _IN_TEST.search(str(each.get("reason")))
    }
    return wanted <= settled


def _why(port: int, code: int | None, log: Path) -> str:
    said = log.read_text(errors="replace").strip()[-_TAIL:]
    if "in use" in said:
        return f"port {port} is taken by another process; run again: the next port is another one"
    ended = f"ended with code {code}" if code is not None else "did not list all deliveries in time"
    return f"the app {ended}:\n{said}"


def _settings(job: dict[str, Any]) -> dict[str, str]:
    work = Path(job["work"])
    return {
        **os.environ,
        "FAIRWEATHER_STORE": str(job["store"]),
        "FAIRWEATHER_OBSERVATIONS": f"sqlite:///{work / 'observations.sqlite'}",
        "FAIRWEATHER_CACHE": str(work / "cache"),
        "FAIRWEATHER_RELOAD_SECONDS": "1",
    }


def _delivery(address: str, folder: Path, model: dict[str, Any] | None) -> dict[str, Any]:
    metadata = json.loads((folder / "metadata.json").read_bytes())
    with np.load(folder / "examples.npz", allow_pickle=False) as file:
        examples = {name: file[name] for name in file.files}
    return {
        **{name: (model or {}).get(name) for name in ("state", "code", "reason")},
        "examples": [
            _example(address, metadata, examples, row) for row in range(len(examples["expect"]))
        ],
    }


def _example(
    address: str, metadata: dict[str, Any], examples: dict[str, Any], row: int
) -> dict[str, Any]:
    """Ask for one example's forecast; say who answered or refused, and how far it is off."""
    name = metadata["delivery_id"]
    moment = dt.datetime.fromtimestamp(int(examples["reference_time"][row]), tz=dt.UTC)
    asked = {
        "area": str(examples["area"][row]),
        "reference_time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    windows = {
        each["name"]: [None if np.isnan(value) else float(value) for value in window]
        for each in metadata["inputs"]
        if each["role"] == "observations"
        for window in [examples[f"input/{each['name']}"][row]]
    }
    status, answer = _ask(f"{address}/weather/predict", {**asked, "observations": windows})
    found = {**asked, "expect": str(examples["expect"][row]), "status": status}
    if status == _OK:
        expected = {key: values[row] for key, values in examples.items()}
        return {
            **found,
            "by_it": answer["receipt"]["delivery_id"] == name,
            "bands": _bands(answer),
            "worst": _worst(metadata, expected, answer["forecast"]),
        }
    codes = [each["code"] for each in answer.get("refused", ()) if each["delivery_id"] == name]
    return {**found, "problem": answer.get("type"), "code": codes[0] if codes else None}


def _bands(answer: dict[str, Any]) -> list[str]:
    series = answer["forecast"]
    return sorted(name for name in series if name != "time" and "lower" in series[name])


def _worst(metadata: dict[str, Any], expected: dict[str, Any], series: dict[str, Any]) -> float:
    """Return the largest error as a share of what is tolerated; infinite where one is absent."""
    worst = 0.0
    for output in metadata["outputs"]:
        found = series.get(output["variable"], {})
        pairs = {output["name"]: found.get("value")}
        quantiles = [q for q in metadata.get("uncertainty") or () if q["output"] == output["name"]]
        if "lower" in found and quantiles:
            quantiles.sort(key=lambda quantile: quantile["probability"])
            pairs[quantiles[0]["name"]] = found["lower"]
            pairs[quantiles[-1]["name"]] = found["upper"]
        for tensor, values in pairs.items():
            worst = max(worst, _error(metadata["tolerance"][tensor], expected, tensor, values))
    return worst


def _error(tolerance: dict[str, Any], expected: dict[str, Any], tensor: str, found: Any) -> float:  # noqa: ANN401 - JSON
    wanted = expected[f"output/{tensor}"].astype(np.float64)
    if found is None or len(found) != len(wanted) or None in found:
        return float("inf")
    allowed = tolerance["absolute"] + tolerance["relative"] * np.abs(wanted)
    error = np.abs(np.asarray(found, dtype=np.float64) - wanted)
    return float(np.max(error / np.maximum(allowed, np.finfo(np.float64).tiny)))


def _ask(
    url: str, body: dict[str, Any] | None = None, *, timeout: float = _TIMEOUT
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, data=data, headers={"Content-Type": "application/json"} if data else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
    except AppNotServingError as refused:
        sys.exit(str(refused))
