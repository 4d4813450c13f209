"""Schema 0.2 adds `max_humidity_seen` (%): the highest humidity in all training windows."""

from __future__ import annotations

from typing import Any

from fairweather_interface.errors import NotExpressibleError

Document = dict[str, Any]


def upgrade(document: Document) -> Document:
    """Return the document: absent means in 0.2 what it meant in 0.1, no bound on humidity."""
    return document


def downgrade(document: Document) -> Document:
    """Return the document where it declares no bound on humidity.

    Raises:
        NotExpressibleError: it declares one; a reader of 0.1 would not keep to it.
    """
    if document.get("max_humidity_seen") is not None:
        raise NotExpressibleError(
            f"max_humidity_seen: found {document['max_humidity_seen']} %, expected none: readers "
            "of schema 0.1 do not keep to a bound on humidity"
        )
    return document
