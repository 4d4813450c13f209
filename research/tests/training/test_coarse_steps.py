"""A model with a step of hours, asked at the hours of a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.delivery import EXAMPLES, Delivery

from fairweather_research import Recipe, train
from fairweather_research.training.forkserver import ForkServer

DAY = 86_400
START = datetime(2019, 1, 1, tzinfo=UTC)


def weather(hours: np.ndarray) -> np.ndarray:
    """A year and a day of its own: no two hours of the clock have the same usual."""
    of_year = 10 * np.sin(2 * np.pi * (hours / 24 - 110) / 365.25)
    of_day = 5 * np.sin(2 * np.pi * (hours - 9) / 24)
    passing = 3 * np.random.default_rng(1).normal(size=len(hours) // 24 + 1)
    return np.asarray(12 + of_year + of_day + np.repeat(passing, 24)[: len(hours)])


@pytest.fixture
def trained_at(
    tmp_path: Path, tiny_document: dict[str, Any], server: ForkServer
) -> Callable[..., Delivery]:
    def train_it(step: str, sample_rate: str, observed: set[int]) -> Delivery:
        hours = np.arange(24 * 500)
        table = pd.DataFrame(
            {
                "area": "JFK",
                "time": [
                    f"{START + timedelta(hours=int(hour)):%Y-%m-%dT%H:%M:%SZ}" for hour in hours
                ],
                "variable": "temperature",
                "unit": "degC",
                "value": weather(hours).round(2),
            }
        )
        table[[hour % 24 in observed for hour in hours]].to_csv(tmp_path / "w.csv", index=False)
        required = [{"temperature": {"period": "10 days", "sample_rate": sample_rate}}]
        recipe = {
            **tiny_document,
            "areas": ["JFK"],
            "variables": ["temperature"],
            "season": list(range(1, 13)),
            "definitions": {
                **tiny_document["definitions"],
                "training": {"required_inputs": required},
            },
            "observations": {"source": str(tmp_path / "w.csv"), "synthetic": True},
            "step": step,
            "horizon": "2 days",
            "network": "recent-anomalies",
            "fit": {"epochs": 2},
            "split": {"every": "24 days", "held_out": "6 days", "calibration": "4 days"},
        }
        return train(Recipe.parse(recipe, source="r"), tmp_path / "store", server=server)

    return train_it


def usual_at(delivery: Delivery, hours: list[int], samples: int) -> np.ndarray:
    """What is forecast in the middle of July where nothing is known, [hours, leads]."""
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    session = onnxruntime.InferenceSession(str(delivery.path / "model.onnx"))
    time = np.array([int(datetime(2021, 7, 15, tzinfo=UTC).timestamp()) + 3600 * h for h in hours])
    feeds = {
        "temperature": np.full((len(hours), samples), np.nan, np.float32),
        "reference_time": time,
        "area_index": np.zeros(len(hours), np.int64),
    }
    return np.asarray(session.run(["temperature_forecast"], feeds)[0])


@pytest.mark.parametrize(
    ("step", "sample_rate", "observed"),
    [
        ("1 day", "1 day", {12}),
        ("12 hours", "1 hour", set(range(24))),
        ("6 hours", "6 hours", {3, 9, 15, 21}),
    ],
)
def test_a_forecast_between_the_steps_is_of_the_usual_then(
    trained_at: Callable[..., Delivery], step: str, sample_rate: str, observed: set[int]
) -> None:
    delivery = trained_at(step, sample_rate, observed)
    every = {"1 day": 24, "12 hours": 12, "6 hours": 6}
    length = every[step]
    hours = [0, 5, 6, 11, 12, 18, 23]
    found = usual_at(delivery, hours, 240 // every.get(sample_rate, 1))
    july = (datetime(2021, 7, 15, tzinfo=UTC) - datetime(2021, 1, 1, tzinfo=UTC)).days
    assert found.shape == (len(hours), 48 // length)
    for row, hour in enumerate(hours):
        for lead in range(1, found.shape[1] + 1):
            end = july * 24 + hour + lead * length
            inside = [h for h in range(end - length + 1, end + 1) if h % 24 in observed]
            year = 10 * np.sin(2 * np.pi * (end / 24 - 110) / 365.25)
            of_day = np.mean([5 * np.sin(2 * np.pi * (h - 9) / 24) for h in inside])
            assert found[row, lead - 1] == pytest.approx(12 + year + of_day, abs=1.3)
    with np.load(delivery.path / EXAMPLES) as examples:
        asked = examples["reference_time"][examples["expect"] == "serve"]
    assert len({int(time) % (3600 * length) for time in asked}) > 1
