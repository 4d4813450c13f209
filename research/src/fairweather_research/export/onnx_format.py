"""What an ONNX artifact promises to a runtime, and the report of its making."""

from __future__ import annotations

from fairweather_research.document import StrictModel

#: How far two runtimes may differ on one value, (absolute, relative), in the output's unit: a
#: hundredth, finer than any station reports.
TOLERANCE = (0.01, 0.0)

#: What the ONNX artifact needs of a runtime: old enough for those of the last years, new enough for
#: every operation in the graph. A conversion that needs anything else is not kept.
OPSET = 17

IR_VERSION = 8


class OnnxReport(StrictModel):
    """The ONNX artifact's needs, or the reason why there is none."""

    canonical: bool = False  # it is the model, and there is no SavedModel
    opset: int | None = None
    ir_version: int | None = None
    omitted: str | None = None
