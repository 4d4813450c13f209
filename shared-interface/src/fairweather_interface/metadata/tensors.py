"""The tensors of a model: what it takes, by their roles, and what it gives."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Self

from pydantic import Field, model_validator

from fairweather_interface.errors import short
from fairweather_interface.metadata.record import Duration, Name, Record, Rule, Share, Word

OBSERVATIONS = "observations"
REFERENCE_TIME = "reference_time"
AREA_INDEX = "area_index"
"""The roles an input can have. An open set: a release that does not know a role cannot feed it."""

BATCH = -1
"""The size, in a shape, of the axis that counts requests."""

TENSORS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    OBSERVATIONS: ("float32", None),  # the shape follows from its period and sample rate
    REFERENCE_TIME: ("int64", (BATCH,)),
    AREA_INDEX: ("int64", (BATCH,)),
}
"""What a known role is fed as: its type, and its shape where that is fixed."""

_must = partial(Rule, since="0.1", must_obey=True)
_of_window = partial(_must, law="required of observations")
_OBSERVED = ("variable", "unit", "period", "sample_rate", "max_missing")


class Input(Record):
    """A named tensor that the model takes.

    An input of the role ``observations`` is a window: float32 ``[batch, period / sample_rate]``,
    the values of (t0 - period, t0] in ``unit``, oldest first, NaN where missing, fit when the
    share of missing values is at most ``max_missing`` and the last one that is present stands for a
    time at most ``max_age`` before t0. It is read for the requested area, or, where ``areas`` lists
    members, as the mean over those.
    """

    name: Annotated[Name, _must("the tensor's name")]
    dtype: Annotated[Word, _must("`float32`, `int64`, or another")]
    shape: Annotated[
        tuple[int, ...],
        _must(
            "-1 counts requests", law="of observations [-1, period / sample_rate], a whole number"
        ),
        Field(min_length=1),
    ]
    role: Annotated[Word, _must("`observations`, `reference_time`, `area_index`, or a newer one")]
    variable: Annotated[Name | None, _of_window("what is observed")] = None
    unit: Annotated[Word | None, _of_window("unit of the values")] = None
    period: Annotated[Duration | None, _of_window("the length of the window")] = None
    sample_rate: Annotated[Duration | None, _of_window("the spacing of its samples")] = None
    max_missing: Annotated[Share | None, _of_window("the share that may be missing")] = None
    areas: Annotated[
        tuple[Word, ...] | None,
        _must(
            "a region: the mean over these; absent: the requested area",
            law="without repeats",
            newer_law=("1.0", "each name in its one spelling"),
        ),
        Field(min_length=1),
    ] = None
    max_age: Annotated[
        Duration | None,
        _must(
            "how old the newest value may be, in whole samples; absent: as old as the window",
            law="of observations; not above the period",
            since="0.4",
        ),
    ] = None

    @property
    def samples(self) -> int:
        """The number of values in a window; for inputs of the role ``observations``."""
        return self.shape[-1]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.areas is not None and len(set(self.areas)) < len(self.areas):
            raise ValueError(f"input {self.name!r}: found an area twice in {list(self.areas)}")
        if self.role in TENSORS and self.role != OBSERVATIONS and self.max_age is not None:
            raise ValueError(f"input {self.name!r}: found max_age, expected with observations only")
        if self.role != OBSERVATIONS:
            return self
        absent = [name for name in _OBSERVED if getattr(self, name) is None]
        if absent:
            raise ValueError(
                f"input {self.name!r}: found no {', '.join(absent)}, expected with observations"
            )
        if self.period is None or self.sample_rate is None:  # narrows the types
            return self
        samples, rest = divmod(self.period, self.sample_rate)
        if rest:
            raise ValueError(
                f"input {self.name!r}: found a period of {self.period} at a sample rate of "
                f"{self.sample_rate}, expected a whole number of samples"
            )
        if self.max_age is not None and self.max_age > self.period:
            raise ValueError(
                f"input {self.name!r}: found a max_age of {self.max_age}, expected at most its "
                f"period of {self.period}"
            )
        if self.shape != (BATCH, samples):
            raise ValueError(
                f"input {self.name!r}: found shape {short(list(self.shape))}, expected "
                f"{[BATCH, samples]} from its period and sample rate"
            )
        return self


class Output(Record):
    """A named tensor of forecasts: float32 ``[batch, steps]``; value k is for t0 + k * step."""

    name: Annotated[Name, _must("the tensor's name")]
    variable: Annotated[Name, _must("what is forecast")]
    unit: Annotated[Word, _must("unit of the values")]
    step: Annotated[Duration, _must("value k is for t0 + k · step")]
    shape: Annotated[
        tuple[int, ...],
        _must("-1 counts requests", law="[-1, steps], steps >= 1"),
        Field(min_length=2, max_length=2),
    ]

    @property
    def horizon(self) -> timedelta:
        """The furthest lead time."""
        return self.step * self.shape[-1]

    @model_validator(mode="after")
    def _ahead(self) -> Self:
        batch, steps = self.shape
        if batch != BATCH or not 1 <= steps <= timedelta.max // self.step:
            raise ValueError(
                f"output {self.name!r}: found shape {short(list(self.shape))}, expected "
                f"[{BATCH}, steps] with a number of steps that a calendar can count"
            )
        return self
