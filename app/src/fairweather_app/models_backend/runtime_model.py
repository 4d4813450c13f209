"""`RuntimeModel`: a delivered model, loaded, with what it declares; it can predict.

A backend makes the `Session` that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

import fairweather_interface.metadata as interface
import numpy as np
import numpy.typing as npt
from fairweather_interface.delivery import Delivery
from fairweather_interface.variables import Variable

from fairweather_app.errors import AppError, PredictionError
from fairweather_app.models_backend.capabilities import Capability, band_of, can
from fairweather_app.observations.windows import Window

ROLES = (interface.OBSERVATIONS, interface.REFERENCE_TIME, interface.AREA_INDEX)
"""The roles of inputs that this release can supply."""

Values = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type and shape of an input or output; None is a size, or all of them, that is left open."""

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ", ".join(str(size or "?") for size in self.shape)
        return f"{self.dtype} [{sizes}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """The named, typed inputs and outputs of an artifact, as its runtime sees them."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class Session(Protocol):
    """A loaded artifact. Safe to run from several threads at once."""

    @property
    def runtime(self) -> str:
        """Name and version of its runtime: ``onnxruntime 1.32.0``."""

    @property
    def signature(self) -> Signature:
        """Its inputs and outputs."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """Run one batch and return the named outputs; a failure is `PredictionError`."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The forecast of one variable: float32 (steps,), with bounds if it can `UNCERTAINTY`."""

    value: Values
    lower: Values | None = None
    upper: Values | None = None


Predictions = dict[str, Prediction]
"""Predictions of a model by variable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RuntimeModel:
    """A verified delivery and the session that runs it, in some `memory` (bytes). Immutable.

    `format` is that of the artifact which is loaded, where `load` loaded it.
    """

    delivery: Delivery
    session: Session
    memory: int = 0
    format: str | None = None

    @property
    def delivery_id(self) -> str:
        """The id research gave it."""
        return self.metadata.delivery_id

    @property
    def metadata(self) -> interface.ModelMetadata:
        """What it declares of itself."""
        return self.delivery.metadata

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """The areas it declares; a position in here is what the model knows an area by."""
        return tuple(self.metadata.areas)

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """The row of every variable that the contract knows or it declares, by name."""
        return self.metadata.variable_table

    @cached_property
    def required_inputs(self) -> tuple[interface.Input, ...]:
        """The inputs that observations have to be supplied for."""
        return self.metadata.required_inputs

    @cached_property
    def bands(self) -> dict[str, tuple[interface.Quantile, interface.Quantile]]:
        """The quantiles shown as lower and upper, by the variables that have them."""
        bands = {each.variable: band_of(self.metadata, each) for each in self.metadata.outputs}
        return {variable: band for variable, band in bands.items() if band is not None}

    def can(self, capability: Capability, variable: str | None = None) -> bool:
        """Return whether it has a capability: of `variable`, or of any that it forecasts."""
        return can(self.metadata, capability, variable)

    def skill(self, area: str, variable: str) -> float | None:
        """Return its held-out skill; None where it states none."""
        for stated in self.metadata.performance:
            if (stated.area, stated.variable) == (area, variable):
                return stated.skill
        return None

    def predict(
        self, area: str, reference_time: datetime, windows: Mapping[str, Window]
    ) -> Predictions:
        """Forecast one area from the windows of its required inputs, keyed by input name.

        The result is by variable; value k (from 1) is for reference_time + k * step. Bands come
        out of the same run as values. Nothing is checked here: see `checks`. A runtime that fails
        is `PredictionError`.
        """
        feeds: Arrays = {}
        for each in self.metadata.inputs:
            if each.role == interface.OBSERVATIONS:
                feeds[each.name] = windows[each.name].values[np.newaxis, :]
            elif each.role == interface.REFERENCE_TIME:
                feeds[each.name] = np.array([int(reference_time.timestamp())], dtype=np.int64)
            else:
                feeds[each.name] = np.array([self.areas.index(area)], dtype=np.int64)
        return self.predictions(self.run(feeds, self._asked_for), 0)

    def run(self, feeds: Arrays, outputs: Sequence[str]) -> Arrays:
        """Run one batch and return the named outputs: float32, of the declared shape, a row a feed.

        Whatever fails, or comes out otherwise, is `PredictionError`.
        """
        try:
            found = self.session.run(feeds, outputs)
            arrays = {name: np.asarray(found[name]) for name in outputs}
        except AppError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise PredictionError(f"{self.session.runtime} failed: {what}") from error
        rows = len(next(iter(feeds.values())))
        for name, array in arrays.items():
            shape = (rows, *self.tensors[name].shape[1:])
            if array.shape != shape or array.dtype != np.float32:
                raise PredictionError(
                    f"output {name!r} came out as {array.dtype} {array.shape}, expected float32 "
                    f"{shape}"
                )
        return arrays

    def predictions(self, found: Arrays, row: int) -> Predictions:
        """Return the predictions of one row of a batch; `found` holds tensors by name."""
        made = {}
        for each in self.metadata.outputs:
            band: tuple[interface.Quantile, ...] = self.bands.get(each.variable, ())
            made[each.variable] = Prediction(
                found[each.name][row], *(found[quantile.name][row] for quantile in band)
            )
        return made

    @cached_property
    def tensors(self) -> Mapping[str, interface.Output]:
        """The tensors that it must give, each with the output that has its shape."""
        outputs = {each.name: each for each in self.metadata.outputs}
        return outputs | {
            each.name: outputs[each.output] for each in self.metadata.uncertainty or ()
        }

    @cached_property
    def _asked_for(self) -> tuple[str, ...]:
        quantiles = [each.name for band in self.bands.values() for each in band]
        return (*(each.name for each in self.metadata.outputs), *quantiles)
