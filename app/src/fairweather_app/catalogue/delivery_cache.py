"""The cache: verified copies of deliveries, which are what the app loads and shows.

A delivery is copied whole into ``<cache>/<store>/<digest>/<delivery_id>`` and verified there, so
that what is loaded is what was verified, whatever happens to the store meanwhile. The folder can
be deleted at any time: it is filled again from the store.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fairweather_interface.delivery import (
    METADATA,
    Delivery,
    Manifest,
    open_delivery,
    read_manifest,
)
from fairweather_interface.errors import (
    CorruptDeliveryError,
    DeliveryError,
    IncompleteDeliveryError,
)
from fairweather_interface.manifest import file_problems, read_listed
from fairweather_interface.metadata import read_metadata

from fairweather_app.catalogue.stores import Store

_STAGING = ".staging-"
_LOCK = ".lock"
ABANDONED_AFTER_SECONDS = 86_400


class Cache:
    """The copies of one store's deliveries. Several processes may share it."""

    def __init__(self, folder: Path, *, store: Store, reader: str) -> None:
        # the folder's absolute path or the URL: stores do not share copies
        folder_or_url = Path(str(store)).absolute() if "://" not in str(store) else store
        self.folder = folder / hashlib.sha256(str(folder_or_url).encode()).hexdigest()[:16]
        self.store = store
        self.reader = reader

    def try_out(self) -> None:
        """Make a folder here and remove it again, as copying a delivery does.

        Raises:
            OSError: the cache cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder):
            pass

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes that share this cache from picking up at the same time.

        So each delivery is proven once, and the others find what was found. The system lets go of
        the lock with the process.

        Raises:
            OSError: the cache cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def bring(self, name: str) -> Delivery:
        """Copy a delivery here, unless its bytes are here already, and verify the copy.

        Raises:
            IncompleteDeliveryError: it is not there (any more).
            CorruptDeliveryError: the delivery's bytes, layout or contents disagree.
            UnsupportedSchemaError: its metadata needs a newer reader than this release.
            MetadataError: its metadata breaks the contract.
            OSError: it cannot be read, or the cache cannot be written.
        """
        manifest = self.store.manifest(name)
        self.store.check(name, manifest)
        return self._reopened(name, manifest.digest) or self._copied(name, manifest)

    def verified(self, name: str, digest: str) -> Delivery:
        """The copy, every byte verified; brought again when it is not here or went bad.

        Raises:
            DeliveryError: the store has no longer these bytes, or they went bad there too.
            OSError: as `bring`.
        """
        delivery = self._reopened(name, digest) or self.bring(name)
        if delivery.digest != digest:
            raise CorruptDeliveryError(
                f"{name} has other bytes in the store than when it was picked up",
                path=delivery.path,
            )
        return delivery

    def described(self, name: str, digest: str) -> Delivery:
        """The delivery with its metadata, of which alone the digest is held against the manifest.

        Raises what `verified` raises.
        """
        copy = self._home(digest) / name
        try:
            manifest = read_manifest(copy)
            if manifest.digest == digest:
                text = read_listed(copy, manifest, METADATA)
                metadata = read_metadata(text, reader=self.reader)
                return Delivery(path=copy, metadata=metadata, manifest=manifest)
        except DeliveryError:
            pass  # gone or gone bad: brought again
        return self.verified(name, digest)

    def damage(self, name: str, digest: str) -> tuple[str, ...]:
        """How the copy differs from what was verified; empty when it does not, or is not here.

        A copy that is not here is brought when it is needed.
        """
        copy = self._home(digest) / name
        try:
            manifest = read_manifest(copy)
            if manifest.digest != digest:
                return ("manifest.json: its digest differs",)
            return file_problems(copy, manifest)
        except IncompleteDeliveryError:
            return ()
        except CorruptDeliveryError as error:
            return error.problems

    def size(self, name: str, digest: str) -> int:
        """How many bytes the copy's manifest lists; 0 when there is none."""
        try:
            manifest = read_manifest(self._home(digest) / name)
        except DeliveryError:
            return 0
        return sum(each.size for each in manifest.files.values())

    def _reopened(self, name: str, digest: str) -> Delivery | None:
        """The copy that is here already, unless it went bad: then it is removed."""
        home = self._home(digest)
        try:
            delivery = open_delivery(home / name, reader=self.reader)
        except IncompleteDeliveryError:
            found = None
        except CorruptDeliveryError:
            found = None
        else:
            found = delivery if delivery.digest == digest else None
        if found is None and home.exists():
            shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same
        return found

    def _copied(self, name: str, manifest: Manifest) -> Delivery:
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
                # another process was first: what it brought is not verified yet
                return open_delivery(home / name, reader=self.reader)
        return replace(delivery, path=home / name)

    def _home(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")

    def prune(self, digests: Collection[str]) -> None:
        """Delete the copies of all deliveries but those of the given digests."""
        kept = {self._home(digest) for digest in digests}
        if not self.folder.is_dir():
            return
        for home in self.folder.iterdir():
            if home not in kept and home.is_dir() and not _in_the_making(home):
                shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same


def _in_the_making(folder: Path) -> bool:
    """Whether a process may still be copying into a folder; a killed one leaves it behind."""
    if not folder.name.startswith(_STAGING):
        return False
    try:
        age = time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return True  # its maker has just finished with it
    return age < ABANDONED_AFTER_SECONDS
