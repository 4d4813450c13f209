"""Software manifests that recipes and deliveries are held against."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fairweather_interface.software import Runtime, SchemaRange, Software

from fairweather_research.export.artifacts import IR_VERSION, OPSET
from schemas import NEWEST

if TYPE_CHECKING:
    pass


def software(newest: str = NEWEST, **changes: Any) -> Software:
    """A release that reads schemas up to ``newest`` and runs ONNX."""
    known: dict[str, Any] = {
        "name": "fairweather-app",
        "version": f"{newest}.0",
        "readable_schemas": SchemaRange(oldest="0.1", newest=newest),
        "runtimes": (
            Runtime(
                format="onnx",
                name="onnxruntime",
                version="1.32.0",
                max_opset=OPSET,
                max_ir_version=IR_VERSION,
            ),
        ),
        "roles": ("observations", "reference_time", "area_index"),
        "variables": {"temperature": "degC", "humidity": "%"},
        "longest_period": timedelta(days=366),
        "shortest_sample_rate": timedelta(minutes=1),
    }
    return Software(**{**known, **changes})
