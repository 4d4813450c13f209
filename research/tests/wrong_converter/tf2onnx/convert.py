"""Convert with the real tf2onnx, then change every weight of the result by a hundredth."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import onnx


def main() -> None:
    """Do what the real one does with the same arguments, and then what it must not do."""
    here = Path(__file__).resolve().parents[1]
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tf2onnx"]:
        del sys.modules[name]
    runpy.run_module("tf2onnx.convert", run_name="__main__")
    path = Path(sys.argv[sys.argv.index("--output") + 1])
    model = onnx.load(str(path))
    for weight in model.graph.initializer:
        value = onnx.numpy_helper.to_array(weight)
        if value.dtype == np.float32 and value.size > 1:
            wrong = onnx.numpy_helper.from_array(value * np.float32(1.01), weight.name)
            weight.CopyFrom(wrong)
    onnx.save(model, str(path))


if __name__ == "__main__":
    main()
