"""A PyTorch network behind our door: what it learns, what it exports, what is delivered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pytest
import torch
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import ONNX
from fairweather_interface.testing import assert_delivery_conforms
from torch_mixer import TorchMixer

from fairweather_research import Recipe, load_recipe, train
from fairweather_research.networks.base import FitPlan, Lessons, NetworkInputs, NetworkShape
from fairweather_research.networks.external import validate_network

EXAMPLES = Path(__file__).parents[3] / "examples"
SHAPE = NetworkShape(inputs=2, steps=60, steps_a_day=24, areas=3, calendar=16, outputs=2, leads=30)


def lessons(rows: int, seed: int) -> Lessons:
    random = np.random.default_rng(seed)
    past = (rows, SHAPE.inputs, SHAPE.steps)
    present = (random.random(past) > 0.2).astype(np.float32)
    inputs = NetworkInputs(
        anomalies=random.normal(size=past).astype(np.float32) * present,
        present=present,
        area=np.eye(SHAPE.areas, dtype=np.float32)[random.integers(0, SHAPE.areas, rows)],
        calendar=random.normal(size=(rows, SHAPE.calendar)).astype(np.float32),
    )
    targets = np.repeat(inputs.anomalies[:, :, -1:], SHAPE.leads, axis=2)
    targets[::5, :, 3] = np.nan
    return Lessons(inputs, targets)


def fitted() -> TorchMixer:
    np.random.seed(4)  # noqa: NPY002 - as a training does
    network = TorchMixer(SHAPE)
    network.fit(lessons(300, 1), lessons(80, 2), FitPlan(epochs=30), lambda _: None)
    return network


@pytest.fixture(scope="module")
def network() -> TorchMixer:
    return fitted()


def test_it_learns_around_gaps_and_keeps_its_promises(network: TorchMixer) -> None:
    asked, wanted = lessons(80, 3)
    error = np.nanmean(np.abs(network.predict(asked) - wanted))
    assert error < 0.5 * np.nanmean(np.abs(wanted))
    validate_network("torch_mixer:build", network.predict, SHAPE, asked)


def test_the_seed_decides_what_it_becomes(network: TorchMixer) -> None:
    asked = lessons(5, 3).inputs
    np.testing.assert_array_equal(network.predict(asked), fitted().predict(asked))


def test_its_onnx_answers_as_it_does(network: TorchMixer, tmp_path: Path) -> None:
    network.export_onnx(tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"))
    asked = lessons(7, 3).inputs
    read = {item.name for item in session.get_inputs()}
    feed = {name: getattr(asked, name) for name in NetworkInputs.NAMES if name in read}
    np.testing.assert_allclose(session.run(None, feed)[0], network.predict(asked), atol=1e-5)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Delivery, Delivery]:
    """The recipe, cut short, trained twice."""
    document = load_recipe(EXAMPLES / "torch_mixer.yaml").document()
    short = {**document, "fit": {"epochs": 2}, "season": [6, 7]}
    recipe = Recipe.parse(short, source="recipe.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(EXAMPLES))
        store = tmp_path_factory.mktemp("store")
        return train(recipe, store), train(recipe, store)


def test_it_is_delivered_as_onnx_and_the_same_every_time(
    delivered: tuple[Delivery, Delivery],
) -> None:
    first, second = delivered
    assert_delivery_conforms(first.path)
    assert first.metadata.canonical.format == ONNX
    assert first.metadata.model_digest == second.metadata.model_digest
    assert not (first.path / "model").exists()


def test_what_is_delivered_says_by_whom_it_was_learned(
    delivered: tuple[Delivery, Delivery],
) -> None:
    packages = delivered[0].metadata.training.packages
    assert packages["torch"] == torch.__version__
    assert packages["network torch_mixer:build"].startswith("sha256:")
