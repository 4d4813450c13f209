"""What the training process hands back beside the artifacts: plain data, as JSON."""

from __future__ import annotations

from fairweather_research._parts import StrictModel
from fairweather_research.domain import Seen
from fairweather_research.evaluation import Judgement
from fairweather_research.networks import EpochRecord
from fairweather_research.portrait import Portrait

__all__ = [
    "IR_VERSION",
    "OPSET",
    "TOLERANCE",
    "BranchRecord",
    "OnnxReport",
    "TrainingResult",
]

#: How far two runtimes may differ on one value, (absolute, relative), in the output's unit: a
#: hundredth, finer than any station reports.
TOLERANCE = (0.01, 0.0)

#: What the ONNX artifact needs of a runtime: old enough for those of the last years, new enough for
#: every operation in the graph. A conversion that needs anything else is not kept.
OPSET = 17
IR_VERSION = 8


class BranchRecord(StrictModel):
    """One of several networks of a model that switches."""

    condition: str  # what chooses it, for people, with the thresholds that training found
    windows: int  # forecasts that taught it
    judged: int  # held-out forecasts that it answered
    best_epoch: int


class OnnxReport(StrictModel):
    """The ONNX artifact's needs, or the reason why there is none."""

    canonical: bool = False  # it is the model, and there is no SavedModel
    opset: int | None = None
    ir_version: int | None = None
    omitted: str | None = None


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
