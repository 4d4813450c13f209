"""Logs for TensorBoard: the loss of every epoch, and the errors on held-out time.

They are written record by record, with no operation of TensorFlow, so that a model trained with
logs is the model trained without, to the byte. ``tf.summary`` and the Keras callback run operations
in the training process, whose traces would stand in the SavedModel.

::

    <folder>/training/     loss by epoch on the training windows
    <folder>/calibration/  loss by epoch on calibration time
    <folder>/model/ climatology/ persistence/    mean absolute error by lead day
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.evaluation.scores import Evaluation
from fairweather_research.networks.base import EpochRecord


class EventLog:
    """Event files in a folder, or nowhere when there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}  # run -> its open file
        self.part = "forecast"  # what is being fitted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def epoch(self, epoch: EpochRecord) -> None:
        """Log one pass over the training windows."""
        for run, loss in (("training", epoch.training), ("calibration", epoch.calibration)):
            self._write(run, f"loss of the {self.part}", epoch.number, loss)

    def evaluations(self, evaluations: Iterable[Evaluation]) -> None:
        """Log the errors on held-out time; the step is the lead day."""
        for one in evaluations:
            tag = f"error by lead day/{one.area} {one.variable}"
            for day in one.days:
                for run, error in {"model": day.mae, **day.baselines}.items():
                    self._write(run, tag, day.day, error)

    def _write(self, run: str, tag: str, step: int, value: float) -> None:
        if self._folder is None:
            return
        now = time.time()
        if run not in self._files:
            folder = self._folder / run
            folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard knows event files by this name, and their format by the first record.
            name = f"events.out.tfevents.{int(now)}.{os.getpid()}"
            self._files[run] = tf.io.TFRecordWriter(str(folder / name))
            first = tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2")
            self._files[run].write(first.SerializeToString())
        error = tf.compat.v1.Summary.Value(tag=tag, simple_value=value)
        event = tf.compat.v1.Event(
            wall_time=now, step=step, summary=tf.compat.v1.Summary(value=[error])
        )
        self._files[run].write(event.SerializeToString())
        self._files[run].flush()  # TensorBoard shows every epoch as it ends
