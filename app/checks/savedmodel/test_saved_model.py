"""A delivery without an ONNX artifact, served by TensorFlow itself: ``nox -s savedmodel``.

``FAIRWEATHER_DELIVERED`` is a store with one real delivery whose conversion to ONNX went wrong, and
was left out for it.
"""

# ruff: noqa: D103, INP001, PLR2004, S101 - a test of its own session

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairweather_interface.delivery import Delivery, open_delivery
from flask import Flask

from fairweather_app import create_app

STORE = Path(os.environ.pop("FAIRWEATHER_DELIVERED"))


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    (folder,) = (path for path in STORE.iterdir() if not path.name.startswith("."))
    return open_delivery(folder)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[[bool], Flask]]:
    made: list[Flask] = []

    def make(tensorflow: bool) -> Flask:  # noqa: FBT001 - the one thing that differs
        app = create_app(
            {
                "store": STORE,
                "cache": tmp_path / "cache",
                "observations": f"sqlite:///{tmp_path / 'observations.sqlite'}",
                "tensorflow": tensorflow,
            }
        )
        app.extensions["fairweather"].catalogue.refresh()
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["fairweather"].observations.close()


def model(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/models", headers={"Accept": "application/json"}).json
    assert answer is not None
    (found,) = answer["models"]
    return dict(found)


def test_the_metadata_say_why_there_is_no_onnx(delivery: Delivery) -> None:
    onnx = next(each for each in delivery.metadata.artifacts if each.format == "onnx")
    assert onnx.path is None
    assert "differs from the SavedModel by up to" in str(onnx.omitted)
    assert not (delivery.path / "model.onnx").exists()


def test_without_the_setting_it_is_refused_with_a_code(app: Callable[[bool], Flask]) -> None:
    found = model(app(False))  # noqa: FBT003
    assert (found["state"], found["code"]) == ("refused", "runtime-unavailable")


def test_tensorflow_serves_it_and_answers_what_the_trainer_computed(
    app: Callable[[bool], Flask], delivery: Delivery
) -> None:
    serving = app(True)  # noqa: FBT003
    assert model(serving)["state"] == "live"
    with np.load(delivery.path / "examples.npz", allow_pickle=False) as file:
        examples = dict(file)
    rows = np.flatnonzero(examples["expect"] == "serve")
    assert len(rows) >= 8
    client = serving.test_client()
    for row in rows:
        moment = datetime.fromtimestamp(int(examples["reference_time"][row]), tz=UTC)
        observations = {
            item.name: [
                None if np.isnan(value) else float(value)
                for value in examples[f"input/{item.name}"][row]
            ]
            for item in delivery.metadata.required_inputs
        }
        answer = client.post(
            "/weather/predict",
            json={
                "area": str(examples["area"][row]),
                "reference_time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                "observations": observations,
            },
        )
        assert answer.status_code == 200, answer.json
        assert answer.json is not None
        assert answer.json["receipt"]["delivery_id"] == delivery.metadata.delivery_id
        assert answer.json["receipt"]["runtime"].startswith("tensorflow ")
        for output in delivery.metadata.outputs:
            found = answer.json["forecast"][output.variable]["value"]
            expected = examples[f"output/{output.name}"][row]
            assert np.abs(np.array(found) - expected).max() <= 0.01
