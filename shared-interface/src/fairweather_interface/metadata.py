"""Metadata: what a delivered model says of itself, and all the software needs to know of it.

:func:`create_metadata` writes (strictly), :func:`read_metadata` reads (tolerantly), and
``ModelMetadata`` is the newest schema; older documents are upgraded before they become it, and
go on saying which schema they were written in. A field that is absent and one that is null say the
same. Lists are tuples, durations are ``timedelta``, times are aware and in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from fairweather_interface import history
from fairweather_interface._capabilities import Bounds, Quantile
from fairweather_interface._evidence import Block, Performance, Tolerance, Training
from fairweather_interface._record import dump_document, dump_record, parse_json, problems_of
from fairweather_interface._rows import derive_min_reader as _derive
from fairweather_interface._rows import newer_fields
from fairweather_interface._schema import (
    AREA_INDEX,
    BATCH,
    DELIVERY_ID_PATTERN,
    LEDGER,
    OBSERVATIONS,
    ONNX,
    REFERENCE_TIME,
    SAVED_MODEL,
    SEEN,
    TENSORS,
    Area,
    Artifact,
    ArtifactNeeds,
    Input,
    ModelMetadata,
    Output,
)
from fairweather_interface.errors import (
    MetadataError,
    NotExpressibleError,
    UnsupportedSchemaError,
    listed,
    short,
)
from fairweather_interface.variables import VARIABLES
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion, check_readable

WRITTEN_SCHEMAS = (*tuple(history.STEPS)[-2:], SCHEMA_VERSION)
"""The schemas that are still written: the newest and the two before it."""


def create_metadata(**fields: Any) -> ModelMetadata:  # noqa: ANN401 - the record checks them
    """Return new metadata in the newest schema: the strict way to write.

    ``schema_version`` and ``min_reader`` are filled in, the latter derived from what is said;
    what is returned is what a reader will read.

    Raises:
        MetadataError: a field is missing, unknown or wrong; ``problems`` lists all of them.
    """
    envelope = {"schema_version": SCHEMA_VERSION, "min_reader": SCHEMA_VERSION}
    try:
        draft = ModelMetadata.model_validate({**envelope, **fields}, extra="forbid")
    except ValidationError as error:
        raise _invalid(problems_of(error)) from None
    if "min_reader" not in fields:
        min_reader = derive_min_reader(draft.model_dump(mode="json"))
        draft = draft.model_copy(update={"min_reader": min_reader})
    if draft.schema_version != SCHEMA_VERSION:
        raise _invalid(
            (f"schema_version: found {draft.schema_version}, expected {SCHEMA_VERSION} or none",)
        )
    if problems := writing_problems(draft):
        raise _invalid(problems)
    return read_metadata(dump_metadata(draft))


def dump_metadata(metadata: ModelMetadata, *, schema: str | None = None) -> bytes:
    """Return the bytes of ``metadata.json``.

    ``schema`` is the one to write in, the newest or one of the two before it; by default the
    schema that the metadata reports, so that what was read is written as it was. Nothing is
    ever left out in silence.

    Raises:
        NotExpressibleError: ``schema`` is older and has no words for something that is said;
            ``problems`` names every meaning that would be lost.
        MetadataError: the metadata holds fields this package does not know, or free-form data
            that JSON cannot say; a writer says nothing that it does not understand. Or
            ``schema`` is none that is still written.
    """
    if schema is not None and schema not in WRITTEN_SCHEMAS:
        raise MetadataError(
            f"found the schema {short(schema)} to write in, expected one of "
            f"{', '.join(WRITTEN_SCHEMAS)}: those are written by this release"
        )
    if problems := _unknown(metadata):
        raise _invalid(problems)
    schema = schema or metadata.schema_version
    try:
        data = dump_record(metadata.model_copy(update={"schema_version": schema}))
    except ValueError as error:
        raise _invalid((f"found data that JSON cannot say: {error}",)) from None
    newest = SchemaVersion.parse(schema) >= SchemaVersion.parse(SCHEMA_VERSION)
    if newest and schema == metadata.schema_version:
        return data
    return _in_words_of(schema, parse_json(data))


def read_metadata(data: bytes | str, *, reader: str = SCHEMA_VERSION) -> ModelMetadata:
    """Return the metadata a JSON text holds, keeping the fields this schema does not know.

    ``reader`` is the newest schema that the *asking software* obeys, which can be older than
    what this package could parse. ``schema_version`` stays what the document says.

    Raises:
        MetadataError: the text is not the contract, or its ``min_reader`` is not the one that
            follows from what it declares; ``problems`` lists every reason.
        UnsupportedSchemaError: the document needs a newer reader.
    """
    try:
        document = parse_json(data)
    except ValueError as error:
        raise MetadataError(f"found metadata that is not JSON with one meaning: {error}") from None
    if not isinstance(document, dict):
        raise MetadataError(
            f"found metadata that is a JSON {type(document).__name__}, expected an object"
        )
    schema = check_readable(document, reader=reader)
    upgraded = history.upgrade(document, schema=str(schema))
    if upgraded is not document:
        data = json.dumps(upgraded)
    try:
        metadata = ModelMetadata.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(problems_of(error)) from None
    if schema <= SchemaVersion.parse(SCHEMA_VERSION):  # newer fields we cannot judge
        derived = derive_min_reader(upgraded)
        if derived != metadata.min_reader:
            raise _invalid((_lie(metadata.min_reader, derived),))
    return metadata


def derive_min_reader(document: Mapping[str, Any]) -> str:
    """Return the oldest schema whose readers understand all that a document demands of them.

    It is the newest ``since`` among the fields that must be obeyed, are there, and say what no
    older field carries. ``document`` is plain JSON data of the newest schema, such as a reader
    accepts; of anything else nothing is promised.
    """
    return _derive(history.uncarried(dict(document)), LEDGER)


def newer_meanings(metadata: ModelMetadata, schema: str) -> tuple[str, ...]:
    """Return the paths of fields that readers of ``schema`` do not know, outermost only.

    Left out is what older fields say as well. Fields that this package does not know are among
    them where ``schema`` is older than the one they were written in.
    """
    document = history.uncarried(metadata.model_dump(mode="json"), schema=schema)
    older = SchemaVersion.parse(schema) < SchemaVersion.parse(metadata.schema_version)
    return (*newer_fields(document, LEDGER, schema), *(metadata.unknown_fields if older else ()))


def writing_problems(metadata: ModelMetadata) -> tuple[str, ...]:
    """Return what a strict writer would not have written; empty for schemas newer than ours."""
    schema = metadata.schema_version
    if SchemaVersion.parse(schema) > SchemaVersion.parse(SCHEMA_VERSION):
        return ()
    document = metadata.model_dump(mode="json")
    problems = list(_unknown(metadata))
    problems += [
        f"{path}: schema {schema} has no such field"
        for path in newer_fields(document, LEDGER, schema)
    ]
    derived = derive_min_reader(document)
    if derived != metadata.min_reader:
        problems.append(_lie(metadata.min_reader, derived))
    for item in metadata.inputs:
        dtype, shape = TENSORS.get(item.role, (item.dtype, item.shape))
        if (item.dtype, item.shape) != (dtype, shape or item.shape):
            problems.append(
                f"input {item.name!r}: found {item.dtype} {list(item.shape)}, expected {dtype} "
                f"{list(shape or item.shape)} in the role {item.role}"
            )
    problems += _unsaid(metadata)
    told: tuple[Input | Output, ...] = (*metadata.required_inputs, *metadata.outputs)
    for field in told:
        known = VARIABLES.get(field.variable or "")
        if known is not None and field.unit != known.unit:
            problems.append(
                f"{field.name!r}: found {known.name} in {field.unit}, expected {known.unit}"
            )
    problems += [
        f"performance[{position}]: found {row.area} and {row.variable}, expected a declared area "
        "and a variable of the outputs"
        for position, row in enumerate(metadata.performance)
        if row.area not in metadata.areas or row.variable not in metadata.variables
    ]
    return tuple(problems)


def _in_words_of(schema: str, document: dict[str, Any]) -> bytes:
    """Return the bytes of a document of the newest schema, said strictly in another one."""
    document = history.uncarried(document, schema=schema)
    lost: tuple[str, ...] = ()
    try:
        document = history.downgrade(document, schema=schema)
    except NotExpressibleError as error:
        lost = error.problems
    told = {problem.partition(":")[0] for problem in lost}
    lost += tuple(
        f"{path}: schema {schema} has no such field"
        for path in newer_fields(document, LEDGER, schema)
        if path not in told
    )
    if lost:
        raise history.not_expressible(schema, lost)
    return dump_document({**document, "min_reader": derive_min_reader(document)})


def _unsaid(metadata: ModelMetadata) -> Iterator[str]:
    """Yield the bounds that older fields could say and do not."""
    domain = metadata.applicability_domain or {}
    for variable, field in SEEN.items():
        windows = [item for item in metadata.required_inputs if item.variable == variable]
        maxima = [domain[item.name].maximum for item in windows if item.name in domain]
        bounds = [maximum for maximum in maxima if maximum is not None]
        if windows and len(bounds) == len(windows) and getattr(metadata, field) is None:
            yield (
                f"{field}: not found, expected {max(bounds)!r}: by this name readers of older "
                f"schemas know the bound on {variable} that applicability_domain says"
            )


def _lie(found: str, derived: str) -> str:
    return (
        f"min_reader: found {found}, expected {derived} from what is declared; it is derived, "
        "never chosen"
    )


def _unknown(metadata: ModelMetadata) -> tuple[str, ...]:
    return tuple(
        f"{path}: schema {SCHEMA_VERSION} has no such field" for path in metadata.unknown_fields
    )


def _invalid(problems: tuple[str, ...]) -> MetadataError:
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return MetadataError(listed(f"{count} in the metadata:", problems), problems=problems)


__all__ = [
    "AREA_INDEX",
    "BATCH",
    "DELIVERY_ID_PATTERN",
    "LEDGER",
    "OBSERVATIONS",
    "ONNX",
    "REFERENCE_TIME",
    "SAVED_MODEL",
    "WRITTEN_SCHEMAS",
    "Area",
    "Artifact",
    "ArtifactNeeds",
    "Block",
    "Bounds",
    "Input",
    "MetadataError",
    "ModelMetadata",
    "NotExpressibleError",
    "Output",
    "Performance",
    "Quantile",
    "Tolerance",
    "Training",
    "UnsupportedSchemaError",
    "create_metadata",
    "derive_min_reader",
    "dump_metadata",
    "newer_meanings",
    "read_metadata",
    "writing_problems",
]
