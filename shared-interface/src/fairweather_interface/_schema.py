"""The newest schema: the records that metadata consists of, and their laws.

Every field carries its :class:`Rule`, from which the field ledger is made. What is written and
read by these records, and who may, is :mod:`fairweather_interface.metadata`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from fairweather_interface._record import Duration, Record, Rule, UtcTime, unknown_fields
from fairweather_interface._rows import rows
from fairweather_interface._zones import known_zone
from fairweather_interface.errors import short
from fairweather_interface.versions import SCHEMA_VERSION_PATTERN, known_version

OBSERVATIONS = "observations"
REFERENCE_TIME = "reference_time"
AREA_INDEX = "area_index"
"""The roles an input can have. An open set: a release that does not know a role cannot feed it."""

SAVED_MODEL = "tensorflow-saved-model"
ONNX = "onnx"
"""The artifact formats. An open set: a release runs those it has a runtime for."""

BATCH = -1
"""The size, in a shape, of the axis that counts requests."""

DELIVERY_ID_PATTERN = (
    "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"  # UUID, version 4
)


def _must(law: str | None = None) -> Rule:
    return Rule(since="0.1", must_obey=True, law=law)


_MUST = _must()
_MAY = Rule(since="0.1")
_OF_OBSERVATIONS = _must("required of observations")
_Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
_Word = Annotated[str, Field(min_length=1, max_length=200)]
_Text = Annotated[str, Field(min_length=1, max_length=10000)]
_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
_Month = Annotated[int, Field(ge=1, le=12)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(ge=0)]
TENSORS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    OBSERVATIONS: ("float32", None),  # the shape follows from its period and sample rate
    REFERENCE_TIME: ("int64", (BATCH,)),
    AREA_INDEX: ("int64", (BATCH,)),
}
_OBSERVED = ("variable", "unit", "period", "sample_rate", "max_missing")


class Area(Record):
    """A place a model can forecast for."""

    latitude: Annotated[float, Rule(since="0.1", unit="degree_north"), Field(ge=-90, le=90)]
    longitude: Annotated[float, Rule(since="0.1", unit="degree_east"), Field(ge=-180, le=180)]
    timezone: Annotated[str, _must("IANA time zone")]

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_zone(name)


class Input(Record):
    """A named tensor the model is fed with.

    An input of the role ``observations`` is a window: float32 ``[batch, period / sample_rate]``,
    the values of (t0 - period, t0] in ``unit``, oldest first, NaN where missing, fit when the
    share of missing values is at most ``max_missing``. It is read for the requested area, or,
    where ``areas`` lists members, as the mean over those.
    """

    name: Annotated[_Name, _MUST]
    dtype: Annotated[_Word, _MUST]
    shape: Annotated[
        tuple[int, ...],
        _must("of observations [-1, period / sample_rate], a whole number"),
        Field(min_length=1),
    ]
    role: Annotated[_Word, _MUST]
    variable: Annotated[_Name | None, _OF_OBSERVATIONS] = None
    unit: Annotated[_Word | None, _OF_OBSERVATIONS] = None
    period: Annotated[Duration | None, _OF_OBSERVATIONS] = None
    sample_rate: Annotated[Duration | None, _OF_OBSERVATIONS] = None
    max_missing: Annotated[_Share | None, _OF_OBSERVATIONS] = None
    areas: Annotated[tuple[_Word, ...] | None, _must("without repeats"), Field(min_length=1)] = None

    @property
    def samples(self) -> int:
        """The number of values in a window; for inputs of the role ``observations``."""
        return self.shape[-1]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.areas is not None and len(set(self.areas)) < len(self.areas):
            raise ValueError(f"input {self.name!r}: found an area twice in {list(self.areas)}")
        if self.role != OBSERVATIONS:
            return self
        absent = [name for name in _OBSERVED if getattr(self, name) is None]
        if absent:
            raise ValueError(
                f"input {self.name!r}: found no {', '.join(absent)}, expected with observations"
            )
        if self.period is None or self.sample_rate is None:  # narrows; told above
            return self
        samples, rest = divmod(self.period, self.sample_rate)
        if rest:
            raise ValueError(
                f"input {self.name!r}: found a period of {self.period} at a sample rate of "
                f"{self.sample_rate}, expected a whole number of samples"
            )
        if self.shape != (BATCH, samples):
            raise ValueError(
                f"input {self.name!r}: found shape {short(list(self.shape))}, expected "
                f"{[BATCH, samples]} from its period and sample rate"
            )
        return self


class Output(Record):
    """A named tensor of forecasts: float32 ``[batch, steps]``; value k is for t0 + k * step."""

    name: Annotated[_Name, _MUST]
    variable: Annotated[_Name, _MUST]
    unit: Annotated[_Word, _MUST]
    step: Annotated[Duration, _MUST]
    shape: Annotated[
        tuple[int, ...], _must("[-1, steps], steps >= 1"), Field(min_length=2, max_length=2)
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


class ArtifactNeeds(Record):
    """What a runtime must offer to run an artifact."""

    opset: Annotated[int | None, _MUST, Field(ge=1)] = None
    ir_version: Annotated[int | None, _MUST, Field(ge=1)] = None
    tensorflow: Annotated[
        _Word | None, Rule(since="0.1", must_obey=True, law="a version by PEP 440")
    ] = None

    @field_validator("tensorflow")
    @classmethod
    def _version(cls, text: str | None) -> str | None:
        return text if text is None else known_version(text)


class Artifact(Record):
    """One serialized form of the model, or the reason why that form was left out."""

    format: Annotated[_Word, _MUST]
    path: Annotated[_Word | None, _must("either path or omitted")] = None
    canonical: Annotated[bool, _MAY] = False
    needs: Annotated[ArtifactNeeds | None, _MUST] = None
    omitted: Annotated[_Text | None, Rule(since="0.1", law="either path or omitted")] = None

    @model_validator(mode="after")
    def _there_or_not(self) -> Self:
        if (self.path is None) == (self.omitted is None):
            raise ValueError(
                f"artifact {self.format!r}: expected either the path where it lies or, as "
                "omitted, the reason why it was left out"
            )
        return self


class Tolerance(Record):
    """How far an output may differ: |found - expected| <= absolute + relative * |expected|."""

    absolute: Annotated[_Positive, _MAY]
    relative: Annotated[_Positive, _MAY]


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

    area: Annotated[_Word, _MAY]
    variable: Annotated[_Name, _MAY]
    mae: Annotated[_Positive, _MAY]
    rmse: Annotated[_Positive, _MAY]
    bias: Annotated[float, _MAY]
    count: Annotated[int, _MAY, Field(ge=1)]
    held_out: Annotated[tuple[Block, ...], _MAY, Field(min_length=1)]
    evaluation_id: Annotated[_Digest, _MAY]
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

    data_source: Annotated[_Text, _MAY]
    data_location: Annotated[_Text, _MAY]
    data_digest: Annotated[_Digest, _MAY]
    train_start_time: Annotated[UtcTime, _MAY]
    train_end_time: Annotated[UtcTime, Rule(since="0.1", law="not before train_start_time")]
    recipe: Annotated[Mapping[str, JsonValue], _MAY]
    seed: Annotated[int, _MAY, Field(ge=0)]
    threads: Annotated[int, _MAY, Field(ge=1)]
    code_version: Annotated[_Word, _MAY]
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


class ModelMetadata(Record):
    """The contract file ``metadata.json``."""

    schema_version: Annotated[str, _MUST, Field(pattern=SCHEMA_VERSION_PATTERN)]
    min_reader: Annotated[str, _MUST, Field(pattern=SCHEMA_VERSION_PATTERN)]
    delivery_id: Annotated[
        str,
        _MUST,
        Field(pattern=DELIVERY_ID_PATTERN),
    ]
    created_at: Annotated[UtcTime, _MAY]
    topic: Annotated[_Text, _MAY]
    author: Annotated[_Word, _MAY]
    model_type: Annotated[_Word, _MAY]
    areas: Annotated[
        Mapping[_Word, Area],
        _must("area_index counts in this order"),
        Field(min_length=1),
    ]
    inputs: Annotated[tuple[Input, ...], _must("names unique and no output's"), Field(min_length=1)]
    outputs: Annotated[tuple[Output, ...], _must("names and variables unique"), Field(min_length=1)]
    artifacts: Annotated[
        tuple[Artifact, ...],
        _must("exactly one is canonical and has a path"),
        Field(min_length=1),
    ]
    model_digest: Annotated[_Digest, _MAY]
    tolerance: Annotated[Mapping[str, Tolerance], Rule(since="0.1", law="every output has one")]
    performance: Annotated[tuple[Performance, ...], _MAY]
    valid_months: Annotated[
        tuple[_Month, ...],
        _must("ascending, local months of the reference time"),
        Field(min_length=1, max_length=12),
    ]
    training: Annotated[Training, _MAY]
    max_temperature_seen: Annotated[
        float | None, Rule(since="0.1", must_obey=True, unit="degC")
    ] = None
    max_humidity_seen: Annotated[float | None, Rule(since="0.2", must_obey=True, unit="%")] = None

    @property
    def required_inputs(self) -> tuple[Input, ...]:
        """The inputs that hold observations, in order."""
        return tuple(item for item in self.inputs if item.role == OBSERVATIONS)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables the model forecasts, in order."""
        return tuple(output.variable for output in self.outputs)

    @property
    def horizon(self) -> timedelta:
        """The furthest lead time of any output."""
        return max(output.horizon for output in self.outputs)

    @property
    def canonical(self) -> Artifact:
        """The artifact that ``model_digest`` covers."""
        return next(artifact for artifact in self.artifacts if artifact.canonical)

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """The dotted paths of fields this schema does not know; they are kept, not obeyed."""
        return unknown_fields(self)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *_repeated("inputs", [item.name for item in self.inputs]),
            *_repeated("outputs", [item.name for item in self.outputs]),
            *_repeated("outputs", list(self.variables), of="variable"),
        ]
        shared = {item.name for item in self.inputs} & {item.name for item in self.outputs}
        if shared:
            problems.append(f"found {', '.join(sorted(shared))} as input and as output")
        canonical = [artifact for artifact in self.artifacts if artifact.canonical]
        if len(canonical) != 1 or canonical[0].path is None:
            problems.append("artifacts: expected exactly one canonical artifact that has a path")
        problems += [
            f"tolerance: found none for {output.name!r}, expected one for every output"
            for output in self.outputs
            if output.name not in self.tolerance
        ]
        if list(self.valid_months) != sorted(set(self.valid_months)):
            problems.append(
                f"valid_months: found {list(self.valid_months)}, expected ascending months "
                "without repeats"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _repeated(field: str, values: list[str], of: str = "name") -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    return [f"{field}: found the {of} {value!r} twice" for value in twice]


LEDGER = rows(ModelMetadata)
"""The field ledger of the newest schema."""
