"""BentoML: a service with two workers, typed tensors in, tensors out."""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

import os

import bentoml
import numpy as np
from onnx_session import Model


@bentoml.service(workers=int(os.environ["BENCH_WORKERS"]), logging={"access": {"enabled": False}})
class Forecaster:
    """Loads the delivered artifact in each worker."""

    def __init__(self) -> None:
        self._model = Model()

    @bentoml.api
    def predict(
        self,
        humidity: np.ndarray,
        temperature: np.ndarray,
        reference_time: np.ndarray,
        area_index: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Run the model."""
        return self._model(
            {
                "humidity": humidity,
                "temperature": temperature,
                "reference_time": reference_time,
                "area_index": area_index,
            }
        )
