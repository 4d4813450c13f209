"""The protocol of backends: each makes a `RuntimeModel` of a delivery.

`forecasting.context` chooses the app's own; the setting ``FAIRWEATHER_BACKENDS`` names others.
`load` is the one place where a model is loaded, by the first that takes one of its artifacts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import Artifact
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime

from fairweather_app.errors import LoadError, SettingsError
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.settings import find_named

GROUP = "fairweather_app.backends"
"""The group of entry points that name backends, each a callable of `Deliveries`."""
Deliveries = Callable[[str], Delivery]
"""Returns the delivery of an id, verified now; raises as `DeliveryCache.fetch_verified`."""


class ModelsBackend(ABC):
    """Runs artifacts of one format."""

    format: str
    """The artifact format it runs, as metadata names it."""
    name: str = ""
    """The name that `find_backend` makes it by; empty for that of its class."""
    elsewhere: ClassVar[bool] = False
    """Whether a server runs the models: then nothing of a delivery runs in this process."""
    test_seconds: ClassVar[int] = 5
    """Seconds of processor time that loading a model and running its examples may take."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Import what loading needs, if that is not done with this module."""

    @abstractmethod
    def describe(self) -> Runtime:
        """Describe what it can run, for the software manifest."""

    @abstractmethod
    def cannot_run(self, artifact: Artifact) -> str | None:
        """Return why an artifact needs more than this runtime offers; None when it can be tried."""

    @abstractmethod
    def load(self, delivery: Delivery) -> RuntimeModel:
        """Load a verified delivery's artifact of this format, or raise `LoadError`."""

    def load_by_id(self, delivery_id: str) -> RuntimeModel:
        """Verify a delivery and load its artifact of this format; raises what either does."""
        return self.load(self._deliveries(delivery_id))


def find_backend(name: str, deliveries: Deliveries) -> ModelsBackend:
    """Make the backend of a name, or raise `SettingsError`."""
    make = find_named("backends", name, GROUP)
    try:
        found = make(deliveries)
    except Exception as error:  # noqa: BLE001 - foreign code
        found = error
    if not isinstance(found, ModelsBackend):
        problem = f"FAIRWEATHER_BACKENDS is {name!r}: expected it to give a ModelsBackend"
        raise SettingsError([f"{problem}, found {found!r}"])
    found.name = name
    return found


def load(delivery: Delivery, backends: Sequence[ModelsBackend]) -> RuntimeModel:
    """Load a verified delivery with the first backend that takes one of its artifacts.

    Whatever else than `OSError` keeps it from being loaded is `LoadError`.
    """
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
            return replace(backend.load(delivery), format=backend.format)
        except LoadError as error:
            if error.code is not Code.RUNTIME_UNAVAILABLE:
                raise
            reasons.append(str(error))
        except OSError:
            raise
        except Exception as error:
            reason = f"{artifact.path} cannot be loaded: {type(error).__name__}: {error}"
            raise LoadError(Code.CORRUPT, reason) from error
    raise LoadError(
        Code.RUNTIME_UNAVAILABLE, "; ".join(reasons) or _no_artifact(delivery, backends)
    )


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


def artifact_of(delivery: Delivery, format_: str) -> Artifact | None:
    """Return the artifact of one format in a delivery; None when it was left out."""
    for artifact in delivery.metadata.artifacts:
        if artifact.format == format_ and artifact.path is not None:
            return artifact
    return None
