"""MLflow: write the delivered artifact as a pyfunc model that its scoring server serves."""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

import sys
from typing import Any

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from onnx_session import Model


class Forecaster(mlflow.pyfunc.PythonModel):
    """Loads the delivered artifact in each worker of the scoring server."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401, ARG002 - MLflow passes it
        """Load the artifact."""
        self._model = Model()

    def predict(
        self,
        context: Any,  # noqa: ANN401, ARG002 - MLflow passes it
        model_input: Any,  # noqa: ANN401 - MLflow would make a signature of a type
        params: Any = None,  # noqa: ANN401, ARG002 - MLflow passes it
    ) -> dict[str, np.ndarray]:
        """Run the model."""
        return self._model(model_input)


if __name__ == "__main__":
    inputs = Schema(
        [
            TensorSpec(np.dtype("float32"), (-1, 720), "humidity"),
            TensorSpec(np.dtype("float32"), (-1, 720), "temperature"),
            TensorSpec(np.dtype("int64"), (-1,), "reference_time"),
            TensorSpec(np.dtype("int64"), (-1,), "area_index"),
        ]
    )
    mlflow.pyfunc.save_model(
        sys.argv[1],
        python_model=Forecaster(),
        signature=ModelSignature(inputs=inputs),
        pip_requirements=["onnxruntime"],
    )
