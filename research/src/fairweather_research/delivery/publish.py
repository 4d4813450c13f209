"""Copy a delivery from one store to another.

Its files, and no stray that lies beside them, are copied byte for byte, verified before anything
is written, and visible at its destination
whole or not at all: in a folder it is staged beside its place and renamed, at any other URL of
fsspec its manifest is written last, and by one writer only. Publishing what is there already
changes nothing; other bytes under the same id are refused.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
from fairweather_interface.delivery import MANIFEST, SIGNATURE, read_manifest, verify_delivery
from fairweather_interface.errors import FairweatherError

from fairweather_research.errors import PublishError

_HIDDEN = ".publishing-"


def publish(delivery: str, store: str) -> str:
    """Verify a delivery, copy it to a store, and return where it lies there.

    Both are paths or URLs; the delivery is its folder.

    Raises:
        PublishError: the delivery does not conform, the store holds another of its id, or either
            cannot be reached.
    """
    try:
        with _verified(delivery) as folder:
            if _is_remote(store):
                return _upload(folder, store.rstrip("/"))
            return _copy(folder, Path(store.removeprefix("file://")).expanduser())
    except FairweatherError:
        raise
    except Exception as error:  # file systems raise what their clients raise
        raise PublishError(
            f"found {delivery} or {store} out of reach ({type(error).__name__}: {error}), expected "
            "a delivery's folder and a store, each a path or a URL of fsspec"
        ) from error


def _copy(folder: Path, store: Path) -> str:
    """Stage in a hidden sibling and rename: readers of the store see all of it or nothing."""
    final, system = store / folder.name, fsspec.filesystem("file")
    if not _is_there(folder, system, final):
        staging = store / f"{_HIDDEN}{uuid.uuid4().hex}"
        staging.mkdir(parents=True)
        try:
            digest, copy = read_manifest(folder).digest, staging / folder.name
            for path in _paths(folder):
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / path, copy / path)
            if (problems := verify_delivery(copy)) or read_manifest(copy).digest != digest:
                raise PublishError(f"{folder} changed while it was copied: {'; '.join(problems)}")
            for each in (staging, *staging.rglob("*")):
                _flush(each)
            try:
                copy.rename(final)
            except OSError:
                if not _is_there(folder, system, final):
                    raise
            _flush(store)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return str(final)


def _upload(folder: Path, url: str) -> str:
    """Upload everything, then the manifest, exclusively: it makes the delivery visible."""
    system, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    final = f"{root}/{folder.name}"
    if not _is_there(folder, system, final):
        for path in _paths(folder)[:-1]:
            remote = f"{final}/{path}"
            system.makedirs(remote.rpartition("/")[0], exist_ok=True)
            system.put_file(str(folder / path), remote)
            if system.size(remote) != (folder / path).stat().st_size:
                raise PublishError(f"{remote}: uploaded with another size; publish again")
        try:
            with system.open(f"{final}/{MANIFEST}", "xb") as file:
                file.write((folder / MANIFEST).read_bytes())
        except FileExistsError:
            _is_there(folder, system, final)  # another writer won; were they our bytes?
    return f"{url}/{folder.name}"


def _paths(folder: Path) -> list[str]:
    """Return the paths of what the manifest lists, of the signature if any, of the manifest."""
    signed = [SIGNATURE] * (folder / SIGNATURE).is_file()
    return [*read_manifest(folder).files, *signed, MANIFEST]


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


@contextmanager
def _verified(delivery: str) -> Iterator[Path]:
    """Yield the verified delivery as a local folder, downloaded if need be."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(delivery.removeprefix("file://")).expanduser().absolute()
        if _is_remote(delivery):
            system, root = fsspec.url_to_fs(
                delivery.rstrip("/"), use_listings_cache=False, skip_instance_cache=True
            )
            folder = Path(made) / root.rpartition("/")[2]
            for remote in system.find(root):
                if remote.endswith("/"):
                    continue  # an empty object that stands for a folder
                path = folder / remote.removeprefix(root).lstrip("/")
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise PublishError(f"found the path {remote}, expected one below {delivery}")
                path.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(remote, str(path))
        if problems := verify_delivery(folder):
            raise PublishError(f"{delivery} is not a valid delivery: {'; '.join(problems)}")
        yield folder


def _is_remote(text: str) -> bool:
    return "://" in text and not text.startswith("file://")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
