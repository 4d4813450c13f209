"""`RuntimeModel`: a delivered model, loaded, that knows what it declares and can predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import (
    AREA_INDEX,
    OBSERVATIONS,
    REFERENCE_TIME,
    Input,
    ModelMetadata,
    Performance,
)

from fairweather_app.observations.windows import Window
from fairweather_app.session import Arrays, Session

ROLES = (OBSERVATIONS, REFERENCE_TIME, AREA_INDEX)
"""The roles of inputs that this release can feed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RuntimeModel:
    """A verified delivery and the session that runs it. Immutable, and shared between threads."""

    delivery: Delivery
    session: Session

    @property
    def delivery_id(self) -> str:
        """The id research gave it."""
        return self.metadata.delivery_id

    @property
    def metadata(self) -> ModelMetadata:
        """What it declares of itself."""
        return self.delivery.metadata

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """The areas it declares; a position in here is what the model knows an area by."""
        return tuple(self.metadata.areas)

    @cached_property
    def required_inputs(self) -> tuple[Input, ...]:
        """The observations it has to be fed with."""
        return self.metadata.required_inputs

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """What it forecasts."""
        return self.metadata.variables

    def performance(self, area: str, variable: str) -> Performance | None:
        """How well it did on held-out time, None where it states nothing."""
        return self._performance.get((area, variable))

    def skill(self, area: str, variable: str) -> float | None:
        """Its held-out skill, None where it states none."""
        stated = self.performance(area, variable)
        return None if stated is None else stated.skill

    def predict(
        self, area: str, reference_time: datetime, windows: Mapping[str, Window]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Forecast one area from the windows of its required inputs, keyed by input name.

        The result maps each variable to float32, shape (steps,), in the output's unit; value k
        (from 1) is for reference_time + k * step. Nothing is checked: see `fitness`.

        Raises:
            PredictionError: the runtime failed.
        """
        feeds: Arrays = {}
        for each in self.metadata.inputs:
            if each.role == OBSERVATIONS:
                feeds[each.name] = windows[each.name].values[np.newaxis, :]
            elif each.role == REFERENCE_TIME:
                feeds[each.name] = np.array([int(reference_time.timestamp())], dtype=np.int64)
            else:
                feeds[each.name] = np.array([self.areas.index(area)], dtype=np.int64)
        outputs = self.metadata.outputs
        found = self.session.run(feeds, [each.name for each in outputs])
        return {each.variable: found[each.name][0] for each in outputs}

    @cached_property
    def _performance(self) -> dict[tuple[str, str], Performance]:
        return {(each.area, each.variable): each for each in self.metadata.performance}
