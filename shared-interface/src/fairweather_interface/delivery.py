"""Deliveries: folders that are whole or invisible.

A delivery is staged in a hidden sibling folder, its manifest written last, checked, and then
renamed into the store in one step: a list of the store has all of it or nothing. Reading
checks every digest before anything is believed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fairweather_interface.envelope import envelope_problems
from fairweather_interface.errors import (
    CorruptDeliveryError,
    DeliveryError,
    MetadataError,
    listed,
    short,
)
from fairweather_interface.examples import EXAMPLES, example_problems
from fairweather_interface.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    artifact_digest,
    artifact_files,
    corrupt,
    digest_of_files,
    file_problems,
    read_listed,
    read_manifest,
    write_manifest,
)
from fairweather_interface.metadata import (
    DELIVERY_ID_PATTERN,
    ModelMetadata,
    read_metadata,
    writing_problems,
)
from fairweather_interface.versions import SCHEMA_VERSION

METADATA = "metadata.json"
CARD = "card/index.html"
_STAGING = ".staging-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A delivery whose every byte was verified.

    Attributes:
        path: its folder.
        metadata: what the model declares.
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

    What is not named by a delivery id is none, whatever it holds; a folder without a manifest is
    none yet. A folder that may not be looked into is listed: opening it raises the reason.

    Raises:
        OSError: the store is absent or cannot be read.
    """
    with os.scandir(store) as entries:
        names = sorted(entry.name for entry in entries)
    ids = (name for name in names if re.fullmatch(DELIVERY_ID_PATTERN, name))
    return tuple(store / name for name in ids if _complete(store / name))


def open_delivery(path: Path, *, reader: str = SCHEMA_VERSION) -> Delivery:
    """Verify a delivery, read its metadata for a reader that obeys ``reader``, and return it.

    Raises:
        IncompleteDeliveryError: it is not there (yet).
        CorruptDeliveryError: digests, layout or contents disagree.
        UnsupportedSchemaError: its metadata needs a newer reader.
        MetadataError: its metadata breaks the contract.
        OSError: the disk or the permissions do not allow to read a file.
    """
    manifest = read_manifest(path)
    if problems := file_problems(path, manifest):
        raise corrupt(path, problems)
    metadata = read_metadata(read_listed(path, manifest, METADATA), reader=reader)
    if problems := _content_problems(path, manifest, metadata, expected_id=_name(path)):
        raise corrupt(path, problems)
    return Delivery(path=path, metadata=metadata, manifest=manifest)


def verify_delivery(path: Path) -> tuple[str, ...]:
    """Return every problem of a delivery, also those that only its writer has to mend.

    Raises:
        OSError: the disk or the permissions do not allow to read a file.
    """
    return _verify(path, expected_id=_name(path))


@contextmanager
def staged_delivery(store: Path, delivery_id: str) -> Iterator[Path]:
    """Yield a hidden folder to write a delivery in; make it visible, whole, at the end.

    On leaving, the manifest is written, the folder verified, flushed to disk and renamed to
    ``store / delivery_id``. When anything fails, also inside the block, the folder is removed
    and nothing becomes visible. What a killed process left behind is removed by the next one.

    Raises:
        CorruptDeliveryError: what was written does not conform; ``problems`` lists why.
        DeliveryError: the store already holds this delivery, or the id is not one.
        OSError: the disk or the permissions do not allow to write.
    """
    store = store.absolute()  # a writer may change the working directory
    if re.fullmatch(DELIVERY_ID_PATTERN, delivery_id) is None:
        raise DeliveryError(
            f"found the delivery id {short(delivery_id)}, expected a lowercase UUID of version 4 "
            "such as new_delivery_id() returns",
            path=store / delivery_id,
        )
    if os.path.lexists(store / delivery_id):
        raise _exists(store / delivery_id)
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
        lock.close()


def clear_dead_stagings(store: Path) -> tuple[Path, ...]:
    """Remove and return the staging folders whose writers have died.

    A living writer holds a lock on its folder; the system drops it with the process.
    """
    dead = []
    for folder in sorted(store.glob(f"{_STAGING}*")):
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder)
            dead.append(folder)
    return tuple(dead)


def _new_staging(store: Path, delivery_id: str) -> tuple[Path, ExitStack]:
    """Return a new folder and its lock; try again when it was taken for dead before the lock."""
    while True:
        folder = store / f"{_STAGING}{delivery_id}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        with ExitStack() as stack, suppress(FileNotFoundError):
            stack.enter_context(_locked(folder, fcntl.LOCK_EX))
            if folder.exists():
                return folder, stack.pop_all()


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def _name(path: Path) -> str:
    return Path(os.path.abspath(path)).name  # noqa: PTH100 - "." has a name, links keep theirs


def _complete(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:
        return True


def _rename(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:
        if os.path.lexists(final):
            raise _exists(final) from None
        raise


def _exists(final: Path) -> DeliveryError:
    return DeliveryError(
        f"found a delivery at {final}, expected none: a delivery is never replaced; deliver "
        "under a new id",
        path=final,
    )


def _verify(path: Path, *, expected_id: str) -> tuple[str, ...]:
    problems: tuple[str, ...] = ()
    try:
        manifest = read_manifest(path)
        problems = file_problems(path, manifest)
        metadata = read_metadata(read_listed(path, manifest, METADATA))
    except DeliveryError as error:
        return tuple(dict.fromkeys((*problems, *error.problems)))
    except MetadataError as error:
        return (*problems, *(f"{METADATA}: {problem}" for problem in error.problems))
    return (
        *problems,
        *envelope_problems(path, manifest),
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
        for where, found in ((MANIFEST, manifest.delivery_id), (METADATA, metadata.delivery_id))
        if found != expected_id
    ]
    for artifact in metadata.artifacts:
        if artifact.path is None:
            continue
        files = artifact_files(manifest.files, artifact.path)
        if not files:
            problems.append(f"{artifact.path}: declared as {artifact.format}, not found")
        elif (
            artifact.canonical
            and metadata.model_digest is not None
            and digest_of_files(files) != metadata.model_digest
        ):
            problems.append(f"{artifact.path}: its digest differs from the model_digest declared")
    problems += example_problems(path / EXAMPLES, metadata, writing=writing)
    return tuple(problems)


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
    "CARD", "EXAMPLES", "MANIFEST", "METADATA", "SIGNATURE", "Delivery", "Manifest",
    "artifact_digest", "clear_dead_stagings", "list_deliveries", "new_delivery_id",
    "open_delivery", "read_manifest", "staged_delivery", "verify_delivery",
]  # fmt: skip
