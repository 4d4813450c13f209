"""Helpers that several test files share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fairweather_interface import MANIFEST, SCHEMA_VERSION
from fairweather_interface.history import STEPS
from fairweather_interface.metadata import (
    Area,
    Artifact,
    Bounds,
    Input,
    Output,
    Performance,
    Quantile,
    Tolerance,
    Training,
    read_metadata,
)
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
def every_schema_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``dump_metadata`` write all schemas, so that a test may speak of one from long ago."""
    monkeypatch.setattr(
        "fairweather_interface.metadata.writing.WRITTEN_SCHEMAS", (*STEPS, SCHEMA_VERSION)
    )


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
        if path and path[-1] in (
            "recipe",
            "packages",
            "areas",
            "tolerance",
            "applicability_domain",
        ):
            if path[-1] in ("recipe", "packages"):
                return
        else:
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


RECORDS = (Area, Artifact, Bounds, Input, Output, Performance, Quantile, Tolerance, Training)


class SilentStep:
    """A step that lets everything pass, as one does with what readers may ignore."""

    def upgrade(self, document: dict[str, Any], /) -> dict[str, Any]:
        return document

    def downgrade(self, document: dict[str, Any], /) -> dict[str, Any]:
        return document
