"""Schema 0.4 adds `inputs[].max_age`: how old the newest value of a window may be.

For people, and for software that asks: how good each day of a forecast is (`by_lead_day`), how good
day 1 is when observations are late (`by_age`), the rows of variables that are new (`variables`),
and `intended_use`, `limitations`, `licence` and `contact`.
"""

from __future__ import annotations

from typing import Any

from fairweather_interface.errors import NotExpressibleError

Document = dict[str, Any]


def upgrade(document: Document) -> Document:
    """Return the document: absent means in 0.4 what it meant in 0.3, and no field has moved."""
    return document


def downgrade(document: Document) -> Document:
    """Return the document, which readers of 0.3 understand as far as they must.

    What they may ignore stays.

    Raises:
        NotExpressibleError: an input has a greatest age; a reader of 0.3 would not keep to it.
    """
    problems = tuple(
        f"inputs[].max_age: found {item['max_age']} of {item.get('name')!r}, expected none: "
        "readers of schema 0.3 serve windows whose newest value is older"
        for item in document.get("inputs", ())
        if item.get("max_age") is not None
    )
    if problems:
        raise NotExpressibleError("\n".join(problems), problems=problems)
    return document
