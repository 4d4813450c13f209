"""Deliveries in stores: folders, and any URL of fsspec such as ``s3://bucket/prefix``."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
from fairweather_interface.delivery import MANIFEST, SIGNATURE, read_manifest, verify_delivery
from fairweather_interface.envelope import LARGEST_ENVELOPE
from fairweather_interface.errors import FairweatherError

from fairweather_research.document import LARGEST
from fairweather_research.errors import PublishError

_CHUNK = 1 << 20


@contextmanager
def reaching(*places: str) -> Iterator[None]:
    """Turn what file systems and their clients raise into a ``PublishError`` with these places."""
    try:
        yield
    except FairweatherError:
        raise
    except Exception as error:
        raise PublishError(
            f"found {' or '.join(places)} out of reach ({type(error).__name__}: {error}), expected "
            "a delivery's folder or a store, each a path or a URL of fsspec"
        ) from error


def is_remote(text: str) -> bool:
    """Return whether a store or a delivery is no folder of this machine."""
    return "://" in text and not text.startswith("file://")


def local_path(text: str) -> Path:
    """Return the folder that a path or a ``file://`` URL names."""
    return Path(text.removeprefix("file://")).expanduser().absolute()


def store_at(text: str) -> tuple[Any, str, str]:
    """Return the file system of a store or delivery, its path there, and its address.

    The file system keeps no listing.
    """
    if not is_remote(text):
        return fsspec.filesystem("file"), str(local_path(text)), str(local_path(text))
    address = text.rstrip("/")
    system, path = fsspec.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
    return system, path, address


@contextmanager
def verified(delivery: str, *, but: str | None = None) -> Iterator[Path]:
    """Yield a delivery that verifies as a local folder; what a manifest lists is downloaded.

    Args:
        delivery: its folder, a path or a URL.
        but: a file in it whose problems do not count.

    Raises:
        PublishError: it does not verify.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = local_path(delivery)
        if is_remote(delivery):
            system, root, _ = store_at(delivery)
            folder = Path(made) / root.rpartition("/")[2]
            folder.mkdir()
            for path, most in ((MANIFEST, LARGEST), (SIGNATURE, LARGEST_ENVELOPE)):
                if system.exists(remote := f"{root}/{path}"):
                    start = system.cat_file(remote, start=0, end=most + 1)
                    (folder / path).write_bytes(start)
            if (folder / MANIFEST).exists():
                for path, entry in read_manifest(folder).files.items():
                    _download(system, f"{root}/{path}", folder / path, entry.size)
        found = verify_delivery(folder)
        if problems := [each for each in found if but is None or not each.startswith(f"{but}:")]:
            raise PublishError(f"{delivery} is not a valid delivery: {'; '.join(problems)}")
        yield folder


def _download(system: Any, remote: str, path: Path, most: int) -> None:  # noqa: ANN401 - untyped
    if (size := system.size(remote)) > most:
        raise PublishError(f"{remote}: found {size} bytes, expected at most {most}")
    path.parent.mkdir(parents=True, exist_ok=True)
    system.get_file(remote, str(path))


def copy_bytes(source: Path, target: Path, size: int) -> None:
    """Copy the first ``size`` bytes of a regular file; its mode, owner and times stay behind.

    Raises:
        OSError: the source is a link, or one of the two cannot be used.
        PublishError: the source is no regular file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as reading, target.open("xb") as writing:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise PublishError(f"{source}: found a folder or a device, expected a file")
        while size > 0 and (chunk := reading.read(min(size, _CHUNK))):
            writing.write(chunk)
            size -= len(chunk)
