"""Backends: each loads a delivered artifact of one format, and runs it.

`protocol` defines a backend. `onnx` is installed always; `tensorflow` needs the extra of that name
and a setting; `open_inference` hands over to a server elsewhere, and is imported where it is used,
because most apps need no HTTP client. `acceptance` tests a loaded model before it may serve.
"""

from fairweather_app.models_backend.onnx import OnnxBackend, limit_memory
from fairweather_app.models_backend.protocol import (
    Deliveries,
    ModelsBackend,
    artifact_of,
    find_backend,
)
from fairweather_app.models_backend.runtime_model import (
    Arrays,
    RuntimeModel,
    Session,
    Signature,
    Tensor,
)
from fairweather_app.models_backend.tensorflow import TensorFlowBackend

__all__ = [
    "Arrays", "Deliveries", "ModelsBackend", "OnnxBackend", "RuntimeModel", "Session", "Signature",
    "Tensor", "TensorFlowBackend", "artifact_of", "find_backend",
    "limit_memory",
]  # fmt: skip
