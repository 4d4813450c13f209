"""The field ledger: every field of a schema on a line of its own, as text that can be compared.

A row says where the field stands (``inputs[].period``; ``[]`` for each item of a list, ``{}``
for each value of a map), its type, whether it must be there, its default, its constraints, its
unit, the schema that brought it, and what a reader who does not know it has to do. The text is
ours and depends on no library's rendering, so that two of them differ only where the contract
does. The ledgers of released schemas lie in the folder ``ledgers`` and never change.
"""

from __future__ import annotations

from importlib import resources

from fairweather_interface._rows import HEADER, Row
from fairweather_interface.errors import MetadataError
from fairweather_interface.metadata import LEDGER
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

__all__ = ["LEDGER", "Row", "ledger_text"]


def ledger_text(version: str = SCHEMA_VERSION) -> str:
    """Return the canonical ledger of a schema; the same contract always gives the same text.

    Raises:
        MetadataError: this package knows no schema of that version.
    """
    schema = SchemaVersion.parse(version)
    if version == SCHEMA_VERSION:
        return (
            "\n".join([f"# field ledger of schema {version}", f"# {HEADER}", *map(str, LEDGER)])
            + "\n"
        )
    released = resources.files("fairweather_interface") / "ledgers" / f"{schema}.txt"
    if not released.is_file():
        raise MetadataError(
            f"found no ledger of schema {schema}, expected {SCHEMA_VERSION} or an older one: "
            "newer schemas come with newer releases of fairweather-interface"
        )
    return released.read_text(encoding="utf-8")
