"""The protocols of networks, and their inputs; see ``fairweather_research.networks``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol, runtime_checkable

from pydantic import Field

from fairweather_research.document import StrictModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

#: Name in recipes -> module whose ``build`` builds the network.
NETWORKS = {
    "blend": "fairweather_research.networks.blend",
    "mixer": "fairweather_research.networks.mixer",
    "recent-anomalies": "fairweather_research.networks.recent_anomalies",
}

#: How a recipe names a callable of one's own.
PLUGGED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", flags=re.ASCII)

#: The columns of ``calendar`` for the hour: a wave a day and two a day, sine and cosine.
HOURS = slice(2, 6)


class FitPlan(StrictModel):
    """How the network is fitted; training stops early when calibration time no longer improves."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Largest number of passes over the training windows."""
    patience: Annotated[int, Field(ge=1)] = 6
    """Passes without improvement on calibration time before training stops."""
    batch_size: Annotated[int, Field(ge=1)] = 256
    """Windows in one step of the optimizer."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    """Learning rate of the optimizer (Adam)."""


class EpochRecord(StrictModel):
    """One pass over the training windows; errors are mean absolute errors of scaled anomalies."""

    number: int
    training: float
    calibration: float


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """The sizes of a network's inputs and outputs."""

    inputs: int  # series it sees
    steps: int  # steps of the past it sees, oldest first
    steps_a_day: int
    areas: int
    calendar: int  # terms of the calendar
    outputs: int  # variables it forecasts
    leads: int  # steps ahead: those asked for, and as many more as a newest value may be old


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """The inputs of a network, as ``[anomalies, present, area, calendar]``, all float32."""

    anomalies: npt.NDArray[np.float32]  # [rows, inputs, steps], 0 where missing
    present: npt.NDArray[np.float32]  # [rows, inputs, steps], 1 where observed, else 0
    area: npt.NDArray[np.float32]  # [rows, areas], one-hot
    calendar: npt.NDArray[np.float32]  # [rows, terms] of the reference time; see ``HOURS``

    #: The names of the inputs, in order; of an ONNX network, too.
    NAMES = ("anomalies", "present", "area", "calendar")

    def __len__(self) -> int:
        return len(self.area)

    def arrays(self) -> list[npt.NDArray[np.float32]]:
        """Return the inputs in the order of ``NAMES``."""
        return [getattr(self, name) for name in self.NAMES]

    def rows(self, use: Any) -> NetworkInputs:  # noqa: ANN401 - whatever indexes rows
        """Return some of the rows."""
        return NetworkInputs(**{name: getattr(self, name)[use] for name in self.NAMES})

    def loaded(self) -> NetworkInputs:
        """Return the inputs as arrays; while fitting, some are cut out of series when read."""
        import numpy as np  # noqa: PLC0415 - reading a recipe needs none of it

        return NetworkInputs(**{name: np.asarray(getattr(self, name)) for name in self.NAMES})


class Lessons(NamedTuple):
    """Inputs and observed targets, to fit a network to or to decide with when to stop."""

    inputs: NetworkInputs
    targets: npt.NDArray[np.float32]  # [rows, outputs, leads] scaled anomalies; NaN does not count


class Network(Protocol):
    """A network that fits itself. It is also one of ``InTensorFlow`` and ``ExportsOnnx``."""

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Fit to ``teaching``; decide with ``checking``, which is never fitted to, when to stop.

        Call ``progress`` after every pass. Take random numbers from generators that are seeded
        already: Python's, NumPy's and TensorFlow's have the recipe's seed.
        """

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        """Return scaled anomalies, [rows, outputs, leads]; no row may depend on the others."""


@runtime_checkable
class InTensorFlow(Network, Protocol):
    """A network that the graph can call: it becomes part of the SavedModel."""

    @property
    def model(self) -> Any:  # noqa: ANN401 - Keras has no types
        """A Keras model, or another callable that has ``variables``."""


@runtime_checkable
class ExportsOnnx(Network, Protocol):
    """A network of another framework, which exports itself as ONNX."""

    def export_onnx(self, path: Path) -> None:
        """Write the network as ONNX of opset 17, in one file.

        Its inputs are those of ``NetworkInputs.NAMES`` that it reads, with any number of rows; its
        one output is [rows, outputs, leads]. It may hold operations of ONNX itself, and of
        ``ai.onnx.ml`` up to opset 3 (trees), none of them random.
        """


class Build(Protocol):
    """A function that builds an untrained network."""

    def __call__(self, shape: NetworkShape, sample: NetworkInputs) -> Any:  # noqa: ANN401 - Keras has no types
        """Build a Keras model ``[anomalies, present, area, calendar] -> [rows, outputs, leads]``.

        Or a ``Network``. ``sample`` is the training input, for layers that scale themselves to it.
        A Keras model must hold no randomness at inference, and only operations that ONNX can
        express.
        """
