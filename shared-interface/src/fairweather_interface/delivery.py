"""Deliveries: folders that are whole or invisible.

A delivery is staged in a hidden sibling folder, its manifest written last, checked, and then
renamed into the store in one step: whoever lists the store sees all of it or nothing. Reading
checks every digest before anything is believed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairweather_interface.errors import (
    CorruptDeliveryError,
    DeliveryError,
    IncompleteDeliveryError,
    MetadataError,
    listed,
)
from fairweather_interface.examples import EXAMPLES, example_problems
from fairweather_interface.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    artifact_digest,
    artifact_files,
    digest_of_files,
    file_problems,
    read_manifest,
    write_manifest,
)
from fairweather_interface.metadata import ModelMetadata, read_metadata, writing_problems
from fairweather_interface.versions import SCHEMA_VERSION

METADATA = "metadata.json"
CARD = "card/index.html"
_STAGING = ".staging-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A delivery whose every byte was verified.

    Attributes:
        path: its folder.
        metadata: what the model says of itself.
        manifest: what the folder holds.
    """

    path: Path
    metadata: ModelMetadata
    manifest: Manifest

    @property
    def digest(self) -> str:
        """The digest of the delivery, ``sha256:<hex>``."""
        return self.manifest.digest


def new_delivery_id() -> str:
    """Return a new, unique delivery id: a lowercase UUID of version 4."""
    return str(uuid.uuid4())


def list_deliveries(store: Path) -> tuple[Path, ...]:
    """Return the folders of complete deliveries in a store, by name; nothing is verified.

    Hidden folders and folders without a manifest are not deliveries (yet).

    Raises:
        OSError: the store is absent or cannot be read.
    """
    with os.scandir(store) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return tuple(store / name for name in names if (store / name / MANIFEST).is_file())


def open_delivery(path: Path, *, reader: str = SCHEMA_VERSION) -> Delivery:
    """Verify a delivery, read its metadata for a reader that obeys ``reader``, and return it.

    Raises:
        IncompleteDeliveryError: it is not there (yet).
        CorruptDeliveryError: digests, layout or contents disagree.
        UnsupportedSchemaError: its metadata needs a newer reader.
        MetadataError: its metadata breaks the contract.
    """
    manifest = read_manifest(path)
    _refuse(path, file_problems(path, manifest))
    if METADATA not in manifest.files:
        _refuse(path, (f"{METADATA}: not found",))
    metadata = read_metadata((path / METADATA).read_bytes(), reader=reader)
    _refuse(path, _content_problems(path, manifest, metadata, expected_id=path.name))
    return Delivery(path=path, metadata=metadata, manifest=manifest)


def verify_delivery(path: Path) -> tuple[str, ...]:
    """Return every problem of a delivery, also those that only its writer has to mend."""
    return _verify(path, expected_id=path.name)


@contextmanager
def staged_delivery(store: Path, delivery_id: str) -> Iterator[Path]:
    """Yield a hidden folder to write a delivery in; make it visible, whole, at the end.

    On leaving, the manifest is written, the folder verified, flushed to disk and renamed to
    ``store / delivery_id``. When anything fails, also inside the block, the folder is removed
    and nothing becomes visible. What a killed process left behind is removed by the next one.

    Raises:
        CorruptDeliveryError: what was written does not conform; ``problems`` lists why.
        DeliveryError: the store already holds this delivery.
    """
    store.mkdir(parents=True, exist_ok=True)
    clear_dead_stagings(store)
    folder, lock = _new_staging(store, delivery_id)
    try:
        yield folder
        write_manifest(folder, delivery_id)
        problems = _verify(folder, expected_id=delivery_id)
        if problems:
            raise CorruptDeliveryError(
                listed("this delivery does not conform and was not delivered:", problems),
                path=folder,
                problems=problems,
            )
        _flush(folder)
        _rename(folder, store / delivery_id)
        _flush_folder(store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # after the rename there is nothing left
        os.close(lock)


def clear_dead_stagings(store: Path) -> tuple[Path, ...]:
    """Remove and return the staging folders whose writers have died.

    A living writer holds a lock on its folder; the system drops it with the process.
    """
    dead = []
    for folder in sorted(store.glob(f"{_STAGING}*")):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # removed by its writer in between
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
            dead.append(folder)
        finally:
            os.close(lock)
    return tuple(dead)


def _new_staging(store: Path, delivery_id: str) -> tuple[Path, int]:
    while True:
        folder = store / f"{_STAGING}{delivery_id}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # nobody took it for dead before it was locked
            return folder, lock
        os.close(lock)


def _rename(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError as error:
        if not final.exists():
            raise
        raise DeliveryError(
            f"found a delivery at {final}, expected none: a delivery is never replaced; deliver "
            "under a new id",
            path=final,
        ) from error


def _verify(path: Path, *, expected_id: str) -> tuple[str, ...]:
    try:
        manifest = read_manifest(path)
    except (IncompleteDeliveryError, CorruptDeliveryError) as error:
        return error.problems
    problems = file_problems(path, manifest)
    if not (path / METADATA).is_file():
        return (*problems, f"{METADATA}: not found")
    try:
        metadata = read_metadata((path / METADATA).read_bytes())
    except MetadataError as error:
        return (*problems, *(f"{METADATA}: {problem}" for problem in error.problems))
    return (
        *problems,
        *_content_problems(path, manifest, metadata, expected_id=expected_id, writing=True),
        *(f"{METADATA}: {problem}" for problem in writing_problems(metadata)),
        *(() if CARD in manifest.files else (f"{CARD}: not found",)),
    )


def _content_problems(
    path: Path,
    manifest: Manifest,
    metadata: ModelMetadata,
    *,
    expected_id: str,
    writing: bool = False,
) -> tuple[str, ...]:
    problems = [
        f"{where}: found delivery_id {found!r}, expected {expected_id!r}, the folder's name"
        for where, found in (
            (MANIFEST, manifest.delivery_id),
            (METADATA, metadata.delivery_id),
        )
        if found != expected_id
    ]
    for artifact in metadata.artifacts:
        if artifact.path is None:
            continue
        files = artifact_files(manifest.files, artifact.path)
        if not files:
            problems.append(f"{artifact.path}: declared as {artifact.format}, not found")
        elif artifact.canonical and digest_of_files(files) != metadata.model_digest:
            problems.append(f"{artifact.path}: its digest differs from the model_digest declared")
    problems += example_problems(path / EXAMPLES, metadata, writing=writing)
    return tuple(problems)


def _refuse(path: Path, problems: tuple[str, ...]) -> None:
    if problems:
        raise CorruptDeliveryError(
            listed(f"{path} is corrupt; have it delivered again:", problems),
            path=path,
            problems=problems,
        )


def _flush(folder: Path) -> None:
    for item in folder.rglob("*"):
        _flush_folder(item)
    _flush_folder(folder)


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = [
    "CARD",
    "EXAMPLES",
    "MANIFEST",
    "METADATA",
    "SIGNATURE",
    "Delivery",
    "Manifest",
    "artifact_digest",
    "clear_dead_stagings",
    "list_deliveries",
    "new_delivery_id",
    "open_delivery",
    "read_manifest",
    "staged_delivery",
    "verify_delivery",
]
