"""The result of a training process beside the artifacts: plain data, as JSON."""

from __future__ import annotations

from fairweather_research.dataset.input_statistics import InputStatistics
from fairweather_research.dataset.window_set import InputRange
from fairweather_research.document import Duration, StrictModel
from fairweather_research.evaluation.scores import Evaluation
from fairweather_research.export.artifacts import OnnxReport
from fairweather_research.networks.base import EpochRecord


class BranchRecord(StrictModel):
    """One of several networks of a model that switches."""

    condition: str  # what chooses it, for people, with the thresholds that training found
    windows: int  # training forecasts
    judged: int  # held-out forecasts
    best_epoch: int


class TrainingResult(StrictModel):
    """Everything about a finished training that is not in a file of its own."""

    windows: int  # training forecasts
    train_start: int  # first observation of training, seconds since 1970-01-01T00:00Z
    train_end: int  # the last valid time of a training target
    seen: dict[str, InputRange]  # input name -> its range in the training windows
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    branches: tuple[BranchRecord, ...] = ()  # of a model that switches, in their order
    thresholds: tuple[float, ...] = ()  # between them, where it switches by an input
    shrinkage: dict[str, tuple[float, ...]]  # output name -> factor of each lead
    widening: dict[str, tuple[float, ...]]  # quantile name -> factor of each lead
    judgements: tuple[Evaluation, ...]
    max_age: Duration | None = None  # of the newest value of every input; None: any
    portraits: dict[str, InputStatistics]  # input name -> the distribution of its training values
    onnx: OnnxReport
    origin: dict[str, str]  # provenance of an external network
    threads: int
    platform: str
