"""Load a delivery's model with the first runtime here that takes one of its artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fairweather_interface.delivery import Delivery
from fairweather_interface.manifest import artifact_files
from fairweather_interface.metadata import Artifact
from fairweather_interface.refusals import Code

from fairweather_app.errors import LoadError
from fairweather_app.models_backend.protocol import ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import RuntimeModel

SESSION_BYTES = 1 << 20
SESSION_FACTOR = 3
"""A session takes so many times its artifact's size and `SESSION_BYTES`."""


def load(delivery: Delivery, backends: Sequence[ModelsBackend]) -> RuntimeModel:
    """Load a verified delivery with the first backend that takes one of its artifacts."""
    reasons = []
    for backend in backends:
        artifact = artifact_of(delivery, backend.format)
        if artifact is None:
            continue
        reason = backend.cannot_run(artifact)
        if reason is not None:
            reasons.append(f"{artifact.path} {reason}")
            continue
        try:
            memory = _memory(delivery, artifact)
            return replace(backend.load(delivery), memory=memory, format=backend.format)
        except LoadError as error:
            if error.code is not Code.RUNTIME_UNAVAILABLE:
                raise
            reasons.append(str(error))
    raise LoadError(
        Code.RUNTIME_UNAVAILABLE, "; ".join(reasons) or _no_artifact(delivery, backends)
    )


def estimate_memory(delivery: Delivery, backends: Sequence[ModelsBackend]) -> int:
    """Estimate the bytes that the artifact that `load` tries first will take; 0 without one."""
    for backend in backends:
        artifact = artifact_of(delivery, backend.format)
        if artifact is not None and backend.cannot_run(artifact) is None:
            return _memory(delivery, artifact)
    return 0


def _memory(delivery: Delivery, artifact: Artifact) -> int:
    files = artifact_files(delivery.manifest.files, str(artifact.path))
    return SESSION_BYTES + SESSION_FACTOR * sum(file.size for file in files.values())


def _no_artifact(delivery: Delivery, backends: Sequence[ModelsBackend]) -> str:
    artifacts = delivery.metadata.artifacts
    carried = ", ".join(each.format for each in artifacts if each.path is not None)
    runs = ", ".join(backend.format for backend in backends)
    omitted = "".join(
        f" ({each.format} was left out: {each.omitted})"
        for each in artifacts
        if each.omitted is not None
    )
    return f"it carries {carried}, this app runs {runs}{omitted}"
