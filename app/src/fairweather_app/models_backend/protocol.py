"""The protocol of backends: each makes a `RuntimeModel` of a delivery.

`forecasting.context` chooses the app's own; the setting ``FAIRWEATHER_BACKENDS`` names others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import Artifact
from fairweather_interface.software import Runtime

from fairweather_app.errors import SettingsError
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

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

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
    return found


def artifact_of(delivery: Delivery, format_: str) -> Artifact | None:
    """Return the artifact of one format in a delivery; None when it was left out."""
    for artifact in delivery.metadata.artifacts:
        if artifact.format == format_ and artifact.path is not None:
            return artifact
    return None
