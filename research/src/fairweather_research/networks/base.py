"""Networks: what is learned. Everything physical around a network is the graph's.

A network sees the recent past as scaled anomalies (how far from usual, in units of the usual
spread), which of them are there, the area and the calendar, and answers with scaled anomalies of
the forecast. So no network ever handles units, missing values or limits.

A recipe names one of ``NETWORKS``, or any callable as ``package.module:callable``. Either is a
``Build``: it returns a Keras model, which is fitted here, or an object of its own that can fit
itself (``Network``). What is in TensorFlow becomes part of the SavedModel; what is not says itself
in ONNX (``ExportsOnnx``), and the graph is put around that. Modules are imported only when a
training needs them, so that nothing else waits for TensorFlow.
"""

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

#: Name in recipes -> module whose ``build`` builds it.
NETWORKS = {
    "blend": "fairweather_research.networks.blend",
    "mixer": "fairweather_research.networks.mixer",
    "recent-anomalies": "fairweather_research.networks.recent_anomalies",
}

#: How a recipe names a callable of one's own.
PLUGGED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", flags=re.ASCII)

#: The columns of ``calendar`` that tell the hour: a wave a day and two a day, sine and cosine.
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
    """One pass over the training windows; errors are mean absolute ones of scaled anomalies."""

    number: int
    training: float
    calibration: float


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """Sizes of what goes into a network and what comes out."""

    inputs: int  # series it sees
    steps: int  # steps of the past it sees, oldest first
    steps_a_day: int
    areas: int
    calendar: int  # terms of the calendar
    outputs: int  # variables it forecasts
    leads: int  # steps ahead


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """What a network is called with, as ``[anomalies, present, area, calendar]``, all float32."""

    anomalies: npt.NDArray[np.float32]  # [rows, inputs, steps], 0 where missing
    present: npt.NDArray[np.float32]  # [rows, inputs, steps], 1 where observed, else 0
    area: npt.NDArray[np.float32]  # [rows, areas], one-hot
    calendar: npt.NDArray[np.float32]  # [rows, terms] of the reference time; see ``HOURS``

    #: The names of the inputs, in order; of an ONNX network, too.
    NAMES = ("anomalies", "present", "area", "calendar")

    def __len__(self) -> int:
        return len(self.area)

    def arrays(self) -> list[npt.NDArray[np.float32]]:
        """In the order of the network's inputs."""
        return [self.anomalies, self.present, self.area, self.calendar]

    def rows(self, use: Any) -> NetworkInputs:  # noqa: ANN401 - whatever indexes rows
        """Some of the rows."""
        return NetworkInputs(
            **{name: getattr(self, name)[use] for name in NetworkInputs.NAMES},
        )


class Lessons(NamedTuple):
    """Questions, and what came: what a network learns from, or is checked with."""

    inputs: NetworkInputs
    targets: npt.NDArray[np.float32]  # [rows, outputs, leads] scaled anomalies; NaN does not count


class Network(Protocol):
    """A network that fits itself. It is one of ``InTensorFlow`` and ``ExportsOnnx`` besides."""

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Learn from ``teaching``; decide by ``checking``, which is never learned from.

        Call ``progress`` after every pass over the lessons. Whatever is random comes from seeds
        that were set before: those of Python, NumPy and TensorFlow are the recipe's.
        """

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        """Answer, [rows, outputs, leads]: the same for the same row, whatever stands beside it."""


@runtime_checkable
class InTensorFlow(Network, Protocol):
    """A network that the graph can call: it becomes part of the SavedModel."""

    @property
    def model(self) -> Any:  # noqa: ANN401 - Keras has no types
        """What a ``Build`` may return in its place: callable, with ``variables``."""


@runtime_checkable
class ExportsOnnx(Network, Protocol):
    """A network of another framework: it writes itself as ONNX, whatever else it has."""

    def export_onnx(self, path: Path) -> None:
        """Write the network as ONNX of opset 17, in one file.

        Its inputs are those of ``NetworkInputs.NAMES`` that it reads, with any number of rows; its
        one output is [rows, outputs, leads]. Only operations of ONNX itself, none of them random.
        """


class Build(Protocol):
    """A function that builds an untrained network."""

    def __call__(self, shape: NetworkShape, sample: NetworkInputs) -> Any:  # noqa: ANN401 - Keras has no types
        """Build a Keras model ``[anomalies, present, area, calendar] -> [rows, outputs, leads]``.

        Or a ``Network``. ``sample`` is the training input, for layers that scale themselves to it.
        A Keras model must hold no randomness at inference, and only operations that ONNX can
        express.
        """
