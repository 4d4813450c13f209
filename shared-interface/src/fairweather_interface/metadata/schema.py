"""The newest schema: the records that metadata consists of, and their laws.

Every field carries its :class:`Rule`, from which the field ledger is made. What is written and
read by these records, and who may, is :mod:`fairweather_interface.metadata`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from fairweather_interface.errors import short
from fairweather_interface.metadata.capabilities import (
    Bounds,
    DeclaredVariable,
    Quantile,
    domain_problems,
    uncertainty_problems,
)
from fairweather_interface.metadata.evidence import Performance, Tolerance, Training
from fairweather_interface.metadata.record import (
    Digest,
    Duration,
    Name,
    Record,
    Rule,
    Share,
    Text,
    UtcTime,
    Word,
    unknown_fields,
)
from fairweather_interface.metadata.rows import rows
from fairweather_interface.variables import VARIABLES, Variable
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


_must = partial(Rule, since="0.1", must_obey=True)
_may = partial(Rule, since="0.1")
_later = partial(Rule, since="0.4")
_of_window = partial(_must, law="required of observations")
_VERSION = Field(pattern=SCHEMA_VERSION_PATTERN)
_Month = Annotated[int, Field(ge=1, le=12)]

TENSORS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    OBSERVATIONS: ("float32", None),  # the shape follows from its period and sample rate
    REFERENCE_TIME: ("int64", (BATCH,)),
    AREA_INDEX: ("int64", (BATCH,)),
}
SEEN = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}
"""The deprecated bounds, by the variable whose highest value in training they say."""

_OBSERVED = ("variable", "unit", "period", "sample_rate", "max_missing")
_SPDX = r"^[A-Za-z0-9.+() -]+$"


class Area(Record):
    """A place a model can forecast for."""

    latitude: Annotated[float, _may("positive north", unit="degree_north"), Field(ge=-90, le=90)]
    longitude: Annotated[float, _may("positive east", unit="degree_east"), Field(ge=-180, le=180)]
    timezone: Annotated[str, _must("whose months and days it lives by", law="IANA time zone")]

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"found {short(name)}, expected an IANA time zone such as 'America/New_York' "
                "(a machine without a time-zone database needs the package tzdata)"
            ) from None
        return name


class Input(Record):
    """A named tensor that the model takes.

    An input of the role ``observations`` is a window: float32 ``[batch, period / sample_rate]``,
    the values of (t0 - period, t0] in ``unit``, oldest first, NaN where missing, fit when the
    share of missing values is at most ``max_missing``. It is read for the requested area, or,
    where ``areas`` lists members, as the mean over those.
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
        _must("a region: the mean over these; absent: the requested area", law="without repeats"),
        Field(min_length=1),
    ] = None
    max_age: Annotated[
        Duration | None,
        _must(
            "how far before the reference time the newest value may lie; absent: anywhere in the "
            "window",
            law="of observations; counted in whole samples; not above the period",
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
        if self.role != OBSERVATIONS:
            if self.max_age is not None:
                raise ValueError(f"input {self.name!r}: found max_age, expected with observations")
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


class ArtifactNeeds(Record):
    """What a runtime must offer to run an artifact."""

    opset: Annotated[int | None, _must("ONNX operator set"), Field(ge=1)] = None
    ir_version: Annotated[int | None, _must("ONNX IR version"), Field(ge=1)] = None
    tensorflow: Annotated[
        Word | None, _must("the oldest TensorFlow that reads it", law="a version by PEP 440")
    ] = None

    @field_validator("tensorflow")
    @classmethod
    def _version(cls, text: str | None) -> str | None:
        return text if text is None else known_version(text)


class Artifact(Record):
    """One serialized form of the model, or the reason why that form was left out."""

    format: Annotated[Word, _must("`tensorflow-saved-model`, `onnx`, or a newer one")]
    path: Annotated[
        Word | None, _must("a file or folder of the delivery", law="either path or omitted")
    ] = None
    canonical: Annotated[bool, _may("this form is the model; `model_digest` covers it")] = False
    needs: Annotated[ArtifactNeeds | None, _must("what a runtime must offer")] = None
    omitted: Annotated[Text | None, _may("why it was left out", law="either path or omitted")] = (
        None
    )

    @model_validator(mode="after")
    def _there_or_not(self) -> Self:
        if (self.path is None) == (self.omitted is None):
            raise ValueError(
                f"artifact {self.format!r}: expected either the path where it lies or, as "
                "omitted, the reason why it was left out"
            )
        return self


class ModelMetadata(Record):
    """The contract file ``metadata.json``."""

    schema_version: Annotated[str, _must("the schema this is written in"), _VERSION]
    min_reader: Annotated[str, _must("the oldest schema whose readers may read this"), _VERSION]
    delivery_id: Annotated[
        str, _must("UUID of version 4, the folder's name"), Field(pattern=DELIVERY_ID_PATTERN)
    ]
    created_at: Annotated[UtcTime, _may("when it was made")]
    topic: Annotated[Text, _may("what this model tries, for people")]
    author: Annotated[Word, _may("who answers for it")]
    model_type: Annotated[Word, _may("a label for people and policy")]
    areas: Annotated[
        Mapping[Word, Area],
        _must("the places the model knows", law="area_index counts in this order"),
        Field(min_length=1),
    ]
    inputs: Annotated[
        tuple[Input, ...],
        _must("every tensor the model is fed with", law="names unique and no output's"),
        Field(min_length=1),
    ]
    outputs: Annotated[
        tuple[Output, ...],
        _must("every forecast: float32, raw physical values", law="names and variables unique"),
        Field(min_length=1),
    ]
    artifacts: Annotated[
        tuple[Artifact, ...],
        _must("every serialized form of the model", law="exactly one is canonical and has a path"),
        Field(min_length=1),
    ]
    model_digest: Annotated[Digest, _may("digest of the canonical artifact")]
    tolerance: Annotated[
        Mapping[str, Tolerance],
        _may(
            "by output: abs(found - expected) ≤ absolute + relative · abs(expected)",
            law="every output has one",
        ),
    ]
    performance: Annotated[tuple[Performance, ...], _may("how well it did, per area and variable")]
    valid_months: Annotated[
        tuple[_Month, ...],
        _must("1 to 12: when it may be asked", law="ascending, local months of the reference time"),
        Field(min_length=1, max_length=12),
    ]
    training: Annotated[Training, _may("provenance: how to make it again")]
    max_temperature_seen: Annotated[
        float | None, _must("deprecated: the highest value in all training windows", unit="degC")
    ] = None
    max_humidity_seen: Annotated[
        float | None,
        _must("deprecated: the highest value in all training windows", unit="%", since="0.2"),
    ] = None
    applicability_domain: Annotated[
        Mapping[Name, Bounds] | None,
        _must(
            "the windows of an input that the model is fit for",
            law="by the name of an input of observations",
            since="0.3",
        ),
    ] = None
    uncertainty: Annotated[
        tuple[Quantile, ...] | None,
        _may(
            "quantiles of outputs: tensors beside them, none of `outputs`",
            law="names unique and no input's or output's; each has a tolerance; at every step "
            "quantiles do not fall as the probability rises",
            since="0.3",
        ),
        Field(min_length=1),
    ] = None
    declared_variables: Annotated[
        Mapping[Name, DeclaredVariable] | None,
        _later("the variables that the contract's own table lacks"),
        Field(alias="variables", min_length=1),
    ] = None
    intended_use: Annotated[Text | None, _later("what it is made for, for people")] = None
    limitations: Annotated[Text | None, _later("what it is not fit for, for people")] = None
    licence: Annotated[
        Word | None,
        _later("under which it may be used", law="SPDX expression"),
        Field(pattern=_SPDX),
    ] = None
    contact: Annotated[Word | None, _later("where to ask about it")] = None

    @property
    def required_inputs(self) -> tuple[Input, ...]:
        """The inputs that hold observations, in order."""
        return tuple(item for item in self.inputs if item.role == OBSERVATIONS)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables the model forecasts, in order."""
        return tuple(output.variable for output in self.outputs)

    @property
    def variable_table(self) -> Mapping[str, Variable]:
        """The row of every variable that is known: the contract's own, then what is declared."""
        declared = self.declared_variables or {}
        return {**{name: row.row(name) for name, row in declared.items()}, **VARIABLES}

    @property
    def horizon(self) -> timedelta:
        """The furthest lead time of any output."""
        return max(output.horizon for output in self.outputs)

    def quantiles(self, output: str) -> tuple[Quantile, ...]:
        """Return the declared quantiles of an output, by its name, the lowest first."""
        declared = (item for item in self.uncertainty or () if item.output == output)
        return tuple(sorted(declared, key=lambda item: item.probability))

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
        problems += domain_problems(
            self.applicability_domain,
            {
                item.name: getattr(self, SEEN[item.variable]) if item.variable in SEEN else None
                for item in self.required_inputs
            },
        )
        problems += uncertainty_problems(
            self.uncertainty,
            inputs=[item.name for item in self.inputs],
            outputs=[item.name for item in self.outputs],
            tolerance=self.tolerance,
        )
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
