"""The cache: verified copies of deliveries, which are what the app loads and shows.

A delivery is copied whole into ``<cache>/<store>/<digest>/<delivery_id>`` and verified there, so
that what is loaded is what was verified, whatever happens to the store meanwhile. The folder can
be deleted at any time: it is filled again from the store.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from fairweather_interface.delivery import Delivery, open_delivery, read_manifest
from fairweather_interface.errors import CorruptDeliveryError, IncompleteDeliveryError
from fairweather_interface.manifest import file_problems

_STAGING = ".staging-"
ABANDONED_AFTER_SECONDS = 86_400


class Cache:
    """The copies of one store's deliveries. Several processes may share it."""

    def __init__(self, folder: Path, *, store: Path, reader: str) -> None:
        name = hashlib.sha256(str(store.absolute()).encode()).hexdigest()[:16]
        self.folder = folder / name
        self.reader = reader
        self._brought: dict[str, Delivery] = {}

    def try_out(self) -> None:
        """Make a folder here and remove it again, as copying a delivery does.

        Raises:
            OSError: the cache cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder):
            pass

    def delivery(self, delivery_id: str) -> Delivery:
        """The verified copy that was brought last for an id: what backends load from.

        Raises:
            KeyError: none was brought.
        """
        return self._brought[delivery_id]

    def bring(self, source: Path) -> Delivery:
        """Copy a delivery here, unless its bytes are here already, and verify the copy.

        Raises:
            CorruptDeliveryError: the delivery's bytes, layout or contents disagree.
            UnsupportedSchemaError: its metadata needs a newer reader than this release.
            MetadataError: its metadata breaks the contract.
            OSError: it cannot be read, or the cache cannot be written.
        """
        manifest = read_manifest(source)
        problems = file_problems(source, manifest)
        if problems:
            raise CorruptDeliveryError(f"{source} is corrupt", path=source, problems=problems)
        home = self.folder / _name(manifest.digest)
        delivery = self._reopened(home / source.name) or self._copied(source, home)
        self._brought[source.name] = delivery
        return delivery

    def _reopened(self, copy: Path) -> Delivery | None:
        """The copy that is here already, unless it went bad: then it is removed."""
        try:
            return open_delivery(copy, reader=self.reader)
        except IncompleteDeliveryError:
            return None
        except CorruptDeliveryError:
            shutil.rmtree(copy.parent)
            return None

    def _copied(self, source: Path, home: Path) -> Delivery:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder) as staging:
            copy = Path(staging) / "home" / source.name
            shutil.copytree(source, copy, symlinks=True)
            open_delivery(copy, reader=self.reader)
            try:
                copy.parent.rename(home)
            except OSError:
                if not home.is_dir():
                    raise
                # another process brought the same bytes in the meantime
        return open_delivery(home / source.name, reader=self.reader)

    def prune(self, digests: Collection[str]) -> None:
        """Delete the copies of all deliveries but those of the given digests."""
        kept = {_name(digest) for digest in digests}
        self._brought = {
            name: each for name, each in self._brought.items() if each.digest in digests
        }
        if not self.folder.is_dir():
            return
        for home in self.folder.iterdir():
            if home.name not in kept and not _in_the_making(home):
                shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same


def _in_the_making(folder: Path) -> bool:
    """Whether a process may still be copying into a folder; a killed one leaves it behind."""
    if not folder.name.startswith(_STAGING):
        return False
    try:
        return time.time() - folder.stat().st_mtime < ABANDONED_AFTER_SECONDS
    except FileNotFoundError:
        return True  # its maker has just finished with it


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")
