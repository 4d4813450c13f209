"""LitServe: one worker for the model, its own JSON."""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

import os
from typing import Any

import litserve
from onnx_session import Model


class Forecaster(litserve.LitAPI):
    """Loads the delivered artifact in the worker."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe passes it
        """Load the artifact."""
        self._model = Model()

    def decode_request(self, request) -> dict[str, Any]:  # noqa: ANN001 - LitServe reads the type
        """Tensors are lists, by name."""
        return request

    def predict(self, x: dict[str, Any]) -> dict[str, Any]:
        """Run the model."""
        return self._model(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Answer lists, by name."""
        return {name: array.tolist() for name, array in output.items()}


if __name__ == "__main__":
    server = litserve.LitServer(
        Forecaster(), accelerator="cpu", workers_per_device=int(os.environ["BENCH_WORKERS"])
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=int(os.environ["BENCH_WORKERS"]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
