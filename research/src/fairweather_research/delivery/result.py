"""What the training process hands back beside the artifacts: plain data, as JSON."""

from __future__ import annotations

from fairweather_research.dataset.input_ranges import Seen
from fairweather_research.dataset.input_statistics import Portrait
from fairweather_research.document import StrictModel
from fairweather_research.evaluation.scores import Judgement
from fairweather_research.export.onnx_format import IR_VERSION, OPSET, TOLERANCE, OnnxReport
from fairweather_research.networks.base import EpochRecord

__all__ = [
    "IR_VERSION",
    "OPSET",
    "TOLERANCE",
    "BranchRecord",
    "OnnxReport",
    "TrainingResult",
]


class BranchRecord(StrictModel):
    """One of several networks of a model that switches."""

    condition: str  # what chooses it, for people, with the thresholds that training found
    windows: int  # forecasts that taught it
    judged: int  # held-out forecasts that it answered
    best_epoch: int


class TrainingResult(StrictModel):
    """Everything about a finished training that is not in a file of its own."""

    windows: int  # forecasts that taught the network
    train_start: int  # first observation that taught, seconds since 1970-01-01T00:00Z
    train_end: int  # the last moment that was learned
    seen: dict[str, Seen]  # input name -> what the training windows held
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    branches: tuple[BranchRecord, ...] = ()  # of a model that switches, in their order
    thresholds: tuple[float, ...] = ()  # between them, where it switches by an input
    shrinkage: dict[str, tuple[float, ...]]  # output name -> factor of each lead
    widening: dict[str, tuple[float, ...]]  # quantile name -> factor of each lead
    judgements: tuple[Judgement, ...]
    portraits: dict[str, Portrait]  # input name -> how its training values were spread
    onnx: OnnxReport
    origin: dict[str, str]  # what provenance says of a network of somebody else's
    threads: int
    platform: str
