"""The description of a model: what its file cannot say, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fairweather_interface.definitions import load_yaml
from fairweather_interface.durations import parse_duration
from fairweather_interface.errors import PackError, in_words, listed, short
from fairweather_interface.manifest import read_document
from fairweather_interface.metadata import (
    BATCH,
    OBSERVATIONS,
    Area,
    Bounds,
    Tolerance,
    Training,
)
from fairweather_interface.metadata.record import Name, Share, Text, Word
from fairweather_interface.metadata.tensors import TENSORS
from fairweather_interface.problems import problems_of
from fairweather_interface.variables import VARIABLES, Variable, named_rows

_LONGEST = 1 << 20  # bytes of a description
_WINDOW = ("variable", "period", "sample_rate")
_Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
_Month = Annotated[int, Field(ge=1, le=12, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class DescribedInput(_Part):
    """An input in the words of metadata: the window it takes, or the role it has."""

    role: Literal["observations", "reference_time", "area_index"] = "observations"
    variable: Name | None = None
    period: _Duration | None = None
    sample_rate: _Duration | None = None
    max_missing: Share = 0.0
    max_age: _Duration | None = None
    areas: tuple[Word, ...] | None = None
    domain: Bounds | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        absent = [name for name in _WINDOW if getattr(self, name) is None]
        if self.role == OBSERVATIONS and absent:
            raise ValueError(
                f"found no {in_words(absent)}, expected {in_words(_WINDOW)}, or a role"
            )
        if self.role != OBSERVATIONS and self.model_fields_set != {"role"}:
            raise ValueError(f"found more than the role {self.role}, expected nothing beside it")
        if self.period is not None and self.sample_rate and self.period % self.sample_rate:
            raise ValueError("found a part of a sample in the period, expected whole samples")
        return self

    @property
    def tensor(self) -> tuple[str, tuple[int, ...]]:
        """The type and the shape of what it takes."""
        dtype, shape = TENSORS[self.role]
        if self.period is not None and self.sample_rate is not None:
            shape = (BATCH, self.period // self.sample_rate)
        return dtype, shape or (BATCH,)


class DescribedOutput(_Part):
    """An output: what it forecasts, and how far ahead."""

    variable: Name
    step: _Duration
    horizon: _Duration
    tolerance: Tolerance | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.horizon % self.step:
            raise ValueError("found a part of a step in the horizon, expected whole steps")
        return self

    @property
    def tensor(self) -> tuple[str, tuple[int, ...]]:
        """The type and the shape of what it gives."""
        return "float32", (BATCH, self.horizon // self.step)


class Description(_Part):
    """A description, read; inputs and outputs go by the names of the model's tensors."""

    author: Word
    model_type: Word
    topic: Text | None = None
    areas: Annotated[Mapping[Word, Area], Field(min_length=1)]
    inputs: Annotated[Mapping[Name, DescribedInput], Field(min_length=1)]
    outputs: Annotated[Mapping[Name, DescribedOutput], Field(min_length=1)]
    variables: Annotated[Mapping[Name, Variable], BeforeValidator(named_rows)] = Field(
        default_factory=dict
    )
    valid_months: tuple[_Month, ...] = tuple(range(1, 13))
    training: Training
    intended_use: Text | None = None
    limitations: Text | None = None
    licence: Word | None = None
    contact: Word | None = None

    @property
    def rows(self) -> Mapping[str, Variable]:
        """The row of every variable: the packaged ones, and the description's own."""
        return {**VARIABLES, **self.variables}

    @property
    def tensors(self) -> Mapping[str, DescribedInput | DescribedOutput]:
        """Every tensor by its place, such as ``inputs.x``."""
        inputs = {f"inputs.{name}": item for name, item in self.inputs.items()}
        return {**inputs, **{f"outputs.{name}": item for name, item in self.outputs.items()}}

    @model_validator(mode="after")
    def _variables_known(self) -> Self:
        problems = [
            f"{place}.variable: found {short(item.variable)}, expected one of "
            f"{in_words(self.rows)}, or a row for it under variables"
            for place, item in self.tensors.items()
            if item.variable is not None and item.variable not in self.rows
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


_PARTS = (Description, DescribedInput, DescribedOutput, Area, Bounds, Tolerance, Training)
_KEYS = {name for part in _PARTS for name in part.model_fields}


def read_description(path: Path) -> Description:
    """Return the description that a YAML file holds.

    Raises:
        PackError: it cannot be read or used; ``problems`` lists every reason with its place.
    """
    try:
        text = read_document(path.resolve(), _LONGEST).decode("utf-8")
        return Description.model_validate(load_yaml(text), extra="forbid")
    except ValidationError as error:
        problems = problems_of(error, known=_KEYS)
    except yaml.YAMLError as error:
        problems = (" ".join(str(error).split()),)
    except (OSError, ValueError) as error:
        problems = (f"{error}; expected the path of a YAML file in UTF-8",)
    raise PackError(
        listed(f"found a description we cannot use in {path}:", problems), problems=problems
    )
