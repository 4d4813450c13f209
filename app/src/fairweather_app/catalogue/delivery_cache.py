"""Verified local copies of deliveries: what the app loads and shows.

A delivery is copied whole into ``<cache>/<store>/<digest>/<delivery_id>`` and verified there, so
that the loaded bytes are the verified ones, whatever happens to the store meanwhile. The folder can
be deleted at any time: it is filled again from the store.

Metadata are returned with the one spelling of each area, in which it can be asked for.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import fairweather_interface.errors as interface
from fairweather_interface.delivery import (
    METADATA,
    Delivery,
    Manifest,
    open_delivery,
    read_manifest,
)
from fairweather_interface.manifest import file_problems, read_listed
from fairweather_interface.metadata import read_metadata, with_plain_areas

from fairweather_app.catalogue.stores import Store
from fairweather_app.text import FEW_NAMED, join_some

_STAGING = ".staging-"
_LOCK = ".lock"
ABANDONED_AFTER_SECONDS = 86_400

logger = logging.getLogger(__name__)


class DeliveryCache:
    """The copies of one store's deliveries. Several processes may share it."""

    def __init__(self, folder: Path, *, store: Store, reader: str) -> None:
        # the folder's absolute path or the URL: stores do not share copies
        folder_or_url = Path(str(store)).absolute() if "://" not in str(store) else store
        self.folder = folder / hashlib.sha256(str(folder_or_url).encode()).hexdigest()[:16]
        self.store = store
        self.reader = reader

    def check_writable(self) -> None:
        """Make a folder here and remove it again; raises `OSError` where that cannot be done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder):
            pass

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes that share this cache from ingesting inside the block.

        So each delivery is tested by one process, and the others find the result. The system
        releases the lock when the process ends.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def fetch_verified(self, name: str) -> Delivery:
        """Copy a delivery here, unless its bytes are here already, and verify the copy.

        A file that its manifest does not list is never copied, and told. At first sight it is
        damage, unless it `is_stray`; once there is a verified copy, it is none. What is wrong with
        the delivery is a `FairweatherError` of its kind; a store or cache that fails, `OSError`.
        """
        manifest = self.store.manifest(name)
        known = self._reopen(name, manifest.digest)
        if unlisted := self.store.check(name, manifest, only_listed=known is not None):
            logger.warning(
                "passed over in the folder of delivery %s: %s, which its manifest does not list",
                *(name, join_some(sorted(map(repr, unlisted)), FEW_NAMED)),
            )
        return known or self._copy(name, manifest)

    def open_verified(self, name: str, digest: str) -> Delivery:
        """Return the copy, every byte verified; fetch it again when it is absent or damaged.

        Raises what `fetch_verified` raises, also where the store has other bytes by now.
        """
        delivery = self._reopen(name, digest) or self.fetch_verified(name)
        if delivery.digest != digest:
            found = f"{name} has other bytes in the store than when it was picked up"
            raise interface.CorruptDeliveryError(found, path=delivery.path)
        return delivery

    def open_described(self, name: str, digest: str) -> Delivery:
        """Return the delivery as `open_verified`; only the digest of its metadata is verified."""
        copy = self._home(digest) / name
        try:
            manifest = read_manifest(copy)
            if manifest.digest == digest:
                metadata = read_metadata(read_listed(copy, manifest, METADATA), reader=self.reader)
                return _plain(Delivery(path=copy, metadata=metadata, manifest=manifest))
        except interface.DeliveryError:
            pass  # absent or damaged: fetched again
        return self.open_verified(name, digest)

    def find_damage(self, name: str, digest: str) -> tuple[tuple[str, ...], int]:
        """List how the copy that is here differs from the verified bytes; return its size, too."""
        copy = self._home(digest) / name
        try:
            manifest = read_manifest(copy)
        except interface.IncompleteDeliveryError:
            return (), 0
        except interface.CorruptDeliveryError as error:
            return error.problems, 0
        size = sum(file.size for file in manifest.files.values())
        if manifest.digest != digest:
            return ("manifest.json: its digest differs",), size
        return file_problems(copy, manifest), size

    def prune(self, digests: Collection[str]) -> None:
        """Delete the copies of all deliveries but those of the given digests."""
        kept = {self._home(digest) for digest in digests}
        if not self.folder.is_dir():
            return
        for home in self.folder.iterdir():
            if home not in kept and home.is_dir() and not _is_being_written(home):
                shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same

    def _home(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")

    def _reopen(self, name: str, digest: str) -> Delivery | None:
        """Return the copy that is here already; a damaged one is removed."""
        home = self._home(digest)
        try:
            delivery = open_delivery(home / name, reader=self.reader)
            if delivery.digest == digest:
                return _plain(delivery)
        except (interface.IncompleteDeliveryError, interface.CorruptDeliveryError):
            pass  # removed below
        if home.exists():
            shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same
        return None

    def _copy(self, name: str, manifest: Manifest) -> Delivery:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._home(manifest.digest)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder) as staging:
            copy = Path(staging) / "home" / name
            copy.parent.mkdir()
            self.store.fetch(name, manifest, copy)
            delivery = open_delivery(copy, reader=self.reader)
            if delivery.digest != manifest.digest:
                raise OSError(f"{name} changed while it was copied")
            try:
                copy.parent.rename(home)
            except OSError:
                if not home.is_dir():
                    raise
                # another process was first, and its copy is not verified yet
                return _plain(open_delivery(home / name, reader=self.reader))
        return _plain(replace(delivery, path=home / name))


def _plain(delivery: Delivery) -> Delivery:
    return replace(delivery, metadata=with_plain_areas(delivery.metadata))


def _is_being_written(folder: Path) -> bool:
    """Return whether a process may still be copying into a folder; a killed one leaves it."""
    if not folder.name.startswith(_STAGING):
        return False
    try:
        age = time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return True  # its process has just finished with it
    return age < ABANDONED_AFTER_SECONDS
