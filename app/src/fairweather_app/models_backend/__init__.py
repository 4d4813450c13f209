"""Backends: what loads a delivered artifact and runs it.

`protocol` says what a backend is, `onnx` is the one every installation has, `tensorflow` the one
that the extra of that name brings and a setting allows, `remote` hands over to a server elsewhere
(`inference_server`), `proof` is how a loaded model shows that it runs here as it ran where it was
trained. `remote` is imported where it is used: most apps need no HTTP client.
"""

from fairweather_app.models_backend.onnx import OnnxBackend
from fairweather_app.models_backend.protocol import Deliveries, ModelsBackend, find_backend
from fairweather_app.models_backend.tensorflow import TensorFlowBackend

__all__ = [
    "Deliveries",
    "ModelsBackend",
    "OnnxBackend",
    "TensorFlowBackend",
    "find_backend",
]
