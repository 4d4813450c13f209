"""Write metadata strictly: nothing unknown, nothing chosen that is derived, nothing left out."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from fairweather_interface import history
from fairweather_interface.errors import MetadataError, NotExpressibleError, short
from fairweather_interface.metadata.reading import (
    derive_min_reader,
    invalid_metadata,
    is_known,
    last_known,
    ledger_of,
    own_words,
    read_metadata,
    wrong_min_reader,
)
from fairweather_interface.metadata.record import dump_document, dump_record, parse_json
from fairweather_interface.metadata.rows import newer_fields
from fairweather_interface.metadata.schema import ModelMetadata
from fairweather_interface.metadata.tensors import TENSORS, Input, Output
from fairweather_interface.problems import problems_of
from fairweather_interface.variables import VARIABLES, conflicts
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

WRITTEN_SCHEMAS = (*history.STEPS, SCHEMA_VERSION)
"""The schemas that are written: all that are read. One leaves the list with a new major only."""


def create_metadata(**fields: Any) -> ModelMetadata:  # noqa: ANN401 - the record checks them
    """Return new metadata in the newest schema: the strict way to write.

    ``fields`` go by the names of the document or of the record. ``schema_version`` and
    ``min_reader`` are filled in, the latter derived from what is declared; what is returned is what
    a reader will read.

    Raises:
        MetadataError: a field is missing, unknown or wrong; ``problems`` lists all of them.
    """
    envelope = {"schema_version": SCHEMA_VERSION, "min_reader": SCHEMA_VERSION}
    try:
        draft = ModelMetadata.model_validate(
            {**envelope, **fields}, extra="forbid", by_alias=True, by_name=True
        )
    except ValidationError as error:
        raise invalid_metadata(problems_of(error)) from None
    if "min_reader" not in fields:
        min_reader = derive_min_reader(draft.model_dump(mode="json"))
        draft = draft.model_copy(update={"min_reader": min_reader})
    if draft.schema_version != SCHEMA_VERSION:
        raise invalid_metadata(
            (f"schema_version: found {draft.schema_version}, expected {SCHEMA_VERSION} or none",)
        )
    if problems := writing_problems(draft):
        raise invalid_metadata(problems)
    return read_metadata(dump_metadata(draft))


def dump_metadata(metadata: ModelMetadata, *, schema: str | None = None) -> bytes:
    """Return the bytes of ``metadata.json``.

    ``schema`` is the one to write in, one of ``WRITTEN_SCHEMAS``; by default the
    schema that the metadata reports, so that what was read is written as it was. Nothing is
    ever left out in silence.

    Raises:
        NotExpressibleError: ``schema`` is older and has no words for something that is declared;
            ``problems`` names every meaning that would be lost.
        MetadataError: the metadata holds fields this package does not know, or free-form data
            that JSON cannot express; a writer writes nothing that it does not understand. Or
            ``schema`` is none that is still written.
    """
    if schema is not None and schema not in WRITTEN_SCHEMAS:
        raise MetadataError(
            f"found the schema {short(schema)} to write in, expected one of "
            f"{', '.join(WRITTEN_SCHEMAS)}: those are written by this release"
        )
    if problems := _unknown(metadata):
        raise invalid_metadata(problems)
    schema = schema or metadata.schema_version
    try:
        data = dump_record(metadata.model_copy(update={"schema_version": schema}))
    except ValueError as error:
        raise invalid_metadata((f"found data that JSON cannot say: {error}",)) from None
    newest = SchemaVersion.parse(schema) >= SchemaVersion.parse(SCHEMA_VERSION)
    if newest and schema == metadata.schema_version:
        return data
    return _in_words_of(schema, parse_json(data))


def writing_problems(metadata: ModelMetadata) -> tuple[str, ...]:
    """Return what a strict writer would not have written; empty for schemas we cannot judge."""
    schema = metadata.schema_version
    if not is_known(schema):
        return ()
    document = history.uncarried(own_words(metadata), schema=schema)
    problems = list(_unknown(metadata))
    problems += [
        f"{path}: schema {schema} has no such field"
        for path in newer_fields(document, ledger_of(schema), schema)
    ]
    needed = derive_min_reader(document, schema=schema)
    if needed != metadata.min_reader and schema == SCHEMA_VERSION:  # of others a reader judges
        problems.append(wrong_min_reader(metadata.min_reader, needed))
    for item in metadata.inputs:
        dtype, shape = TENSORS.get(item.role, (item.dtype, item.shape))
        if (item.dtype, item.shape) != (dtype, shape or item.shape):
            problems.append(
                f"input {item.name!r}: found {item.dtype} {list(item.shape)}, expected {dtype} "
                f"{list(shape or item.shape)} in the role {item.role}"
            )
    declared = {name: each.row(name) for name, each in (metadata.declared_variables or {}).items()}
    problems += [f"variables: {problem}" for problem in conflicts(declared, VARIABLES)]
    table = metadata.variable_table
    tensors: tuple[Input | Output, ...] = (*metadata.required_inputs, *metadata.outputs)
    for field in tensors:
        known = table.get(field.variable or "")
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
    """Return the bytes of a document of the newest schema in the words of another one."""
    lost: tuple[str, ...] = ()
    try:
        document = history.downgrade(document, schema=last_known(SchemaVersion.parse(schema)))
    except NotExpressibleError as error:
        lost = error.problems
    document = history.uncarried(document, schema=schema)
    # what must be obeyed the steps have told, where they refuse at all
    rows = tuple(row for row in ledger_of(schema) if not (lost and row.must_obey))
    lost += tuple(
        f"{path}: schema {schema} has no such field"
        for path in newer_fields(document, rows, schema)
    )
    if lost:
        raise history.not_expressible(schema, lost)
    return dump_document({**document, "min_reader": derive_min_reader(document, schema=schema)})


def _unknown(metadata: ModelMetadata) -> tuple[str, ...]:
    return tuple(
        f"{path}: schema {SCHEMA_VERSION} has no such field" for path in metadata.unknown_fields
    )
