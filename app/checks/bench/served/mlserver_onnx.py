"""MLServer: a custom runtime, its own codec for tensors, Open Inference Protocol V2."""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from onnx_session import Model


class OnnxRuntime(MLModel):
    """Loads the delivered artifact, in the process that serves it."""

    async def load(self) -> bool:
        """Load the artifact."""
        self._model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Decode, run, encode."""
        found = self._model({each.name: NumpyCodec.decode_input(each) for each in payload.inputs})
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, array) for name, array in found.items()],
        )
