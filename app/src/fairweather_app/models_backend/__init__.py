"""Backends: each loads a delivered artifact of one format, and runs it.

`protocol` defines a backend. `onnx` is installed always; `tensorflow` needs the extra of that name
and a setting; `open_inference` hands over to a server elsewhere, and is imported where it is used,
because most apps need no HTTP client. `acceptance` tests a loaded model before it may serve.
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
