"""The software manifest: what one release of the software supports, as data.

A model declares what it needs, a release what it can do; from both documents
:func:`fairweather_interface.check` finds whether they fit, without running either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from fairweather_interface.errors import SoftwareError, listed
from fairweather_interface.metadata.record import (
    Duration,
    Record,
    Word,
    dump_record,
    parse_json,
    unknown_fields,
)
from fairweather_interface.problems import problems_of
from fairweather_interface.versions import SCHEMA_VERSION_PATTERN, SchemaVersion, known_version

_Schema = Annotated[str, Field(pattern=SCHEMA_VERSION_PATTERN, max_length=20)]


class SchemaRange(Record):
    """The schemas a release reads: from ``oldest`` to ``newest``, the newest that it obeys."""

    oldest: _Schema
    newest: _Schema

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if SchemaVersion.parse(self.oldest) > SchemaVersion.parse(self.newest):
            raise ValueError(f"found schemas from {self.oldest} to {self.newest}, expected a range")
        return self


class Runtime(Record):
    """Something that runs artifacts of one format.

    Attributes:
        format: the artifact format, as metadata names it.
        name: the runtime's name.
        version: the runtime's version.
        max_opset: the newest ONNX operator set it runs, where that applies.
        max_ir_version: the newest ONNX IR version it reads, where that applies.
    """

    format: Word
    name: Word
    version: Word
    max_opset: Annotated[int, Field(ge=1)] | None = None
    max_ir_version: Annotated[int, Field(ge=1)] | None = None


class Software(Record):
    """What one release of the software supports.

    Attributes:
        name: the package, such as ``fairweather-app``.
        version: its release.
        readable_schemas: the metadata it reads; ``newest`` is what ``min_reader`` is held
            against.
        runtimes: what it can run.
        roles: the input roles it can feed.
        variables: the observations it can supply, variable to unit.
        longest_period: the longest window it can supply.
        shortest_sample_rate: the finest sampling it can supply.
    """

    name: Word
    version: Annotated[Word, AfterValidator(known_version)]
    readable_schemas: SchemaRange
    runtimes: tuple[Runtime, ...]
    roles: tuple[Word, ...]
    variables: Mapping[Word, Word]
    longest_period: Duration
    shortest_sample_rate: Duration


def dump_software(software: Software) -> bytes:
    """Return the bytes of a software manifest.

    Raises:
        SoftwareError: it holds fields that this package does not know.
    """
    if unknown := unknown_fields(software):
        raise SoftwareError(
            f"found {', '.join(unknown)}, expected fields of a software manifest only"
        )
    return dump_record(software)


def read_software(data: bytes | str) -> Software:
    """Return the software manifest a JSON text holds; unknown fields are kept.

    Raises:
        SoftwareError: the text is not a software manifest; ``problems`` lists every reason.
    """
    try:
        parse_json(data)
        return Software.model_validate_json(data)
    except ValidationError as error:
        problems = problems_of(error)
    except ValueError as error:
        problems = (str(error),)
    raise SoftwareError(
        listed(
            "found a file that is not a software manifest (the app prints its own with "
            "'flask --app fairweather_app software'):",
            problems,
        ),
        problems=problems,
    )
