"""What a backend is: something that makes a `RuntimeModel` of a delivery's id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import Artifact
from fairweather_interface.software import Runtime

from fairweather_app.runtime_model import RuntimeModel

Deliveries = Callable[[str], Delivery]
"""Gives the verified delivery of an id; raises KeyError when there is none."""


class ModelsBackend(Protocol):
    """Runs artifacts of one format. To add one, write this and name it in `application`."""

    @property
    def format(self) -> str:
        """The artifact format it runs, as metadata names it."""

    def describe(self) -> Runtime:
        """What it can run, for the software manifest."""

    def cannot_run(self, artifact: Artifact) -> str | None:
        """Why an artifact needs more than this runtime offers; None when it can be tried."""

    def load_by_id(self, delivery_id: str) -> RuntimeModel:
        """Load the delivery's artifact of this format.

        Raises:
            LoadError: the runtime does not take the artifact.
        """


def artifact_of(delivery: Delivery, format_: str) -> Artifact | None:
    """The artifact of one format that a delivery carries; None when it was left out."""
    for artifact in delivery.metadata.artifacts:
        if artifact.format == format_ and artifact.path is not None:
            return artifact
    return None
