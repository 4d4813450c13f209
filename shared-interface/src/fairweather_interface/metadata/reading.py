"""Read metadata tolerantly: upgrade older documents, keep fields that are not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

from pydantic import ValidationError

from fairweather_interface import history
from fairweather_interface.errors import MetadataError, UnsupportedSchemaError, listed
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
    needed = str(document["min_reader"])
    older_major = SchemaVersion.parse(needed).major < SchemaVersion.parse(SCHEMA_VERSION).major
    if older_major and not is_known(needed):
        raise UnsupportedSchemaError(
            f"found metadata that need a reader of schema {needed}, which is none of those known "
            f"here, the newest {SCHEMA_VERSION}: have the model delivered again in one of those",
            found=needed,
            supported=SCHEMA_VERSION,
        )
    try:
        upgraded = history.upgrade(document, schema=last_known(schema))
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of another shape
        raise MetadataError(
            f"found metadata that cannot be upgraded from schema {schema} ({error!r}), expected "
            "what that schema allows: have the model delivered again"
        ) from None
    if upgraded is not document:
        data = json.dumps(upgraded)
    try:
        metadata = ModelMetadata.model_validate_json(data)
    except ValidationError as error:
        raise invalid_metadata(problems_of(error)) from None
    if problems := _reserved_names(document, schema):
        raise invalid_metadata(problems)
    if is_known(str(schema)):  # fields of others we cannot judge
        needed = derived(document, schema=str(schema))
        if needed != metadata.min_reader:
            raise invalid_metadata((wrong_min_reader(metadata.min_reader, needed),))
    return metadata


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


def derive_min_reader(document: Mapping[str, Any]) -> str:
    """Return the oldest schema whose readers understand all that a document demands of them.

    It is the newest ``since`` among the fields that must be obeyed, are there, and say what no
    older field carries. ``document`` is plain JSON data of the newest schema, such as a reader
    accepts; of anything else nothing is promised.
    """
    return derived(document, schema=SCHEMA_VERSION)


def ledger_of(schema: str) -> tuple[Row, ...]:
    """Return the newest ledger of the major of a known schema."""
    newest, major = SchemaVersion.parse(SCHEMA_VERSION), SchemaVersion.parse(schema).major
    if major == newest.major:
        return LEDGER
    last = [each for each in history.STEPS if SchemaVersion.parse(each).major == major][-1]
    return released_rows(last)


def _reserved_names(document: Mapping[str, Any], schema: SchemaVersion) -> tuple[str, ...]:
    """Return the fields of a document that its schema, or one before it, removed."""
    gone = {path: said.partition("; ") for path, said in RESERVED.items()}
    return tuple(
        f"{path}: found a name that schema {removed} removed, expected {instead}"
        for path, (removed, _, instead) in gone.items()
        if SchemaVersion.parse(removed) <= schema and holds(document, path)
    )


def derived(document: Mapping[str, Any], *, schema: str) -> str:
    """Return the ``min_reader`` of a document in its own words, by the ledger of its schema.

    What may be ignored of a bound says nothing of who may read it. It is of the same major.
    """
    ledger = ledger_of(schema)
    idle = {row.path.rpartition(".")[2] for row in ledger
            if row.path.startswith("applicability_domain{}.") and not row.must_obey}  # fmt: skip
    domain = document.get("applicability_domain")
    if idle and isinstance(domain, dict):
        domain = {name: {key: bound for key, bound in each.items() if key not in idle}
                  if isinstance(each, dict) else each for name, each in domain.items()}  # fmt: skip
        document = {**document, "applicability_domain": domain}
    needed = SchemaVersion.parse(min_reader_of(history.uncarried(dict(document)), ledger))
    return str(max(needed, SchemaVersion(SchemaVersion.parse(schema).major, 0)))


def newer_meanings(metadata: ModelMetadata, schema: str) -> tuple[str, ...]:
    """Return the paths of fields that readers of ``schema`` do not know, outermost only.

    Left out is what older fields say as well. Fields that this package does not know are among
    them where ``schema`` is older than the one they were written in.
    """
    own = last_known(metadata.schema)
    document = history.downgrade(metadata.model_dump(mode="json"), schema=own)
    document = history.uncarried(document, schema=schema)
    older = SchemaVersion.parse(schema) < metadata.schema
    return (
        *newer_fields(document, ledger_of(own), schema),
        *(metadata.unknown_fields if older else ()),
    )


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
