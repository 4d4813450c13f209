"""What the servers are asked: the same windows, in the words of each protocol."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

SAMPLES = 720
AREA = "JFK"
AREA_INDEX = 1
REFERENCE_TIME = datetime(2013, 12, 20, tzinfo=UTC)
WIRES = ("ours", "v2", "raw", "mlflow")


def windows(count: int) -> list[dict[str, Any]]:
    """Distinct hours of a winter month, with two decimals as measured values have; no gaps."""
    random = np.random.default_rng(720)
    hours = np.arange(SAMPLES)
    made = []
    for _ in range(count):
        warmth, noise = random.normal(4, 3), random.normal(0, 0.7, (2, SAMPLES))
        daily = np.sin((hours + random.uniform(0, 24)) * (2 * np.pi / 24))
        temperature = np.round(warmth + 4 * daily + noise[0], 2)
        humidity = np.round(np.clip(60 - 12 * daily + 8 * noise[1], 5, 100), 2)
        made.append({"temperature": temperature.tolist(), "humidity": humidity.tolist()})
    return made


def body(wire: str, window: dict[str, Any]) -> bytes:
    """One window as one server wants to be asked."""
    if wire == "ours":
        time = f"{REFERENCE_TIME:%Y-%m-%dT%H:%MZ}"
        return orjson.dumps({"area": AREA, "reference_time": time, "observations": window})
    tensors: dict[str, list[Any]] = {name: [values] for name, values in window.items()}
    tensors |= {"reference_time": [int(REFERENCE_TIME.timestamp())], "area_index": [AREA_INDEX]}
    if wire == "raw":
        return orjson.dumps(tensors)
    if wire == "mlflow":
        return orjson.dumps({"inputs": tensors})
    inputs = [
        {
            "name": name,
            "shape": list(np.shape(values)),
            "datatype": "FP32" if name in window else "INT64",
            "data": np.ravel(values).tolist(),
        }
        for name, values in tensors.items()
    ]
    return orjson.dumps({"id": "1", "inputs": inputs})


def write(folder: Path, asked: list[dict[str, Any]]) -> None:
    """Write the bodies of every protocol as `load.lua` reads them: ``<wire>.bodies``."""
    for wire in WIRES:
        with (folder / f"{wire}.bodies").open("wb") as file:
            for window in asked:
                content = body(wire, window)
                file.write(b"%d\n%s\n" % (len(content), content))
