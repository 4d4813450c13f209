"""Schema 0.3 adds `applicability_domain` (bounds on each input) and `uncertainty` (quantiles).

A bound is the minimum, the maximum or the missing share of an input's windows. The two
`max_*_seen` are deprecated: still obeyed, and still written where they can say a bound.
"""

from __future__ import annotations

from typing import Any

from fairweather_interface.errors import NotExpressibleError

Document = dict[str, Any]

_SEEN = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}


def upgrade(document: Document) -> Document:
    """Return the document: absent means in 0.3 what it meant in 0.2, and no field has moved."""
    return document


def downgrade(document: Document) -> Document:
    """Return the document where fields of 0.2 carry every bound that it declares.

    What readers of 0.2 may ignore stays: those bounds, and the quantiles.

    Raises:
        NotExpressibleError: a bound is not carried; a reader of 0.2 would not keep to it.
    """
    left = uncarried(document).get("applicability_domain")
    if left is None:
        return document
    problems = tuple(
        f"applicability_domain: found the {bound} {value} of {name!r}, expected none that is not "
        "also said by max_temperature_seen, max_humidity_seen or the input's max_missing: readers "
        "of schema 0.2 do not keep to it"
        for name, bounds in left.items()
        for bound, value in bounds.items()
    )
    raise NotExpressibleError("\n".join(problems), problems=problems)


def uncarried(document: Document) -> Document:
    """Return the document without the bounds which fields of 0.2 say as well.

    The document is one that a reader of 0.3 accepts.

    A ``maximum`` is carried by the ``max_*_seen`` of its input's variable, where that is not
    above it, and a ``max_missing`` by the input's own, where that is not above it.
    """
    domain = document.get("applicability_domain")
    if not isinstance(domain, dict):
        return document
    inputs = {item.get("name"): item for item in document.get("inputs", ())}
    left = {name: _left(document, inputs.get(name, {}), bounds) for name, bounds in domain.items()}
    left = {name: bounds for name, bounds in left.items() if bounds}
    rest = {key: value for key, value in document.items() if key != "applicability_domain"}
    return rest | ({"applicability_domain": left} if left else {})


def _left(document: Document, item: Document, bounds: Document) -> Document:
    """Return the bounds of an input that no field of 0.2 says."""
    field = _SEEN.get(str(item.get("variable")))
    older: Document = {
        "maximum": document.get(field) if field else None,
        "max_missing": item.get("max_missing"),
    }
    return {
        name: value
        for name, value in bounds.items()
        if value is not None
        and (older.get(name) is None or float(older[name]) > float(value))  # as they are read
    }
