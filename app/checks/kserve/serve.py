"""A real KServe server of the ONNX artifacts in a store, each under its delivery id.

Runs in an environment of its own, because KServe wants pandas<3: ``serve.py STORE PORT``.
"""

# ruff: noqa: INP001 - a script beside its test, not a package

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import kserve  # type: ignore[import-not-found]  # it is in an environment of its own
import onnxruntime as ort  # type: ignore[import-untyped]
from kserve.protocol.infer_type import (  # type: ignore[import-not-found]
    InferOutput,
    InferRequest,
    InferResponse,
)

DATATYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64"}


class Served(kserve.Model):  # type: ignore[misc]  # an untyped library
    """One delivery's artifact, as a team that runs KServe would serve it."""

    def __init__(self, delivery: Path) -> None:
        super().__init__(delivery.name)
        self._session = ort.InferenceSession(str(delivery / "model.onnx"))
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        """Tell what the artifact takes."""
        return [_told(each) for each in self._session.get_inputs()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Tell what the artifact gives."""
        return [_told(each) for each in self._session.get_outputs()]

    def predict(
        self,
        payload: InferRequest,
        headers: dict[str, str] | None = None,  # noqa: ARG002 - KServe passes it
        response_headers: dict[str, str] | None = None,  # noqa: ARG002 - KServe passes it
    ) -> InferResponse:
        """Run the artifact and answer the outputs that were asked for."""
        names = [each.name for each in payload.request_outputs]
        found = self._session.run(names, {each.name: each.as_numpy() for each in payload.inputs})
        outputs = []
        for name, array in zip(names, found, strict=True):
            output = InferOutput(name=name, shape=list(array.shape), datatype="FP32")
            output.set_data_from_numpy(array, binary_data=False)
            outputs.append(output)
        return InferResponse(payload.id, self.name, outputs)


def _told(each: Any) -> dict[str, Any]:  # noqa: ANN401 - an untyped library
    shape = [size if isinstance(size, int) else -1 for size in each.shape]
    return {"name": each.name, "datatype": DATATYPES[each.type], "shape": shape}


if __name__ == "__main__":
    deliveries = [each for each in Path(sys.argv[1]).iterdir() if not each.name.startswith(".")]
    server = kserve.ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1)
    server.start([Served(each) for each in deliveries])
