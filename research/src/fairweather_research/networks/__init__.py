"""Networks: what is learned. Everything physical around a network is the graph's.

A network sees the recent past as scaled anomalies (how far from usual, in units of the usual
spread) and answers with scaled anomalies of the forecast. So no network ever handles units, missing
values, calendars or limits.

To add one: write a module with a function ``build(shape, sample)`` as described by ``Build`` and
name it in ``NETWORKS``. Recipes choose it by that name. Modules are imported only when a training
needs them, so that nothing else waits for TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["NETWORKS", "Build", "NetworkInputs", "NetworkShape", "load_network"]

#: Name in recipes -> module that builds it.
NETWORKS = {"recent-anomalies": "fairweather_research.networks.recent_anomalies"}


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """Sizes of what goes into a network and what comes out."""

    inputs: int  # series it sees
    steps: int  # steps of the past it sees, oldest first
    steps_a_day: int
    areas: int
    outputs: int  # variables it forecasts
    leads: int  # steps ahead


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """What a network is called with, as ``[anomalies, present, area]``."""

    anomalies: npt.NDArray[np.float32]  # [rows, inputs, steps], 0 where missing
    present: npt.NDArray[np.float32]  # [rows, inputs, steps], 1 where observed, else 0
    area: npt.NDArray[np.float32]  # [rows, areas], one-hot

    def arrays(self) -> list[npt.NDArray[np.float32]]:
        """In the order of the network's inputs."""
        return [self.anomalies, self.present, self.area]


class Build(Protocol):
    """A function that builds an untrained network."""

    def __call__(self, shape: NetworkShape, sample: NetworkInputs) -> Any:  # noqa: ANN401 - Keras has no types
        """Build a Keras model ``[anomalies, present, area] -> [rows, outputs, leads]``.

        ``sample`` is the training input, for layers that scale themselves to it. The model must
        hold no randomness at inference, and only operations that ONNX can express.
        """


def load_network(name: str) -> Build:
    """Import the builder of a network that ``NETWORKS`` names."""
    return cast("Build", import_module(NETWORKS[name]).build)
