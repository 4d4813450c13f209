"""Helpers that several test files share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fairweather_interface import MANIFEST
from fairweather_interface.metadata import read_metadata
from fairweather_interface.testing import metadata_document

pytest_plugins = ("pytester",)

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile(
    "default", max_examples=200, derandomize=True, deadline=None, suppress_health_check=_SLOW
)  # derandomize: a run fails for what changed, never for what it happened to draw
settings.register_profile(
    "full", max_examples=1000, derandomize=False, deadline=None, suppress_health_check=_SLOW
)
settings.load_profile("default")


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


PRECIPITATION = {"unit": "mm", "minimum": 0.0, "maximum": 500.0}
"""What a delivery declares of a variable that the packaged table lacks."""


def full_document(**changes: Any) -> dict[str, Any]:
    """Return a document with every record of the newest schema; of 0.4, readers of 0.1 read it."""
    return metadata_document(
        **{
            "areas": ("EWR", "JFK"),
            "variables": ("temperature", "humidity"),
            "context": True,
            "max_missing": 0.1,
            "by_lead_day": (0.34, 0.1),
            "by_age": {timedelta(hours=3): 0.2, timedelta(hours=6): 0.05},
            "quantiles": (0.1, 0.9),
            "applicability_domain": {"temperature": {"maximum": 38.5, "max_missing": 0.1}},
            "declared_variables": {"precipitation": PRECIPITATION | {"margin": 5.0}},
            "intended_use": "The coming day in Newark",
            "limitations": "No storms",
            "licence": "CC-BY-4.0",
            "contact": "weather@example.org",
            **changes,
        }
    )


@pytest.fixture
def document() -> dict[str, Any]:
    return metadata_document(variables=("temperature", "humidity"), context=True)


@pytest.fixture
def fields() -> dict[str, Any]:
    """Return what a writer hands to create_metadata."""
    metadata = read_metadata(as_json(metadata_document()))
    written = {name: getattr(metadata, name) for name in type(metadata).model_fields}
    del written["schema_version"], written["min_reader"]
    return written


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """Return a function that makes a changed delivery's manifest true again."""

    def seal(folder: Path) -> None:
        files = {
            path.relative_to(folder).as_posix(): {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "size": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        }
        manifest = {"delivery_id": folder.name, "files": files}
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return seal


def walk(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every object in plain JSON data, except in free-form fields."""
    if isinstance(value, dict):
        if path and path[-1] in ("recipe", "packages", "baselines"):
            return
        if not path or path[-1] not in ("areas", "tolerance", "applicability_domain", "variables"):
            yield path
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from walk(item, (*path, position))


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


class SilentStep:
    """A step that lets everything pass, as one does with what readers may ignore."""

    def upgrade(self, document: dict[str, Any], /) -> dict[str, Any]:
        return document

    def downgrade(self, document: dict[str, Any], /) -> dict[str, Any]:
        return document
