"""Load a delivery's model with the first runtime here that takes one of its artifacts."""

from __future__ import annotations

from collections.abc import Sequence

from fairweather_interface.delivery import Delivery
from fairweather_interface.manifest import artifact_files
from fairweather_interface.metadata import Artifact
from fairweather_interface.refusals import Code

from fairweather_app.errors import LoadError
from fairweather_app.models_backend.acceptance import accept, check_roles, check_units
from fairweather_app.models_backend.protocol import ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import RuntimeModel


class Loader:
    """Loads with the backends of this process, the preferred first."""

    def __init__(self, backends: Sequence[ModelsBackend]) -> None:
        self._backends = tuple(backends)

    def load_accepted(self, delivery: Delivery) -> tuple[RuntimeModel, int]:
        """Load a model and test it; return it with the size of its artifact in bytes.

        Raises:
            LoadError: no runtime takes it, or it is not what its metadata declare.
        """
        check_roles(delivery.metadata)
        check_units(delivery.metadata)
        model, size = self.load(delivery)
        accept(model)
        return model, size

    def load(self, delivery: Delivery) -> tuple[RuntimeModel, int]:
        """Load a model that was accepted before; return it with the size of its artifact in bytes.

        Raises:
            LoadError: no runtime takes it.
        """
        reasons = []
        for backend in self._backends:
            artifact = artifact_of(delivery, backend.format)
            if artifact is None:
                continue
            reason = backend.cannot_run(artifact)
            if reason is not None:
                reasons.append(f"{artifact.path} {reason}")
                continue
            try:
                return backend.load(delivery), _size(delivery, artifact)
            except LoadError as error:
                if error.code is not Code.RUNTIME_UNAVAILABLE:
                    raise
                reasons.append(str(error))
        raise LoadError(Code.RUNTIME_UNAVAILABLE, "; ".join(reasons) or self._no_artifact(delivery))

    def artifact_size(self, delivery: Delivery) -> int:
        """Return the size of the artifact that `load` will try first; 0 where there is none."""
        for backend in self._backends:
            artifact = artifact_of(delivery, backend.format)
            if artifact is not None and backend.cannot_run(artifact) is None:
                return _size(delivery, artifact)
        return 0

    def _no_artifact(self, delivery: Delivery) -> str:
        artifacts = delivery.metadata.artifacts
        carried = ", ".join(each.format for each in artifacts if each.path is not None)
        runs = ", ".join(backend.format for backend in self._backends)
        omitted = "".join(
            f" ({each.format} was left out: {each.omitted})"
            for each in artifacts
            if each.omitted is not None
        )
        return f"it carries {carried}, this app runs {runs}{omitted}"


def _size(delivery: Delivery, artifact: Artifact) -> int:
    files = artifact_files(delivery.manifest.files, str(artifact.path))
    return sum(file.size for file in files.values())
