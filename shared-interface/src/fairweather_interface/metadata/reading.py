"""Read metadata tolerantly: upgrade older documents, keep fields that are not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fairweather_interface import history
from fairweather_interface.errors import MetadataError, UnsupportedSchemaError, listed
from fairweather_interface.metadata.record import parse_json
from fairweather_interface.metadata.rows import min_reader_of, newer_fields, released_rows
from fairweather_interface.metadata.schema import LEDGER, ModelMetadata
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
    if is_known(str(schema)):  # fields of others we cannot judge
        derived = _derived(document, schema=str(schema))
        if derived != metadata.min_reader:
            raise invalid_metadata((wrong_min_reader(metadata.min_reader, derived),))
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
    return _derived(document, schema=SCHEMA_VERSION)


def _derived(document: Mapping[str, Any], *, schema: str) -> str:
    """Return the ``min_reader`` of a document in its own words, by the ledger of its schema.

    What may be ignored of a bound says nothing of who may read it.
    """
    newest = SchemaVersion.parse(SCHEMA_VERSION)
    same = SchemaVersion.parse(schema).major == newest.major
    ledger = LEDGER if same else released_rows(schema)
    idle = {row.path.rpartition(".")[2] for row in ledger
            if row.path.startswith("applicability_domain{}.") and not row.must_obey}  # fmt: skip
    domain = document.get("applicability_domain")
    if idle and isinstance(domain, dict):
        domain = {name: {key: bound for key, bound in each.items() if key not in idle}
                  if isinstance(each, dict) else each for name, each in domain.items()}  # fmt: skip
        document = {**document, "applicability_domain": domain}
    return min_reader_of(history.uncarried(dict(document)), ledger)


def newer_meanings(metadata: ModelMetadata, schema: str) -> tuple[str, ...]:
    """Return the paths of fields that readers of ``schema`` do not know, outermost only.

    Left out is what older fields say as well. Fields that this package does not know are among
    them where ``schema`` is older than the one they were written in.
    """
    document = history.uncarried(metadata.model_dump(mode="json"), schema=schema)
    older = SchemaVersion.parse(schema) < SchemaVersion.parse(metadata.schema_version)
    return (*newer_fields(document, LEDGER, schema), *(metadata.unknown_fields if older else ()))


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
