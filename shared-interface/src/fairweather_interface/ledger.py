"""The field ledger: every field of a schema on a line of its own, as text that can be compared.

A row states where the field stands (``inputs[].period``; ``[]`` for each item of a list, ``{}``
for each value of a map), its type, whether it must be there, its default, its constraints, its
unit, the schema that brought it, and what a reader who does not know it has to do. The text is
ours and depends on no library's rendering, so that two of them differ only where the contract
does. The ledgers of released schemas lie in the folder ``ledgers`` and never change; beside
them, ``reserved.txt`` lists the names that were removed and are never used again.
"""

from __future__ import annotations

import inspect
import json
from importlib import resources
from itertools import pairwise

from fairweather_interface.errors import MetadataError
from fairweather_interface.history import STEPS
from fairweather_interface.metadata import LEDGER
from fairweather_interface.metadata.reading import ledger_of
from fairweather_interface.metadata.rows import HEADER, RESERVED, Row
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

__all__ = [
    "LEDGER", "RESERVED", "Row", "changes_text", "ledger_text", "meanings_text", "must_obey_rows",
]  # fmt: skip

_FOLDER = resources.files("fairweather_interface") / "ledgers"


def ledger_text(version: str = SCHEMA_VERSION) -> str:
    """Return the canonical ledger of a schema; the same contract always gives the same text.

    Raises:
        MetadataError: this package knows no schema of that version.
    """
    if version == SCHEMA_VERSION:
        lines = [f"# field ledger of schema {version}", f"# {HEADER}", *map(str, LEDGER)]
        return "\n".join(lines) + "\n"
    return _released(version, "txt")


def meanings_text(version: str = SCHEMA_VERSION) -> str:
    """Return what each field of a schema states, as TOML: paths with a sentence each.

    It is kept beside the ledger from schema 0.4 on: what a name means never changes.

    Raises:
        MetadataError: this package knows no schema of that version, or not its sentences.
    """
    if version == SCHEMA_VERSION:
        pairs = ((json.dumps(row.path), json.dumps(row.meaning)) for row in LEDGER)
        return "".join(f"{path} = {meaning}\n" for path, meaning in pairs)
    return _released(version, "meanings.toml")


def _released(version: str, suffix: str) -> str:
    schema = SchemaVersion.parse(version)
    released = _FOLDER / f"{schema}.{suffix}"
    if not released.is_file():
        raise MetadataError(
            f"found no ledger of schema {schema}, expected {SCHEMA_VERSION} or an older one: "
            "newer schemas come with newer releases of fairweather-interface"
        )
    return released.read_text(encoding="utf-8")


def must_obey_rows(version: str = SCHEMA_VERSION) -> tuple[Row, ...]:
    """Return the rows of a schema that its readers must obey, sorted by path.

    Software that declares to read ``version`` obeys each of them; a test of its own names where.

    Raises:
        MetadataError: this package knows no schema of that version.
    """
    ledger_text(version)  # raises for a schema that is not known
    schema = SchemaVersion.parse(version)
    return tuple(
        row
        for row in ledger_of(version)
        if row.must_obey and SchemaVersion.parse(row.since) <= schema
    )


def changes_text(against: str) -> str:
    """Return what changed since an older schema: the words of each step and the rows of the ledger.

    Raises:
        MetadataError: this package knows no schema of that version.
    """
    ledger_text(against)  # raises for a schema that is not known
    versions = (*STEPS, SCHEMA_VERSION)
    parts = []
    for old, new in pairwise(versions[versions.index(against) :]):
        words = inspect.cleandoc(STEPS[old].__doc__ or "")
        was, has = (ledger_text(each).splitlines()[2:] for each in (old, new))
        rows = [f"- {row}" for row in was if row not in has]
        rows += [f"+ {row}" for row in has if row not in was]
        parts.append("\n".join([f"# {old} to {new}", words, f"# {HEADER}", *rows]) + "\n")
    return "\n".join(parts)
