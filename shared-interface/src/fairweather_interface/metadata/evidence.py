"""What a delivery gives in evidence: how near, how good, and how it was made.

None of it has to be obeyed, so that a reader may do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from fairweather_interface.metadata.record import (
    Digest,
    Name,
    Positive,
    Record,
    Rule,
    Text,
    UtcTime,
    Word,
)

_MAY = Rule(since="0.1")


class Tolerance(Record):
    """How far an output may differ: |found - expected| <= absolute + relative * |expected|."""

    absolute: Annotated[Positive, _MAY]
    relative: Annotated[Positive, _MAY]


class Block(Record):
    """A stretch of held-out time [start, end)."""

    start: Annotated[UtcTime, _MAY]
    end: Annotated[UtcTime, Rule(since="0.1", law="after start")]

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"found a block that ends at {self.end} and starts at {self.start}")
        return self


class Performance(Record):
    """How well the model did for one area and variable on time it was not trained on.

    ``skill`` is 1 - MAE / MAE(the better of persistence and climatology); absent where that
    baseline is perfect. Figures compare only under the same ``evaluation_id``.
    """

    area: Annotated[Word, _MAY]
    variable: Annotated[Name, _MAY]
    mae: Annotated[Positive, _MAY]
    rmse: Annotated[Positive, _MAY]
    bias: Annotated[float, _MAY]
    count: Annotated[int, _MAY, Field(ge=1)]
    held_out: Annotated[tuple[Block, ...], _MAY, Field(min_length=1)]
    evaluation_id: Annotated[Digest, _MAY]
    skill: Annotated[float | None, _MAY, Field(le=1)] = None
    skill_interval: Annotated[
        tuple[float, float] | None, Rule(since="0.1", law="95 % interval, low then high")
    ] = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.skill_interval is not None and self.skill_interval[0] > self.skill_interval[1]:
            raise ValueError(f"found the skill interval {self.skill_interval}, expected low, high")
        return self


class Training(Record):
    """Provenance: how the model was made and what is needed to make it again."""

    data_source: Annotated[Text, _MAY]
    data_location: Annotated[Text, _MAY]
    data_digest: Annotated[Digest, _MAY]
    train_start_time: Annotated[UtcTime, _MAY]
    train_end_time: Annotated[UtcTime, Rule(since="0.1", law="not before train_start_time")]
    recipe: Annotated[Mapping[str, JsonValue], _MAY]
    seed: Annotated[int, _MAY, Field(ge=0)]
    threads: Annotated[int, _MAY, Field(ge=1)]
    code_version: Annotated[Word, _MAY]
    packages: Annotated[Mapping[str, str], _MAY]
    synthetic: Annotated[bool, _MAY]

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.train_end_time < self.train_start_time:
            raise ValueError(
                f"found training data that end at {self.train_end_time}, before they start at "
                f"{self.train_start_time}"
            )
        return self
