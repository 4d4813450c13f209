"""The manifest: every file of a delivery with its digest, written last.

Its own digest is the digest of the delivery. Laws: a path is relative, in POSIX form, without
``..``, and differs from every other by more than case; links are refused; and exactly one file
may lie beside the listed ones, ``manifest.dsse.json``, so that a signature can come later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationError

from fairweather_interface._record import Record, parse_json, problems_of
from fairweather_interface.errors import CorruptDeliveryError, IncompleteDeliveryError, listed

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"

_CHUNK = 1 << 20


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


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a delivery's folder; its files are not looked at.

    Raises:
        IncompleteDeliveryError: there is no manifest.
        CorruptDeliveryError: there is one, and it is not a manifest.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise IncompleteDeliveryError(
            f"found no {MANIFEST} in {folder}, expected it in every complete delivery: wait until "
            "its writer has finished, or deliver again",
            path=folder,
        ) from None
    try:
        document = _Document.model_validate_json(_one_meaning(data))
    except ValidationError as error:
        raise _corrupt(folder, problems_of(error, MANIFEST)) from None
    except ValueError as error:
        raise _corrupt(folder, (f"{MANIFEST}: {error}",)) from None
    problems = tuple(f"{MANIFEST}: {problem}" for problem in _path_problems(document.files))
    if problems:
        raise _corrupt(folder, problems)
    return Manifest(
        delivery_id=document.delivery_id,
        files=document.files,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def write_manifest(folder: Path, delivery_id: str) -> Manifest:
    """List every file below ``folder``, write the manifest and return it.

    Raises:
        CorruptDeliveryError: the folder holds a link or a name the manifest refuses.
    """
    problems, paths = _walk(folder)
    files = {path: _entry(folder / path) for path in paths if path not in (MANIFEST, SIGNATURE)}
    problems += _path_problems(files)
    if problems:
        raise _corrupt(folder, tuple(problems))
    document = _Document(delivery_id=delivery_id, files=files)
    text = json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return read_manifest(folder)


def file_problems(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return how the files below ``folder`` differ from the manifest; empty when they do not."""
    problems, paths = _walk(folder)
    found = set(paths) - {MANIFEST, SIGNATURE}
    problems += [
        f"{path}: listed in {MANIFEST}, not found" for path in sorted(set(manifest.files) - found)
    ]
    problems += [
        f"{path}: found, not listed in {MANIFEST}" for path in sorted(found - set(manifest.files))
    ]
    for path in sorted(found & set(manifest.files)):
        expected = manifest.files[path]
        size = (folder / path).stat().st_size
        if size != expected.size:
            problems.append(f"{path}: found {size} bytes, expected {expected.size}")
        elif _digest(folder / path) != expected.sha256:
            problems.append(f"{path}: its sha256 differs from the one listed in {MANIFEST}")
    return tuple(problems)


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
    files = {name: _entry(folder / name) for name in paths}
    chosen = artifact_files(files, path)
    if not chosen:
        raise FileNotFoundError(f"found no file at or below {folder / path}")
    return digest_of_files(chosen)


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """Return problems (links, things that are no files) and the paths of the files below."""
    problems, paths = [], []
    for item in sorted(folder.rglob("*")):
        name = item.relative_to(folder).as_posix()
        if item.is_symlink():
            problems.append(f"{name}: found a link, expected files and folders only")
        elif item.is_file():
            paths.append(name)
        elif not item.is_dir():
            problems.append(f"{name}: found neither a file nor a folder")
    return problems, paths


def _path_problems(paths: Mapping[str, FileEntry]) -> list[str]:
    problems = []
    seen: dict[str, str] = {}
    for path in paths:
        clean = PurePosixPath(path)
        if (
            clean.is_absolute()
            or ".." in clean.parts
            or str(clean) != path
            or "\\" in path
            or ":" in path
            or not path.isprintable()
        ):
            problems.append(f"found the path {path!r}, expected a plain path below the delivery")
        elif path in (MANIFEST, SIGNATURE):
            problems.append(f"found the path {path!r}, which no manifest lists")
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            problems.append(f"found {other!r} and {path!r}, which differ by case only")
    return problems


def _entry(path: Path) -> FileEntry:
    return FileEntry(sha256=_digest(path), size=path.stat().st_size)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _one_meaning(data: bytes) -> bytes:
    parse_json(data)
    return data


def _corrupt(folder: Path, problems: tuple[str, ...]) -> CorruptDeliveryError:
    return CorruptDeliveryError(
        listed(f"{folder} is corrupt; have it delivered again:", problems),
        path=folder,
        problems=problems,
    )
