"""How the twins were made: a delivery of the next minor, and one of the next major.

    python make_twins.py FOLDER

Kept for the record: what it wrote once is never written again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fairweather_interface.testing import build_delivery


def from_the_next_minor(document: dict[str, Any]) -> None:
    """Put fields nobody knows on every level of the metadata, none of which has to be obeyed."""
    document["schema_version"] = "0.99"
    for record in _records(document):
        record["novelty"] = {"text": "from the future", "deep": [1, None, {"x": True}]}


def from_the_next_major(document: dict[str, Any]) -> None:
    """Say it all in other words, as only a new major may."""
    for name in list(document):
        if name not in ("delivery_id", "schema_version", "min_reader"):
            document[f"new_{name}"] = document.pop(name)
    document |= {"schema_version": "99.0", "min_reader": "99.0"}


def _records(value: object) -> list[dict[str, Any]]:
    """Return every record of the metadata: objects with fields, not maps by name."""
    if isinstance(value, list):
        return [record for item in value for record in _records(item)]
    if not isinstance(value, dict):
        return []
    below = [
        record
        for name, item in value.items()
        if name not in ("recipe", "packages")
        for record in _records(item)
    ]
    is_map = bool(value) and all(isinstance(item, dict) for item in value.values())
    return below if is_map else [value, *below]


if __name__ == "__main__":
    for name, change in (("next-minor", from_the_next_minor), ("next-major", from_the_next_major)):
        build_delivery(
            Path(sys.argv[1]) / name,
            areas=("EWR", "JFK"),
            variables=("temperature", "humidity"),
            context=True,
            max_missing=0.25,
            quantiles=(0.1, 0.9),
            max_temperature_seen=38.0,
            applicability_domain={"temperature": {"maximum": 38.0, "max_missing": 0.25}},
            change=change,
        )
