"""The delivered ONNX artifact, as every peer runs it: one thread a call, as our app does."""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime as ort


class Model:
    """The artifact named by ``BENCH_MODEL``, fed by name with whatever arrays can be made of."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [each.name for each in self._session.get_outputs()]
        self._types = {
            each.name: np.float32 if each.type == "tensor(float)" else np.int64
            for each in self._session.get_inputs()
        }

    def __call__(self, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """Run one batch; every output by name, bands too, as our app answers them."""
        feeds = {name: np.asarray(inputs[name], dtype=kind) for name, kind in self._types.items()}
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
