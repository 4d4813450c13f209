"""What a delivery gives in evidence: how near, how good, and how it was made.

None of it has to be obeyed, so that a reader may do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from fairweather_interface.durations import iso_duration
from fairweather_interface.metadata.record import (
    Digest,
    Duration,
    Name,
    Positive,
    Record,
    Rule,
    Share,
    Text,
    UtcTime,
    Word,
)

_may = partial(Rule, since="0.1")
_later = partial(Rule, since="0.4")


class Tolerance(Record):
    """How far an output may differ: |found - expected| <= absolute + relative * |expected|."""

    absolute: Annotated[Positive, _may("in the output's unit")]
    relative: Annotated[Positive, _may("share of the expected value")]


class Block(Record):
    """A stretch of held-out time [start, end)."""

    start: Annotated[UtcTime, _may("included")]
    end: Annotated[UtcTime, _may("excluded", law="after start")]

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"found a block that ends at {self.end} and starts at {self.start}")
        return self


class Score(Record):
    """How well the model and its baselines did on a part of the held-out values."""

    mae: Annotated[Positive, _later("mean absolute error, in the variable's unit")]
    baselines: Annotated[
        Mapping[Name, Positive],
        _later("by name, such as `persistence` and `climatology`: its mean absolute error"),
        Field(min_length=1),
    ]
    coverage: Annotated[
        Share | None, _later("share of observed values from the lowest to the highest quantile")
    ] = None

    @property
    def skill(self) -> float | None:
        """1 - MAE / MAE of the baseline that is better here; ``None`` where that is perfect."""
        best = min(self.baselines.values())
        return 1 - self.mae / best if best else None


class DayScore(Score):
    """How well one day of the forecast did."""

    day: Annotated[int, _later("of the forecast: 1 is the first 24 hours"), Field(ge=1)]


class AgeScore(Score):
    """How well day 1 did where the newest observations were missing."""

    age: Annotated[Duration, _later("of the newest value of every window, as max_age counts it")]


class Performance(Record):
    """How well the model did for one area and variable on time it was not trained on.

    ``skill`` is 1 - MAE / MAE(the better of persistence and climatology); absent where that
    baseline is perfect. Figures compare only under the same ``evaluation_id``.
    """

    area: Annotated[Word, _may("where")]
    variable: Annotated[Name, _may("what")]
    mae: Annotated[Positive, _may("mean absolute error, in the variable's unit")]
    rmse: Annotated[
        Positive | None, _may("root of the mean squared error, in the variable's unit")
    ] = None
    bias: Annotated[float | None, _may("mean of forecast - observed, in the variable's unit")] = (
        None
    )
    count: Annotated[int | None, _may("how many values were compared"), Field(ge=1)] = None
    held_out: Annotated[
        tuple[Block, ...] | None, _may("time it was not trained on"), Field(min_length=1)
    ] = None
    evaluation_id: Annotated[Digest, _may("of data, blocks, baselines; figures compare under one")]
    skill: Annotated[
        float | None,
        _may("1 - MAE / MAE of the better baseline", newer_law=("1.0", ">=-1e6")),
        Field(le=1),
    ] = None
    skill_interval: Annotated[
        tuple[float, float] | None, _may("of the skill", law="95 % interval, low then high")
    ] = None
    by_lead_day: Annotated[
        tuple[DayScore, ...] | None,
        _later("how far ahead it is to be trusted", law="days 1, 2, 3 … in turn"),
        Field(min_length=1),
    ] = None
    by_age: Annotated[
        tuple[AgeScore, ...] | None,
        _later("day 1, by the age of the newest observations", law="ages rise"),
        Field(min_length=1),
    ] = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.skill_interval is not None and self.skill_interval[0] > self.skill_interval[1]:
            raise ValueError(f"found the skill interval {self.skill_interval}, expected low, high")
        days = [row.day for row in self.by_lead_day or ()]
        if days != list(range(1, len(days) + 1)):
            raise ValueError(f"by_lead_day: found the days {days}, expected 1, 2, 3 … in turn")
        ages = [row.age for row in self.by_age or ()]
        if ages != sorted(set(ages)):
            found = ", ".join(map(iso_duration, ages))
            raise ValueError(f"by_age: found the ages {found}, expected each above the one before")
        return self


class Training(Record):
    """Provenance: how the model was made and what is needed to make it again."""

    data_source: Annotated[Text | None, _may("where they come from")] = None
    data_location: Annotated[Text | None, _may("where they can be had again")] = None
    data_digest: Annotated[Digest | None, _may("of the observations")] = None
    train_start_time: Annotated[UtcTime | None, _may("of the first observation used")] = None
    train_end_time: Annotated[
        UtcTime,
        _may(
            "of the last observation used",
            law="not before train_start_time",
            newer_law=("1.0", "not after created_at"),
        ),
    ]
    recipe: Annotated[Mapping[str, JsonValue] | None, _may("free-form, as it was used")] = None
    seed: Annotated[int | None, _may("of all randomness"), Field(ge=0)] = None
    threads: Annotated[int | None, _may("results may depend on them"), Field(ge=1)] = None
    code_version: Annotated[Word | None, _may("of the training code")] = None
    packages: Annotated[Mapping[str, str] | None, _may("name to version")] = None
    synthetic: Annotated[bool, _may("observations were made up")]

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.train_start_time is not None and self.train_end_time < self.train_start_time:
            raise ValueError(
                f"found training data that end at {self.train_end_time}, before they start at "
                f"{self.train_start_time}"
            )
        return self
