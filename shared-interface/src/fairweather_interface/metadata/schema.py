"""The newest schema: the records that metadata consists of, and their laws.

Every field carries its :class:`Rule`, from which the field ledger is made. What is written and
read by these records, and who may, is :mod:`fairweather_interface.metadata`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from fairweather_interface.errors import short
from fairweather_interface.metadata.capabilities import (
    Bounds,
    DeclaredVariable,
    Quantile,
    domain_problems,
    uncertainty_problems,
)
from fairweather_interface.metadata.evidence import Performance, Tolerance, Training
from fairweather_interface.metadata.laws import (
    LAWS_SINCE,
    MOST_AREAS,
    area_problems,
    skill_problems,
    time_problems,
    tolerance_problems,
)
from fairweather_interface.metadata.record import (
    Digest,
    Name,
    Record,
    Rule,
    Text,
    UtcTime,
    Word,
    unknown_fields,
)
from fairweather_interface.metadata.rows import rows
from fairweather_interface.metadata.tensors import OBSERVATIONS, Input, Output
from fairweather_interface.variables import VARIABLES, Variable
from fairweather_interface.versions import (
    SCHEMA_VERSION_PATTERN,
    SchemaText,
    SchemaVersion,
    known_version,
)

SAVED_MODEL = "tensorflow-saved-model"
ONNX = "onnx"
"""The artifact formats. An open set: a release runs those it has a runtime for."""

DELIVERY_ID_PATTERN = (
    "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"  # UUID, version 4
)

_must = partial(Rule, since="0.1", must_obey=True)
_may = partial(Rule, since="0.1")
_later = partial(Rule, since="0.4")
_Version = Annotated[str, Field(pattern=SCHEMA_VERSION_PATTERN), AfterValidator(SchemaText)]
_Month = Annotated[int, Field(ge=1, le=12)]


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


class ArtifactNeeds(Record):
    """What a runtime must offer to run an artifact."""

    opset: Annotated[int | None, _must("ONNX operator set"), Field(ge=1)] = None
    ir_version: Annotated[int | None, _must("ONNX IR version"), Field(ge=1)] = None
    tensorflow: Annotated[
        Annotated[Word, AfterValidator(known_version)] | None,
        _must("the oldest TensorFlow that reads it", law="a version by PEP 440"),
    ] = None


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

    schema_version: Annotated[_Version, _must("the schema this is written in")]
    min_reader: Annotated[_Version, _must("the oldest schema whose readers may read this")]
    delivery_id: Annotated[
        str, _must("UUID of version 4, the folder's name"), Field(pattern=DELIVERY_ID_PATTERN)
    ]
    created_at: Annotated[UtcTime, _may("when it was made")]
    topic: Annotated[Text | None, _may("what this model tries, for people")] = None
    author: Annotated[Word, _may("who answers for it")]
    model_type: Annotated[Word, _may("a label for people and policy")]
    areas: Annotated[
        Mapping[Word, Area],
        _must(
            "the places the model knows",
            law="area_index counts in this order",
            newer_law=("1.0", f"at most {MOST_AREAS}, each name in its one spelling"),
        ),
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
    model_digest: Annotated[Digest | None, _may("digest of the canonical artifact")] = None
    tolerance: Annotated[
        Mapping[str, Tolerance],
        _may(
            "by output: abs(found - expected) ≤ absolute + relative · abs(expected)",
            law="every output has one",
            newer_law=("1.0", "at most 1 % of the range of its variable"),
        ),
    ]
    performance: Annotated[
        tuple[Performance, ...], _may("how well it did, per area and variable")
    ] = ()
    valid_months: Annotated[
        tuple[_Month, ...],
        _must("1 to 12: when it may be asked", law="ascending, local months of the reference time"),
        Field(min_length=1, max_length=12),
    ]
    training: Annotated[Training, _may("provenance: how to make it again")]
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
        _later("rows the packaged table lacks", law="a packaged one keeps its unit and limits"),
        Field(alias="variables", min_length=1),
    ] = None
    intended_use: Annotated[Text | None, _later("what it is made for, for people")] = None
    limitations: Annotated[Text | None, _later("what it is not fit for, for people")] = None
    licence: Annotated[
        Word | None,
        _later("what it may be used under", law="SPDX expression"),
        Field(pattern=r"^[A-Za-z0-9.+:() -]+$"),
    ] = None
    contact: Annotated[Word | None, _later("where to ask about it")] = None

    @property
    def schema(self) -> SchemaVersion:  # type: ignore[override]  # pydantic's goes with its next major
        """The schema it is written in, to compare with others and with `Version`."""
        return SchemaVersion.parse(self.schema_version)

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
        """The row of every variable: the contract's own, then those declared that it lacks."""
        declared = (self.declared_variables or {}).items()
        own = {name: each.row(name) for name, each in declared if name not in VARIABLES}
        return {**VARIABLES, **own}

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
            self.applicability_domain, [item.name for item in self.required_inputs]
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
        if self.schema >= LAWS_SINCE:
            problems += self.broken_laws()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def broken_laws(self) -> tuple[str, ...]:
        """Return how it breaks the laws of schema 1.0, which an older document may."""
        table = self.variable_table
        outputs = {item.name: table.get(item.variable) for item in self.outputs}
        quantiles = {item.name: outputs.get(item.output) for item in self.uncertainty or ()}
        return (
            *area_problems(self.areas, chain(*(item.areas or () for item in self.inputs))),
            *time_problems(self.created_at, self.training),
            *skill_problems(self.performance),
            *tolerance_problems(self.tolerance, outputs | quantiles),
        )


def _repeated(field: str, values: list[str], of: str = "name") -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    return [f"{field}: found the {of} {value!r} twice" for value in twice]


LEDGER = rows(ModelMetadata)
"""The field ledger of the newest schema."""
