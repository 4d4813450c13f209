"""The artifacts of a model: where they lie in a delivery, what ONNX promises, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from fairweather_research.document import StrictModel

SAVED_MODEL_FOLDER = "model"
ONNX_FILE = "model.onnx"

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


def differences(
    found: Mapping[str, npt.NDArray[np.float32]], expected: Mapping[str, npt.NDArray[np.float32]]
) -> Iterator[tuple[str, float]]:
    """Yield the name of each output that is not as expected within ``TOLERANCE``, and by how much.

    It differs by NaN where a value is missing on one side alone.
    """
    absolute, relative = TOLERANCE
    for name, values in found.items():
        difference = np.abs(values - expected[name])
        if not (difference <= absolute + relative * np.abs(expected[name])).all():
            yield name, float(np.max(difference))
