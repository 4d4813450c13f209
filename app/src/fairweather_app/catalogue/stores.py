"""Stores of deliveries: a folder, or any place that fsspec has a URL for.

Who writes to a store is not trusted. Laws:

- A delivery without a manifest is not there (yet): `IncompleteDeliveryError`.
- `envelope` reads the signatures beside a manifest, empty where there are none; what is no regular
  file of at most 64 KiB is `EnvelopeError`.
- `OSError` means that the store failed; it tells nothing about a delivery.
- `names` costs one listing, however many deliveries there are; nothing below them is read.
- Names, kinds and sizes are compared before bytes are read. No link is followed, nothing but a
  regular file is opened, and no more is read of it than was asked for, whatever its stated size.
- `check` compares as much with the manifest as is cheap, with `only_listed` nothing that it does
  not list, and returns the paths of that; empty objects that stand for folders are no files.
- `fetch` brings bytes, never modes; a copy that differs is refused when it is verified.
- `fingerprint` changes with a delivery's bytes, and is never empty.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
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
from fairweather_interface.manifest import MANIFEST, SIGNATURE, is_stray

from fairweather_app.setting_values import is_remote
from fairweather_app.text import mask

LARGEST_MANIFEST = 4 << 20
MOST_ENTRIES = 20_000
"""Files and folders below a delivery that are looked at, listed in its manifest or not."""
DEEPEST = 32
"""So many folders of a delivery may lie in each other."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe is not waited for
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_STAMPS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")
"""The names that file systems give to what changes with a file's bytes, the surest first."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies at a path: its size (None: not known), what changes with it, why it is no file."""

    size: int | None
    stamp: object
    wrong: str = ""


class Store(ABC):
    """A place of deliveries, each below its name."""

    @abstractmethod
    def names(self) -> frozenset[str]:
        """List the folders that are not hidden."""

    @abstractmethod
    def copy_files(self, name: str, most: Mapping[str, int], folder: Path) -> None:
        """Copy files of a delivery into an empty folder, each of at most so many bytes."""

    @abstractmethod
    def envelope(self, name: str) -> bytes:
        """Read the signatures beside a manifest, empty where there are none."""

    @abstractmethod
    def _files(self, name: str, listed: Iterable[str] = ()) -> dict[str, _Found]:
        """Return what lies in a delivery's folder, by path; of very much, the listed files."""

    def _compare_bytes(self, name: str, manifest: Manifest, paths: list[str]) -> list[str]:  # noqa: ARG002 - a disk is cheap to read, a network is not
        """Return what is wrong with the bytes of files, where they are cheap to read."""
        return []

    def fingerprint(self, name: str) -> str:
        """Hash path, size and the store's own stamp of every file."""
        found = self._files(name)
        if MANIFEST not in found:
            raise _incomplete(name)
        lines = [f"{path}\0{each.size} {each.stamp}" for path, each in sorted(found.items())]
        text = "\n".join(lines).encode(errors="surrogateescape")  # names need not be UTF-8
        return hashlib.sha256(text).hexdigest()[:32]

    def manifest(self, name: str) -> Manifest:
        """Fetch and read the manifest."""
        with tempfile.TemporaryDirectory() as folder:
            self.copy_files(name, {MANIFEST: LARGEST_MANIFEST}, Path(folder))
            return read_manifest(Path(folder))

    def fetch(self, name: str, manifest: Manifest, folder: Path) -> None:
        """Copy what the manifest lists, and the manifest."""
        sizes = {path: entry.size for path, entry in manifest.files.items()}
        self.copy_files(name, {**sizes, MANIFEST: LARGEST_MANIFEST}, folder)

    def check(self, name: str, manifest: Manifest, *, only_listed: bool = False) -> frozenset[str]:
        """Compare names, kinds and sizes, and where nothing is copied or much is wrong, digests."""
        found = self._files(name, manifest.files)
        unlisted = found.keys() - manifest.files.keys()
        problems = [
            f"{path}: {found[path].wrong or f'found, not listed in {MANIFEST}'}"
            for path in sorted(unlisted)
            if not (only_listed or is_stray(path))
            and (found[path].wrong or path not in {MANIFEST, SIGNATURE})
        ]
        sound = []
        for path, entry in sorted(manifest.files.items()):
            about = found.get(path)
            if about is None:
                problems.append(f"{path}: listed in {MANIFEST}, not found")
            elif about.wrong:
                problems.append(f"{path}: {about.wrong}")
            elif about.size not in (None, entry.size):
                problems.append(f"{path}: found {about.size} bytes, expected {entry.size}")
            else:
                sound.append(path)
        if problems or only_listed:
            problems += self._compare_bytes(name, manifest, sound)
        if problems:
            raise _corrupt(name, *problems)
        return frozenset(unlisted - {MANIFEST, SIGNATURE})


class LocalStore(Store):
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> frozenset[str]:
        """List the folders, and the links to such, that are not hidden."""
        with os.scandir(self.folder) as found:
            return frozenset(
                each.name for each in found if not each.name.startswith(".") and each.is_dir()
            )

    def copy_files(self, name: str, most: Mapping[str, int], folder: Path) -> None:
        """Copy the bytes of regular files."""
        with self._opened(name) as top:
            for path, size in most.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with (folder / path).open("xb") as copy:
                    copy.writelines(_read(name, top, path, size))

    def envelope(self, name: str) -> bytes:
        """Read the file of signatures."""
        with self._opened(name) as top:
            try:
                os.stat(SIGNATURE, dir_fd=top, follow_symlinks=False)
            except FileNotFoundError:
                return b""
            try:
                return b"".join(_read(name, top, SIGNATURE, LARGEST_ENVELOPE))
            except CorruptDeliveryError as error:
                raise EnvelopeError(error.problems[0]) from None

    def _files(self, name: str, listed: Iterable[str] = ()) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        with self._opened(name) as top:
            for path in (MANIFEST, *listed):  # listed ones too: the walk does not go everywhere
                try:
                    found[path] = _describe(os.stat(path, dir_fd=top, follow_symlinks=False))
                except OSError as error:
                    if error.errno not in _ABSENT:
                        raise
            if MANIFEST not in found:
                return {}  # what else is there need not be looked at
            walk = _walk(top)
            found |= {path: each for path, each in islice(walk, MOST_ENTRIES) if each is not None}
            if next(walk, None):
                found["."] = _Found(None, None, f"found more than {MOST_ENTRIES} files and folders")
        return found

    def _compare_bytes(self, name: str, manifest: Manifest, paths: list[str]) -> list[str]:
        problems: list[str] = []
        with self._opened(name) as top:
            for path in paths:
                entry, digest = manifest.files[path], hashlib.sha256()
                try:
                    for chunk in _read(name, top, path, entry.size):
                        digest.update(chunk)
                except CorruptDeliveryError as error:
                    problems += error.problems
                    continue
                if digest.hexdigest() != entry.sha256:
                    problems.append(f"{path}: its sha256 differs from the one listed in {MANIFEST}")
        return problems

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """Open the folder of a delivery, which may be no link."""
        path = self.folder / name
        try:
            top = os.open(path, _FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise _corrupt(name, "found a link, expected a folder with its files") from None
            if not self.folder.is_dir():  # it went away after its names were read
                raise
            raise _incomplete(name) from None
        try:
            yield top
        finally:
            os.close(top)


class RemoteStore(Store):
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

    def copy_files(self, name: str, most: Mapping[str, int], folder: Path) -> None:
        """Fetch files; a longer one ends all, as soon as its size is known."""
        from fsspec.callbacks import Callback  # type: ignore[import-untyped]  # noqa: PLC0415 - a folder needs none

        copies = {str(folder / path): path for path in most}

        def follow(_remote: str, copy: str, **_: object) -> Any:  # noqa: ANN401 - fsspec has no types
            path = copies[copy]

            def limit(size: int | None, value: int) -> None:
                if max(size or 0, value) > most[path]:
                    raise _corrupt(name, _too_long(path, most[path]))

            return Callback(hooks={"limit": limit})

        transfer = Callback()
        transfer.branched = follow
        for copy in copies:
            Path(copy).parent.mkdir(parents=True, exist_ok=True)
        try:
            with _as_os_error():
                remote = [f"{self._root}/{name}/{path}" for path in most]
                self._system.get(remote, list(copies), callback=transfer)
        except FileNotFoundError as error:
            if MANIFEST in str(error) or list(most) == [MANIFEST]:
                raise _incomplete(name) from None
            missing = f"{mask(str(error))}: listed in {MANIFEST}, not found"
            raise _corrupt(name, missing) from None

    def envelope(self, name: str) -> bytes:
        """Fetch and read the file of signatures."""
        found = b""
        with _as_os_error(), suppress(FileNotFoundError):
            path = f"{self._root}/{name}/{SIGNATURE}"
            found = bytes(self._system.cat_file(path, start=0, end=LARGEST_ENVELOPE + 1))
        if len(found) > LARGEST_ENVELOPE:
            raise EnvelopeError(_too_long(SIGNATURE, LARGEST_ENVELOPE))
        return found

    @cached_property
    def _system(self) -> Any:  # noqa: ANN401 - fsspec has no types
        import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415 - a folder needs none

        system, _ = fsspec.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
        return system

    @property
    def _root(self) -> str:
        return str(self._system._strip_protocol(self.url))  # noqa: SLF001 - fsspec's own way

    def _files(self, name: str, listed: Iterable[str] = ()) -> dict[str, _Found]:  # noqa: ARG002 - all is looked at
        root = f"{self._root}/{name}"
        with _as_os_error():
            every = self._system.find(root, detail=True)
        files = {path.removeprefix(root).lstrip("/"): about for path, about in every.items()}
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
        return {
            path: _Found(about.get("size"), next((about[k] for k in _STAMPS if k in about), ""))
            for path, about in files.items()
            if about.get("size") or not (path.endswith("/") or path in {"", *folders})
        }


def open_store(url: str) -> Store:
    """Make the store of a URL or a path; nothing is read yet."""
    return RemoteStore(url) if is_remote(url) else LocalStore(Path(url.removeprefix("file://")))


def _walk(folder: int, stem: str = "") -> Iterator[tuple[str, _Found | None]]:
    """Yield what lies below an open folder: None for a folder that is entered.

    A folder of a stray's name, or one that lies too deep, is not.
    """
    with os.scandir(folder) as entries:
        for each in entries:
            path = f"{stem}{each.name}"
            if (
                not each.is_dir(follow_symlinks=False)
                or is_stray(each.name)
                or path.count("/") >= DEEPEST
            ):
                yield path, _describe(each.stat(follow_symlinks=False))
                continue
            yield path, None
            below = os.open(each.name, _FOLDER, dir_fd=folder)
            try:
                yield from _walk(below, f"{path}/")
            finally:
                os.close(below)


def _describe(about: os.stat_result) -> _Found:
    if stat.S_ISREG(about.st_mode):
        return _Found(about.st_size, about.st_mtime_ns)
    if stat.S_ISLNK(about.st_mode):
        wrong = "found a link, expected files and folders only"
    elif stat.S_ISDIR(about.st_mode):
        wrong = f"found a folder, expected a file, or at most {DEEPEST} folders in each other"
    else:
        wrong = "found neither a file nor a folder"
    return _Found(None, about.st_mtime_ns, wrong)


def _read(name: str, top: int, path: str, most: int) -> Iterator[bytes]:
    """Yield the bytes of a regular file below an open folder, at most so many; follow no link."""
    *folders, last = path.split("/")
    with ExitStack() as stack:
        try:
            for each in folders:
                top = os.open(each, _FOLDER, dir_fd=top)
                stack.callback(os.close, top)
            mode = os.stat(last, dir_fd=top, follow_symlinks=False).st_mode
            handle = os.open(last, _FILE, dir_fd=top) if stat.S_ISREG(mode) else None
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            if path == MANIFEST:
                raise _incomplete(name) from None
            raise _corrupt(name, f"{path}: listed in {MANIFEST}, not found") from None
        if handle is None:
            found = "found a link, a folder or a device, expected a file"
            raise _corrupt(name, f"{path}: {found}")
        file = stack.enter_context(os.fdopen(handle, "rb"))
        left = most
        while chunk := file.read(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise _corrupt(name, _too_long(path, most))
            yield chunk


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise whatever a file system raises as `OSError`."""
    try:
        yield
    except (OSError, FairweatherError):
        raise
    except Exception as error:
        raise OSError(mask(f"{type(error).__name__}: {error}")) from error


def _incomplete(name: str) -> IncompleteDeliveryError:
    return IncompleteDeliveryError(f"found no {MANIFEST} in {name}", path=Path(name))


def _too_long(path: str, most: int) -> str:
    return f"{path}: found more than {most} bytes, expected at most so many"


def _corrupt(name: str, *problems: str) -> CorruptDeliveryError:
    return CorruptDeliveryError(f"{name} is corrupt", path=Path(name), problems=problems)
