"""Logs for TensorBoard: beside the delivery, and no trace of them in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research import TrainingError, train
from fairweather_research.networks.base import EpochRecord
from fairweather_research.training.tensorboard import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Trained
    from fairweather_research import Recipe
    from fairweather_research.training.forkserver import ForkServer


def logged(run: Path) -> list[tuple[str, int, float]]:
    """What a run holds, as TensorBoard reads it: tag, step, value."""
    (file,) = run.iterdir()
    assert file.name.startswith("events.out.tfevents.")
    events = [tf.compat.v1.Event.FromString(each) for each in records(file)]
    assert events[0].file_version == "brain.Event:2"
    return [
        (value.tag, event.step, value.simple_value)
        for event in events
        for value in event.summary.value
    ]


def records(file: Path) -> list[bytes]:
    return [each.numpy() for each in tf.data.TFRecordDataset(str(file))]


def test_a_model_trained_with_logs_is_the_model_trained_without(
    trained: Trained, server: ForkServer, tmp_path: Path
) -> None:
    delivery = train(trained.recipe, tmp_path / "s", tensorboard=tmp_path / "logs", server=server)
    assert delivery.metadata.model_digest == trained.delivery.metadata.model_digest
    (folder,) = (tmp_path / "logs").iterdir()
    assert folder.name == delivery.metadata.delivery_id
    assert {run.name for run in folder.iterdir()} == {
        *("training", "calibration"),
        *("model", "climatology", "persistence"),
    }
    assert [step for _, step, _ in logged(folder / "training")] == [1, 2, 3]
    errors = logged(folder / "model")
    tags = {
        f"error by lead day/{area} {v}"
        for area in ("EWR", "JFK")
        for v in ("temperature", "humidity")
    }
    assert {tag for tag, _, _ in errors} == tags
    assert {step for _, step, _ in errors} == {1, 2}
    assert not list((tmp_path / "s").rglob("*tfevents*"))


def test_every_epoch_is_there_at_once_and_bands_are_told_apart(tmp_path: Path) -> None:
    with EventLog(tmp_path) as events:
        events.epoch(EpochRecord(number=1, training=2.0, calibration=3.0))
        assert logged(tmp_path / "training") == [("loss of the forecast", 1, 2.0)]
        events.part = "bands"
        events.epoch(EpochRecord(number=1, training=4.0, calibration=5.0))
    assert logged(tmp_path / "calibration") == [
        ("loss of the forecast", 1, 3.0),
        ("loss of the bands", 1, 5.0),
    ]


def test_without_a_folder_nothing_is_written() -> None:
    with EventLog(None) as events:
        events.epoch(EpochRecord(number=1, training=2.0, calibration=3.0))


@pytest.mark.parametrize("inside", [".", "logs", "a/b"])
def test_logs_do_not_go_into_the_store(
    tiny: Callable[..., Recipe], store: Path, inside: str
) -> None:
    with pytest.raises(TrainingError, match="expected one outside the store"):
        train(tiny(), store, tensorboard=store / inside)
