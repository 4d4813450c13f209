"""The manifest: every file of a delivery with its digest, written last.

Its own digest is the digest of the delivery. Laws: a path is relative, in POSIX form, without
``..``, and no part of it differs from another's by case only; links are refused; and exactly
one file may lie beside the listed ones, ``manifest.dsse.json`` (see `envelope`).
What systems and editors leave in any folder (`is_stray`) is no part of a delivery unless it is
listed: it is neither read nor refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationError

from fairweather_interface.errors import (
    CorruptDeliveryError,
    IncompleteDeliveryError,
    listed,
    short,
)
from fairweather_interface.metadata.record import Record, dump_record, parse_json
from fairweather_interface.problems import problems_of

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"

_STRAYS = re.compile(  # of macOS, NFS and editors; of editors; of Windows; of disks and stores
    r"\..+|.*~|#.*#|thumbs\.db|desktop\.ini|\$recycle\.bin|system volume information"
    r"|lost\+found|@eadir|__macosx|.*_\$folder\$",
    re.DOTALL | re.IGNORECASE,
)
_LARGEST_DOCUMENT = 64 << 20
_LONGEST_PATH = 1000


class FileEntry(Record):
    """One file: its digest (64 hexadecimal digits) and its size in bytes."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class _Document(Record):
    delivery_id: str
    files: Annotated[Mapping[str, FileEntry], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a delivery's folder holds.

    Attributes:
        delivery_id: the delivery this manifest belongs to.
        files: each file by its path below the folder.
        digest: ``sha256:<hex>`` of the manifest's own bytes: the digest of the delivery.
    """

    delivery_id: str
    files: Mapping[str, FileEntry]
    digest: str


def is_stray(path: str) -> bool:
    """Return whether a system or an editor makes files, or folders, of such a name by itself.

    Such are all hidden ones, ``Thumbs.db``, ``desktop.ini``, ``name~``, ``#name#`` and
    ``lost+found``; and whatever lies in a folder of such a name.
    """
    return any(_STRAYS.fullmatch(part) for part in path.split("/"))


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a delivery's folder; its files are not looked at.

    Raises:
        IncompleteDeliveryError: there is no manifest.
        CorruptDeliveryError: there is one, and it is not a manifest.
        OSError: the disk or the permissions do not allow to read it.
    """
    try:
        data = read_document(folder / MANIFEST)
        parse_json(data)
        document = _Document.model_validate_json(data)
    except (FileNotFoundError, NotADirectoryError):
        raise IncompleteDeliveryError(
            f"found no {MANIFEST} in {folder}, expected it in every complete delivery: wait until "
            "its writer has finished, or deliver again",
            path=folder,
        ) from None
    except ValidationError as error:
        raise corrupt(folder, problems_of(error, MANIFEST)) from None
    except ValueError as error:
        raise corrupt(folder, (f"{MANIFEST}: {error}",)) from None
    if problems := _path_problems(document.files):
        raise corrupt(folder, tuple(f"{MANIFEST}: {problem}" for problem in problems))
    return Manifest(
        delivery_id=document.delivery_id,
        files=document.files,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def write_manifest(folder: Path, delivery_id: str) -> Manifest:
    """List every file below ``folder``, write the manifest and return it.

    Raises:
        CorruptDeliveryError: the folder holds a link or a name the manifest refuses, or nothing.
    """
    problems, paths = _walk(folder)
    paths = [path for path in paths if path not in (MANIFEST, SIGNATURE)]
    problems += _path_problems(paths) if paths else ["found no file, expected a delivery"]
    if problems:
        raise corrupt(folder, tuple(problems))
    document = _Document(
        delivery_id=delivery_id, files={path: _entry(folder / path) for path in paths}
    )
    (folder / MANIFEST).write_bytes(dump_record(document))
    return read_manifest(folder)


def file_problems(
    folder: Path, manifest: Manifest, *, only_listed: bool = False
) -> tuple[str, ...]:
    """Return how the files below ``folder`` differ from the manifest; empty when they do not.

    With ``only_listed`` whatever else lies there is passed over, else only what `is_stray`.

    Raises:
        OSError: the disk or the permissions do not allow to read a file.
    """
    every = sorted(manifest.files)

    def is_left_out(name: str) -> bool:
        below = bisect_left(every, f"{name}/")
        kept = name in manifest.files or any(
            path.startswith(f"{name}/") for path in every[below : below + 1]
        )
        return not kept and (only_listed or is_stray(name))

    problems, paths = _walk(folder, is_left_out)
    found = set(paths) - {MANIFEST, SIGNATURE}
    problems += [_not_found(path) for path in sorted(set(manifest.files) - found)]
    problems += [
        f"{path}: found, not listed in {MANIFEST}" for path in sorted(found - set(manifest.files))
    ]
    for path in sorted(found & set(manifest.files)):
        expected = manifest.files[path]
        try:
            size = (folder / path).stat().st_size  # before a byte of what may be huge is read
            if size != expected.size:
                problems.append(f"{path}: found {size} bytes, expected {expected.size}")
            elif _entry(folder / path).sha256 != expected.sha256:
                problems.append(f"{path}: its sha256 differs from the one listed in {MANIFEST}")
        except (FileNotFoundError, NotADirectoryError):
            problems.append(_not_found(path))
    return tuple(problems)


def read_listed(folder: Path, manifest: Manifest, path: str) -> bytes:
    """Return the bytes of a small listed file: the very bytes its digest was held against.

    Raises:
        CorruptDeliveryError: it is not listed, not there, or not what the manifest lists.
        OSError: the disk or the permissions do not allow to read it.
    """
    try:
        data = read_document(folder / path)
    except (FileNotFoundError, NotADirectoryError):
        raise corrupt(folder, (_not_found(path),)) from None
    except ValueError as error:
        raise corrupt(folder, (f"{path}: {error}",)) from None
    if path not in manifest.files:
        raise corrupt(folder, (f"{path}: found, not listed in {MANIFEST}",))
    if hashlib.sha256(data).hexdigest() != manifest.files[path].sha256:
        raise corrupt(folder, (f"{path}: its sha256 differs from the one listed in {MANIFEST}",))
    return data


def read_document(
    path: Path, most: int = _LARGEST_DOCUMENT, *, follow_links: bool = False
) -> bytes:
    """Return the bytes of a regular file of at most so many.

    Raises:
        ValueError: it is a folder, a pipe, or huge, or a link that is not to be followed.
        OSError: it is not there or cannot be read.
    """
    status = path.stat(follow_symlinks=follow_links)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("found a link, a folder or a device, expected a file")
    if status.st_size > most:
        raise ValueError(f"found {status.st_size} bytes, expected at most {most}")
    return path.read_bytes()


def artifact_files(files: Mapping[str, FileEntry], path: str) -> dict[str, FileEntry]:
    """Return the files an artifact at ``path`` consists of: the file, or all below the folder."""
    return {
        name: entry for name, entry in files.items() if name == path or name.startswith(f"{path}/")
    }


def digest_of_files(files: Mapping[str, FileEntry]) -> str:
    """Return the sha256 over the sorted ``path NUL sha256 LF`` lines of some files."""
    lines = sorted(f"{path}\0{entry.sha256}\n" for path, entry in files.items())
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def artifact_digest(folder: Path, path: str) -> str:
    """Return the ``model_digest`` of the artifact at ``path`` below a folder being written.

    Raises:
        FileNotFoundError: nothing lies there.
    """
    _, paths = _walk(folder)
    chosen = [name for name in paths if name == path or name.startswith(f"{path}/")]
    if not chosen:
        raise FileNotFoundError(f"found no file at or below {folder / path}")
    return digest_of_files({name: _entry(folder / name) for name in chosen})


def _walk(
    folder: Path, is_left_out: Callable[[str], bool] = lambda _name: False
) -> tuple[list[str], list[str]]:
    """Return problems (links, things that are no files) and the paths of the files below."""
    problems, paths, below = [], [], [""]
    while below:
        stem = below.pop()
        try:
            with os.scandir(folder / stem) as found:
                entries = list(found)
        except (FileNotFoundError, NotADirectoryError):
            problems.append(f"{stem or folder}: gone while it was read")
            continue
        for entry in entries:
            name = f"{stem}{entry.name}"
            if is_left_out(name):
                continue
            if len(name) > _LONGEST_PATH:
                problems.append(f"{name[:60]}...: found a path of {len(name)} characters")
            elif entry.is_symlink():
                problems.append(f"{name}: found a link, expected files and folders only")
            elif entry.is_dir(follow_symlinks=False):
                below.append(f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                paths.append(name)
            else:
                problems.append(f"{name}: found neither a file nor a folder")
    return sorted(problems), sorted(paths)


def _path_problems(paths: Iterable[str]) -> list[str]:
    problems: list[str] = []
    plain_paths = [MANIFEST, SIGNATURE]
    for path in paths:
        clean = PurePosixPath(path)
        plain = path.isprintable() and not {"\\", ":"} & set(path) and len(path) <= _LONGEST_PATH
        hops = {"..", "."} & {path, *clean.parts}
        if not plain or str(clean) != path or clean.is_absolute() or hops:
            problems.append(
                f"found the path {short(path)}, expected a plain path below the delivery"
            )
            continue
        if path in (MANIFEST, SIGNATURE):
            problems.append(f"found the path {path!r}, which no manifest lists")
        plain_paths.append(path)
    # neighbours in this order share their first parts, but for case, with all between them
    parts = sorted(
        (path.split("/") for path in plain_paths), key=lambda each: [*map(_folded, each)]
    )
    for one, other in pairwise(parts):
        for depth, (first, second) in enumerate(zip(one, other, strict=False), start=1):
            if _folded(first) != _folded(second):
                break
            if first != second:
                found = "/".join(one[:depth]), "/".join(other[:depth])
                problems.append(f"found {found[0]!r} and {found[1]!r}, which differ by case only")
                break
    return list(dict.fromkeys(problems))


def _folded(part: str) -> str:
    return unicodedata.normalize("NFC", part.casefold())


def _not_found(path: str) -> str:
    return f"{path}: listed in {MANIFEST}, not found"


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(sha256=digest, size=file.tell())


def corrupt(folder: Path, problems: tuple[str, ...]) -> CorruptDeliveryError:
    """Return the error of a corrupt delivery, with every problem."""
    return CorruptDeliveryError(
        listed(f"{folder} is corrupt; have it delivered again:", problems),
        path=folder,
        problems=problems,
    )
