"""Producers: released research, really trained, delivering into a store of its own.

A producer runs once. Its folder holds ``store/`` and ``producer.json``; the wheels, constraints and
recipes it was made of are its key, and while they stay, so does the folder. A recipe that fails is
recorded with its reason: its cells fail with that, all others run.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matrix_axes import Recipe, Side, recipes
from matrix_environments import (
    MatrixError,
    Wheels,
    clean_environment,
    digest,
    python_of,
    state,
    wheels,
)

MANIFEST = "manifest.json"
METADATA = "metadata.json"
_RECORD = "producer.json"
_TIMEOUT = 900.0
_TAIL = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Produced:
    """What a producer left behind.

    Attributes:
        folder: where ``store/`` and ``producer.json`` lie.
        record: the content of ``producer.json``.
    """

    folder: Path
    record: dict[str, Any]

    @property
    def delivered(self) -> dict[str, dict[str, Any]]:
        """Every delivery by kind of recipe: its id and digest."""
        return {kind: each for kind, each in self.record["recipes"].items() if "digest" in each}

    @property
    def failures(self) -> dict[str, str]:
        """Why a recipe delivered nothing, by kind."""
        return {
            kind: each["failed"]
            for kind, each in self.record["recipes"].items()
            if "failed" in each
        }

    def delivery(self, kind: str) -> Path:
        """Return the folder of a delivery after proving that it is whole.

        Raises:
            MatrixError: it is not what was delivered, byte for byte.
        """
        expected = self.delivered[kind]
        folder = self.folder / "store" / str(expected["delivery_id"])
        problem = _broken(folder, expected["digest"])
        if problem:
            raise MatrixError(
                f"the delivery {kind} of research {self.record['name']} is not what was delivered: "
                f"{problem}; delete {self.folder} and deliver again"
            )
        return folder

    def metadata(self, kind: str) -> dict[str, Any]:
        """Return the metadata of a delivery as it is written."""
        document: dict[str, Any] = json.loads((self.delivery(kind) / METADATA).read_bytes())
        return document


def producer_key(found: Wheels, chosen: tuple[Recipe, ...]) -> dict[str, str]:
    """Return the digests of everything a producer's deliveries are made of."""
    return {**found.key, **{f"recipe {r.kind}": digest(r.path.read_bytes()) for r in chosen}}


def produced(side: Side, *, again: bool = False) -> Produced:
    """Return what a producer delivered, run before unless it was.

    Args:
        side: which research.
        again: run once more what failed before.

    Raises:
        MatrixError: a wheel cannot be had.
    """
    known = produced_before(side)
    if known is not None and not (again and known.failures):
        return known
    found = wheels(side)
    chosen = recipes(found.version)
    key = producer_key(found, chosen)
    folder = _folder(side)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as work:
        staged = Path(work) / "staged"
        (staged / "store").mkdir(parents=True)
        started = time.monotonic()
        done = _run(found, chosen, staged)
        seconds = round(time.monotonic() - started, 1)
        content = {"name": side.name, "key": key, "recipes": done, "seconds": seconds}
        (staged / _RECORD).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    return Produced(folder=folder, record=content)


def produced_before(side: Side) -> Produced | None:
    """Return what a producer delivered with the wheels and recipes of now; None when it did not.

    Raises:
        MatrixError: a wheel cannot be had.
    """
    path = _folder(side) / _RECORD
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    found = wheels(side)
    if record["key"] != producer_key(found, recipes(found.version)):
        return None
    return Produced(folder=path.parent, record=record)


def _folder(side: Side) -> Path:
    return state() / "producers" / side.name


def _run(found: Wheels, chosen: tuple[Recipe, ...], staged: Path) -> dict[str, dict[str, Any]]:
    """Train every recipe and say of each what it delivered or why it failed.

    One after another: the first compiles what all import in a new environment.
    """
    try:
        command = python_of(found).parent / "fairweather-research"
    except MatrixError as error:
        return {recipe.kind: {"failed": f"cannot be installed: {error}"} for recipe in chosen}
    return {recipe.kind: _trained(command, recipe, staged / "store") for recipe in chosen}


def _trained(command: Path, recipe: Recipe, store: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own
            [command, "train", recipe.path, "--store", store],
            env=clean_environment(TF_CPP_MIN_LOG_LEVEL="3"),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"training did not end within {_TIMEOUT:.0f} seconds"}
    errors = done.stderr
    if done.returncode or not done.stdout.strip():
        said = errors[errors.rfind("\nerror") + 1 :] if "\nerror" in errors else errors
        return {"failed": f"train exited {done.returncode}: {said.strip()[-_TAIL:]}"}
    folder = Path(done.stdout.splitlines()[-1])
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return {"failed": f"train named {folder}, where no {MANIFEST} lies"}
    return {"delivery_id": folder.name, "digest": digest(manifest.read_bytes())}


def _broken(folder: Path, expected: str) -> str | None:
    """Say what of a delivery is missing or changed; None when it is whole."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return f"{MANIFEST} is missing"
    content = manifest.read_bytes()
    if digest(content) != expected:
        return f"{MANIFEST} has digest {digest(content)}, expected {expected}"
    for path, about in json.loads(content)["files"].items():
        file = folder / path
        if not file.is_file():
            return f"{path} is missing"
        if digest(file.read_bytes()).removeprefix("sha256:") != about["sha256"]:
            return f"{path} was changed"
    return None
