"""Schema 1.0 removes `max_temperature_seen` and `max_humidity_seen`, and asks for less.

What the two said is a maximum of every input of their variable in `applicability_domain`.
`topic`, `model_digest` and `performance` may be absent; of a row of performance `rmse`, `bias`,
`count` and `held_out`; of `training` all but `train_end_time` and `synthetic`. Areas, times,
tolerances and skills have bounds that software kept already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from fairweather_interface.errors import MetadataError, NotExpressibleError, short

Document = dict[str, Any]

_SEEN = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}
_ASKED = ("topic", "model_digest")
_ASKED_OF_PERFORMANCE = ("rmse", "bias", "count", "held_out")
_ASKED_OF_TRAINING = (
    *("data_source", "data_location", "data_digest", "train_start_time", "recipe", "seed"),
    *("threads", "code_version", "packages"),
)


def upgrade(document: Document) -> Document:
    """Return the document with both removed bounds in the domain of every input they bounded.

    Where the domain has a maximum of its own, the lower one holds, as in 0.4.

    Raises:
        MetadataError: a removed bound is no number.
    """
    seen = {variable: _number(document, field) for variable, field in _SEEN.items()}
    rest = {name: value for name, value in document.items() if name not in _SEEN.values()}
    if len(rest) == len(document):
        return document
    domain = dict(document.get("applicability_domain") or {})
    for item in document["inputs"]:
        bound = seen.get(str(item.get("variable")))
        if bound is None or item["role"] != "observations":
            continue
        bounds = dict(domain.get(item["name"]) or {})
        own = bounds.get("maximum")
        bounds["maximum"] = bound if own is None else min(own, bound)
        domain[item["name"]] = bounds
    return rest | ({"applicability_domain": domain} if domain else {})


def _number(document: Document, field: str) -> Any:  # noqa: ANN401 - JSON tells two kinds apart
    bound = document.get(field)
    largest = sys.float_info.max
    if bound is not None and not (type(bound) in (int, float) and -largest <= bound <= largest):
        raise MetadataError(f"{field}: found {short(bound)}, expected a number")
    return bound


def downgrade(document: Document) -> Document:
    """Return the document with each maximum that bounds every input of a variable in both forms.

    Readers of 0.1 and 0.2 know it by the removed name alone.

    Raises:
        NotExpressibleError: what 0.4 asks for is absent.
    """
    if problems := tuple(_absent(document)):
        raise NotExpressibleError("\n".join(problems), problems=problems)
    domain = document.get("applicability_domain") or {}
    seen: Document = {}
    for variable, field in _SEEN.items():
        names = [
            item["name"]
            for item in document["inputs"]
            if item.get("variable") == variable and item["role"] == "observations"
        ]
        maxima = [each.get("maximum") for name in names if (each := domain.get(name))]
        known = [bound for bound in maxima if bound is not None]
        if names and len(known) == len(names):
            seen[field] = max(known)
    return {"performance": []} | document | seen


def _absent(document: Document) -> Iterator[str]:
    groups = [
        ("", document, _ASKED),
        ("training.", document["training"], _ASKED_OF_TRAINING),
        *(
            (f"performance[{place}].", row, _ASKED_OF_PERFORMANCE)
            for place, row in enumerate(document.get("performance") or ())
        ),
    ]
    for where, part, names in groups:
        for name in names:
            if part.get(name) is None:
                yield f"{where}{name}: not found, and schema 0.4 asks for it"
