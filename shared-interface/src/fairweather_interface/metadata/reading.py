"""Read metadata tolerantly: upgrade older documents, keep fields that are not known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from pydantic import ValidationError

from fairweather_interface import history
from fairweather_interface.errors import (
    MetadataError,
    NotExpressibleError,
    UnsupportedSchemaError,
    listed,
)
from fairweather_interface.metadata.laws import LAWS_SINCE
from fairweather_interface.metadata.record import parse_json
from fairweather_interface.metadata.rows import (
    RESERVED,
    Row,
    holds,
    min_reader_of,
    newer_fields,
    released_rows,
)
from fairweather_interface.metadata.schema import LEDGER, ModelMetadata
from fairweather_interface.names import parse_names, plain_name
from fairweather_interface.problems import problems_of
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion, check_readable

_NEWEST = SchemaVersion.parse(SCHEMA_VERSION)


def read_metadata(data: bytes | str, *, reader: str = SCHEMA_VERSION) -> ModelMetadata:
    """Return the metadata a JSON text holds, keeping the fields this schema does not know.

    ``reader`` is the newest schema that the *asking software* obeys, which can be older than
    what this package could parse. ``schema_version`` stays what the document states.

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
    own, needed = last_known(schema), str(document["min_reader"])
    if not is_known(str(schema)) and not is_known(needed) and schema < _NEWEST:
        raise UnsupportedSchemaError(
            f"found metadata that need a reader of schema {needed}, which is none of those known "
            f"here, the newest {SCHEMA_VERSION}: upgrade this software to a release that knows it, "
            "or have the model delivered again in one of those",
            found=needed,
            supported=SCHEMA_VERSION,
        )
    upgraded, why = document, ""
    try:
        upgraded = history.upgrade(document, schema=own)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of another shape
        why = repr(error)
    try:
        metadata = ModelMetadata.model_validate_json(
            data if upgraded is document else json.dumps(upgraded)
        )
    except ValidationError as error:
        raise invalid_metadata(problems_of(error)) from None
    if why:
        raise MetadataError(
            f"found metadata that cannot be upgraded from schema {schema} ({why}), expected what "
            "that schema allows: have the model delivered again"
        )
    problems = tuple(f"{path}: found a name that schema {removed} removed, expected {instead}"
                     for path, removed, instead in _removed_fields(upgraded))  # fmt: skip
    if problems := problems or _judged(document, upgraded, schema=schema):
        raise invalid_metadata(problems)
    return metadata


def _judged(
    document: Mapping[str, Any], upgraded: dict[str, Any], *, schema: SchemaVersion
) -> tuple[str, ...]:
    """Return what is wrong with a document by its own schema alone."""
    own = last_known(schema)
    if is_known(str(schema)):  # fields of others we cannot judge
        needed = derive_min_reader(document, schema=own)
        if needed != document["min_reader"]:
            return (wrong_min_reader(document["min_reader"], needed),)
    if schema.major < _NEWEST.major:  # what comes back lacks nothing that its schema asks for
        try:
            history.downgrade(upgraded, schema=own)
        except NotExpressibleError as error:
            return error.problems
    return ()


def metadata_notes(data: bytes | str) -> tuple[str, ...]:
    """Return a sentence for each thing in metadata that newer schemas say otherwise, or refuse.

    Those are fields that are deprecated or were removed since, and laws that came since. None of
    it is wrong in the schema that the metadata are written in.

    Raises:
        MetadataError: the text is not the contract.
    """
    metadata, document = read_metadata(data), parse_json(data)
    laws = ((row.path, law) for row in LEDGER for law in row.constraints)
    return (
        *(f"{path}: schema {removed} removed it, in favour of {instead}"
          for path, removed, instead in _removed_fields(document)),
        *(f"{path}: {law}" for path, law in laws
          if law.startswith("deprecated ") and holds(document, path)),
        *(f"{problem} (no law before schema {LAWS_SINCE})" for problem in metadata.broken_laws()),
    )  # fmt: skip


def is_known(schema: str) -> bool:
    """Return whether a schema is the newest one here, or one that has a step to it."""
    return schema in (*history.STEPS, SCHEMA_VERSION)


def last_known(schema: SchemaVersion) -> str:
    """Return the schema whose words a document is in: its own, or the last known before it.

    A schema that is not known here can be of a maintenance branch that went on beside a new major.
    """
    known = (*history.STEPS, SCHEMA_VERSION)
    before = [each for each in known if SchemaVersion.parse(each) <= schema]
    return before[-1] if before else known[0]


def ledger_of(schema: str) -> tuple[Row, ...]:
    """Return the newest ledger of the major of a known schema."""
    newest, major = SchemaVersion.parse(SCHEMA_VERSION), SchemaVersion.parse(schema).major
    if major == newest.major:
        return LEDGER
    last = [each for each in history.STEPS if SchemaVersion.parse(each).major == major][-1]
    return released_rows(last)


def derive_min_reader(document: Mapping[str, Any], *, schema: str = SCHEMA_VERSION) -> str:
    """Return the oldest schema whose readers understand all that a document demands of them.

    It is the newest ``since`` among the fields that must be obeyed, are there, and say what no
    older field carries; and of the major of ``schema``, in whose words the document is.
    ``document`` is plain JSON data such as a reader accepts; of anything else nothing is promised.
    """
    needed = min_reader_of(history.uncarried(dict(document)), ledger_of(schema))
    first = SchemaVersion(SchemaVersion.parse(schema).major, 0)
    return str(max(SchemaVersion.parse(needed), first))


def own_words(metadata: ModelMetadata) -> dict[str, Any]:
    """Return metadata as plain data in the words of the schema that they report."""
    return history.downgrade(metadata.model_dump(mode="json"), schema=last_known(metadata.schema))


def newer_meanings(metadata: ModelMetadata, schema: str) -> tuple[str, ...]:
    """Return the paths of fields that readers of ``schema`` do not know, outermost only.

    Left out is what older fields say as well. Fields that this package does not know are among
    them where ``schema`` is older than the one they were written in.
    """
    document = history.uncarried(own_words(metadata), schema=schema)
    older = SchemaVersion.parse(schema) < metadata.schema
    return (
        *newer_fields(document, ledger_of(last_known(metadata.schema)), schema),
        *(metadata.unknown_fields if older else ()),
    )


def _removed_fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the removed fields that a document holds, who removed each, and what to say instead."""
    for path, reason in RESERVED.items():
        if holds(document, path):
            removed, _, instead = reason.partition("; ")
            yield path, removed, instead


def with_plain_areas(metadata: ModelMetadata) -> ModelMetadata:
    """Return the metadata with the one spelling of each area wherever they name it.

    Raises:
        MetadataError: an area is no name, or two areas are one name.
    """
    listed = [item.areas or () for item in metadata.inputs]
    try:
        for some in (metadata.areas, *listed):
            parse_names(some)
    except ValueError as error:
        raise MetadataError(f"areas: {error}") from None
    every = {*metadata.areas, *chain(*listed), *(row.area for row in metadata.performance)}
    if all(plain_name(name) == name for name in every):
        return metadata
    return metadata.model_copy(
        update={
            "areas": {plain_name(name): area for name, area in metadata.areas.items()},
            "inputs": tuple(
                item.model_copy(update={"areas": tuple(map(plain_name, item.areas))})
                if item.areas
                else item
                for item in metadata.inputs
            ),
            "performance": tuple(
                row.model_copy(update={"area": plain_name(row.area)})
                for row in metadata.performance
            ),
        }
    )


def wrong_min_reader(found: str, derived: str) -> str:
    """Return the problem of a ``min_reader`` that does not follow from the declared fields."""
    return (
        f"min_reader: found {found}, expected {derived} from what is declared; it is derived, "
        "never chosen"
    )


def invalid_metadata(problems: tuple[str, ...]) -> MetadataError:
    """Return the error that lists every problem."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return MetadataError(listed(f"{count} in the metadata:", problems), problems=problems)
