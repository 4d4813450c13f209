"""Stores of deliveries: a folder, or any place that fsspec has a URL for.

Laws:

- A delivery without a manifest is not there (yet): `IncompleteDeliveryError`.
- `envelope` reads the signatures beside a manifest, empty where there are none; what is no regular
  file of at most 64 KiB is `EnvelopeError`.
- `OSError` means that the store failed; it tells nothing about a delivery.
- `names` costs one listing, however many deliveries there are; nothing below them is read.
- `check` compares as much with the manifest as is cheap, with `only_listed` nothing that it does
  not list, and returns the paths of that; empty objects that stand for folders are no files.
- `fetch` brings what the manifest lists; a copy that differs is refused when it is verified.
- `fingerprint` changes with a delivery's bytes, and is never empty.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from fairweather_interface.delivery import Manifest, read_manifest
from fairweather_interface.envelope import LARGEST_ENVELOPE
from fairweather_interface.errors import (
    CorruptDeliveryError,
    EnvelopeError,
    FairweatherError,
    IncompleteDeliveryError,
)
from fairweather_interface.manifest import (
    MANIFEST,
    SIGNATURE,
    file_problems,
    is_stray,
    read_document,
)

from fairweather_app.setting_values import is_remote
from fairweather_app.text import mask

LARGEST_MANIFEST = 64 << 20

_STAMPS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")
"""The names that file systems give to what changes with a file's bytes, the surest first."""


class LocalStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> frozenset[str]:
        """List the folders that are not hidden."""
        with os.scandir(self.folder) as found:
            return frozenset(
                each.name for each in found if not each.name.startswith(".") and each.is_dir()
            )

    def fingerprint(self, name: str) -> str:
        """Hash path, size and modification time of every file."""
        try:
            return _fingerprint(name, dict(_stamps(str(self.folder / name))))
        except (FileNotFoundError, NotADirectoryError):
            if not self.folder.is_dir():  # it went away after its names were read
                raise
            raise _incomplete(name) from None

    def manifest(self, name: str) -> Manifest:
        """Read the manifest."""
        return read_manifest(self.folder / name)

    def envelope(self, name: str) -> bytes:
        """Read the file of signatures."""
        try:
            return read_document(self.folder / name / SIGNATURE, LARGEST_ENVELOPE)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except ValueError as error:
            raise EnvelopeError(f"{SIGNATURE}: {error}") from None

    def check(self, name: str, manifest: Manifest, *, only_listed: bool = False) -> frozenset[str]:
        """Compare every byte: a disk is cheap to read."""
        _refuse(name, file_problems(self.folder / name, manifest, only_listed=only_listed))
        return _unlisted(dict(_stamps(str(self.folder / name))), manifest)

    def fetch(self, name: str, manifest: Manifest, folder: Path) -> None:
        """Copy what the manifest lists, and the manifest; links as links: the copy is refused."""
        for path in (*manifest.files, MANIFEST):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / name / path, folder / path, follow_symlinks=False)


class RemoteStore:
    """A place that fsspec has a URL for, opened at first use: nothing lives through a fork."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __str__(self) -> str:
        return mask(self.url)

    def names(self) -> frozenset[str]:
        """List the folders that are not hidden; an absent prefix is empty, an absent bucket not."""
        with _as_os_error():
            try:
                found = self._system.ls(self._root, detail=True)
            except FileNotFoundError:
                parent = self._system._parent(self._root)  # noqa: SLF001 - fsspec has it nowhere else
                if not parent or not self._system.exists(parent):
                    raise
                found = []
        folders = (each["name"] for each in found if each["type"] == "directory")
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in folders)
        return frozenset(name for name in names if not name.startswith("."))

    def fingerprint(self, name: str) -> str:
        """Hash path, size and the store's own stamp of every file."""
        found = self._files(name)
        return _fingerprint(
            name,
            {
                path: [about.get("size"), next((about[k] for k in _STAMPS if k in about), "")]
                for path, about in found.items()
            },
        )

    def manifest(self, name: str) -> Manifest:
        """Fetch and read the manifest."""
        with tempfile.TemporaryDirectory() as folder:
            self._fetch(name, [MANIFEST], Path(folder))
            return read_manifest(Path(folder))

    def envelope(self, name: str) -> bytes:
        """Fetch and read the file of signatures."""
        path = f"{self._root}/{name}/{SIGNATURE}"
        with _as_os_error(), suppress(FileNotFoundError):
            if (size := self._system.size(path) or 0) > LARGEST_ENVELOPE:
                raise EnvelopeError(
                    f"{SIGNATURE}: found {size} bytes, expected at most {LARGEST_ENVELOPE}"
                )
            return bytes(self._system.cat_file(path)) if size else b""
        return b""

    def check(self, name: str, manifest: Manifest, *, only_listed: bool = False) -> frozenset[str]:
        """Compare names and sizes; digests are for the copy."""
        found = self._files(name)
        unlisted = _unlisted(found, manifest)
        problems = [
            f"{path}: listed in {MANIFEST}, not found"
            for path in sorted(manifest.files.keys() - found.keys())
        ]
        problems += [
            f"{path}: found, not listed in {MANIFEST}"
            for path in sorted(unlisted)
            if not (only_listed or is_stray(path))
        ]
        for path in sorted(manifest.files.keys() & found.keys()):
            size, expected = found[path].get("size"), manifest.files[path].size
            if size not in (None, expected):
                problems.append(f"{path}: found {size} bytes, expected {expected}")
        _refuse(name, tuple(problems))
        return unlisted

    def fetch(self, name: str, manifest: Manifest, folder: Path) -> None:
        """Fetch what the manifest lists, and the manifest."""
        folder.mkdir(parents=True)
        self._fetch(name, [*manifest.files, MANIFEST], folder)

    @cached_property
    def _system(self) -> Any:  # noqa: ANN401 - fsspec has no types
        import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415 - a folder needs none

        system, _ = fsspec.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
        return system

    @property
    def _root(self) -> str:
        return str(self._system._strip_protocol(self.url))  # noqa: SLF001 - fsspec's own way

    def _files(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        root = f"{self._root}/{name}"
        with _as_os_error():
            found = self._system.find(root, detail=True)
        files = {path.removeprefix(root).lstrip("/"): about for path, about in found.items()}
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
        return {
            path: about
            for path, about in files.items()
            if about.get("size") or not (path.endswith("/") or path in {"", *folders})
        }

    def _fetch(self, name: str, paths: list[str], folder: Path) -> None:
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        remote = [f"{self._root}/{name}/{path}" for path in paths]
        try:
            with _as_os_error():
                if paths == [MANIFEST] and self._system.size(remote[0]) > LARGEST_MANIFEST:
                    _refuse(name, (f"{MANIFEST}: larger than {LARGEST_MANIFEST} bytes",))
                self._system.get(remote, [str(folder / path) for path in paths])
        except FileNotFoundError as error:
            if MANIFEST in str(error) or paths == [MANIFEST]:
                raise _incomplete(name) from None
            _refuse(name, (f"{mask(str(error))}: listed in {MANIFEST}, not found",))


Store = LocalStore | RemoteStore


def open_store(url: str) -> Store:
    """Make the store of a URL or a path; nothing is read yet."""
    return RemoteStore(url) if is_remote(url) else LocalStore(Path(url.removeprefix("file://")))


def _unlisted(found: Iterable[str], manifest: Manifest) -> frozenset[str]:
    """Return what is neither listed in a manifest, nor it or its signature."""
    return frozenset(found) - {*manifest.files, MANIFEST, SIGNATURE}


def _stamps(folder: str, stem: str = "") -> Iterator[tuple[str, object]]:
    """Yield path, size and time of all but folders, and of those of strays; follow no link."""
    with os.scandir(folder) as found:
        for each in found:
            if each.is_dir(follow_symlinks=False) and not is_stray(each.name):
                yield from _stamps(each.path, f"{stem}{each.name}/")
            else:
                about = each.stat(follow_symlinks=False)
                yield f"{stem}{each.name}", (about.st_size, about.st_mtime_ns)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise whatever a file system raises as `OSError`."""
    try:
        yield
    except (OSError, FairweatherError):
        raise
    except Exception as error:
        raise OSError(mask(f"{type(error).__name__}: {error}")) from error


def _fingerprint(name: str, found: Mapping[str, object]) -> str:
    if MANIFEST not in found:
        raise _incomplete(name)
    text = "\n".join(f"{path}\0{stamp}" for path, stamp in sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _incomplete(name: str) -> IncompleteDeliveryError:
    return IncompleteDeliveryError(f"found no {MANIFEST} in {name}", path=Path(name))


def _refuse(name: str, problems: tuple[str, ...]) -> None:
    if problems:
        raise CorruptDeliveryError(f"{name} is corrupt", path=Path(name), problems=problems)
