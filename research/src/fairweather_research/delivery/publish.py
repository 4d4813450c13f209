"""Copy a delivery from one store to another.

What its manifest lists, its manifest and its signatures are copied byte for byte, verified before
anything is written, and visible at the destination whole or not at all: in a folder it is staged
beside its place and renamed, at any other URL of fsspec its manifest is written last, and by one
writer only. Modes stay behind: files are made as this process makes them, by its umask. Publishing
what is there already adds the signatures that are missing there, and changes nothing else; other
bytes under the same id are refused.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec  # type: ignore[import-untyped]
from fairweather_interface.delivery import MANIFEST, SIGNATURE, read_manifest, verify_delivery
from fairweather_interface.envelope import dump_envelope, read_envelope
from fairweather_interface.manifest import read_document

from fairweather_research.delivery.keys import SigningKey
from fairweather_research.delivery.signing import (
    add_signature,
    envelope_at,
    sign,
    write_envelope,
)
from fairweather_research.delivery.stores import (
    copy_bytes,
    is_remote,
    reaching,
    store_at,
    verified,
)
from fairweather_research.errors import PublishError, SigningError

_HIDDEN = ".publishing-"


def publish(delivery: str, store: str, key: SigningKey | None = None) -> str:
    """Verify a delivery, copy it to a store, and return where it lies there.

    Both are paths or URLs; the delivery is its folder. With a key its signature is added to those
    of the delivery, there and not in the store it comes from.

    Raises:
        PublishError: the delivery does not conform, the store holds another of its id, or either
            cannot be reached.
        SigningError: no signature can be added to what is there.
    """
    with reaching(delivery, store), verified(delivery) as folder, TemporaryDirectory() as made:
        system, root, address = store_at(store)
        final, place = f"{root}/{folder.name}", f"{address}/{folder.name}"
        if not _is_there(folder, system, final):
            if is_remote(store):
                copy = Path(made) / folder.name
                _copy(folder, copy, key)
                _upload(copy, system, final)
            else:
                _stage(folder, Path(final), key)
        elif key is None:
            _add_missing(folder, place)
        else:
            sign(place, key)
        return place


def _copy(folder: Path, copy: Path, key: SigningKey | None) -> None:
    """Copy what the manifest lists, the manifest and the envelope, and verify the copy."""
    manifest = read_manifest(folder)
    for path, entry in manifest.files.items():
        copy_bytes(folder / path, copy / path, entry.size)
    (copy / MANIFEST).write_bytes(read_document(folder / MANIFEST))
    if (folder / SIGNATURE).exists():
        (copy / SIGNATURE).write_bytes(read_document(folder / SIGNATURE))
    if (problems := verify_delivery(copy)) or read_manifest(copy).digest != manifest.digest:
        raise PublishError(f"{folder} changed while it was copied: {'; '.join(problems)}")
    if key is not None:
        write_envelope(str(copy), add_signature(copy, key))


def _stage(folder: Path, final: Path, key: SigningKey | None) -> None:
    """Stage in a hidden sibling and rename: readers of the store see all of it or nothing."""
    staging = final.parent / f"{_HIDDEN}{uuid.uuid4().hex}"
    staging.mkdir(parents=True)
    try:
        copy = staging / final.name
        _copy(folder, copy, key)
        for each in (staging, *staging.rglob("*")):
            _flush(each)
        try:
            copy.rename(final)
        except OSError:
            if not _is_there(folder, fsspec.filesystem("file"), final):
                raise
        _flush(final.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _upload(copy: Path, system: Any, final: str) -> None:  # noqa: ANN401 - untyped
    """Upload everything, then the manifest, exclusively: it makes the delivery visible."""
    signed = [SIGNATURE] * (copy / SIGNATURE).exists()
    for path in (*read_manifest(copy).files, *signed):
        remote = f"{final}/{path}"
        system.makedirs(remote.rpartition("/")[0], exist_ok=True)
        system.put_file(str(copy / path), remote)
        if system.size(remote) != (copy / path).stat().st_size:
            raise PublishError(f"{remote}: uploaded with another size; publish again")
    try:
        with system.open(f"{final}/{MANIFEST}", "xb") as file:
            file.write((copy / MANIFEST).read_bytes())
    except FileExistsError:
        _is_there(copy, system, final)  # another writer won; were they our bytes?


def _is_there(folder: Path, system: Any, final: Path | str) -> bool:  # noqa: ANN401 - untyped
    """Return whether the delivery is at its destination; refuse another one there."""
    manifest = f"{final}/{MANIFEST}"
    if not system.exists(manifest):
        return False
    if system.cat_file(manifest) != (folder / MANIFEST).read_bytes():
        raise PublishError(
            f"found another delivery at {final}, expected none or this one: a delivery is never "
            "replaced; deliver under a new id"
        )
    return True


def _add_missing(folder: Path, place: str) -> None:
    """Add the delivery's signatures to those that are at its destination."""
    ours, there = read_envelope(folder), envelope_at(place)
    if ours is None:
        return
    if there is not None and there.payload != ours.payload:
        raise SigningError(
            f"{place}: found signatures of another statement than those of {folder}, and left them "
            f"as they are; add one there: fairweather-research sign {place} --key KEY"
        )
    whole = there or ours
    for each in ours.signatures:
        whole = whole.with_signature(each.key_id, each.value)
    if whole != there:
        write_envelope(place, dump_envelope(whole))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
