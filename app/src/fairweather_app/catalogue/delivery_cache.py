"""Verified local copies of deliveries: what the app loads and shows.

A delivery is copied whole into ``<cache>/<store>/<digest>/<delivery_id>`` and verified there, so
that the loaded bytes are the verified ones, whatever happens to the store meanwhile. The folder can
be deleted at any time: it is filled again from the store. It is this user's alone: files are made
with mode 0600, folders with 0700, and one that another user may write to is refused.

Who writes the store is not trusted. `fetch_verified` keeps an order, in which each step reads only
what the ones before it allow:

1. the manifest, at most `LARGEST_MANIFEST`: where there are keys, they are asked about it before
   (see `ingestion`); it is of this delivery, and within the limits of the app for files and bytes
   (the contract has none);
2. names, kinds and sizes of what lies in the store, against the manifest;
3. the files themselves, of each as much as is listed, where the disk has room for all;
4. in the copy: every digest, the metadata, the examples.

Metadata are returned with the one spelling of each area, in which it can be asked for.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO

import fairweather_interface.errors as interface
from fairweather_interface.delivery import (
    EXAMPLES,
    MANIFEST,
    METADATA,
    Delivery,
    Manifest,
    open_delivery,
    read_manifest,
)
from fairweather_interface.manifest import file_problems, read_listed
from fairweather_interface.metadata import read_metadata, with_plain_areas

from fairweather_app.catalogue.stores import DEEPEST, Store
from fairweather_app.common.private_files import check_private, make_private_folder
from fairweather_app.errors import PendingTestError
from fairweather_app.text import FEW_NAMED, join_some

_STAGING = ".staging-"
_CLAIM = ".claim-"
_CLAIM_SECONDS = 0.02
"""How often a claim of another process is tried again."""
ABANDONED_AFTER_SECONDS = 86_400

MOST_FILES = 10_000
MOST_AREAS = 1_000
LARGEST_READ = 16 << 20
"""Bytes of the metadata, and of the examples, which are read at once."""
MOST_ARRAYS, LARGEST_ARRAYS = 1_000, 128 << 20
"""Of the examples; in bytes, unpacked."""

logger = logging.getLogger(__name__)


class Claim:
    """The right to ingest a delivery: a locked file, and a note that it was tried.

    `release` deletes it. A process that dies leaves it behind, unlocked: `deaths` counts how many
    died so over the same bytes.
    """

    def __init__(self, path: Path, file: IO[bytes], fingerprint: str) -> None:
        self._path = path
        self._file = file
        self.fingerprint = fingerprint
        self.deaths = file.read().split().count(fingerprint.encode())
        file.seek(0)
        file.truncate()
        file.write(f"{fingerprint}\n".encode() * (self.deaths + 1))

    @classmethod
    def take(cls, path: Path, fingerprint: str) -> Claim | None:
        """Lock the file; None while another process holds it. The system unlocks what dies."""
        with ExitStack() as stack:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            file = stack.enter_context(os.fdopen(handle, "rb+", buffering=0))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return None  # deleted by the one that held it
            except (BlockingIOError, FileNotFoundError):
                return None
            claim = cls(path, file, fingerprint)
            stack.pop_all()
            return claim

    def release(self) -> None:
        """Let others have it."""
        self._path.unlink(missing_ok=True)
        self._file.close()


class DeliveryCache:
    """The copies of one store's deliveries. Several processes may share it."""

    def __init__(self, folder: Path, *, store: Store, reader: str, limit: int) -> None:
        # the folder's absolute path or the URL: stores do not share copies
        folder_or_url = Path(str(store)).absolute() if "://" not in str(store) else store
        self.folder = folder / hashlib.sha256(str(folder_or_url).encode()).hexdigest()[:16]
        self.store = store
        self.reader = reader
        self.limit = limit  # bytes of one delivery
        self._passed_over: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}  # of deliveries whose test goes on
        # a process that is ended in order has not died over them
        Finalize(self, _release, args=(self._claims,), exitpriority=10)

    def check_private(self) -> None:
        """Make the folder, or raise `OSError` where it is not this user's alone."""
        make_private_folder(self.folder)
        check_private(self.folder.parent, sticky=True)

    def check_writable(self) -> None:
        """Make a folder here and remove it again; raises `OSError` where that cannot be done."""
        self.check_private()
        for claim in self.folder.glob(f"{_CLAIM}*"):
            with suppress(FileNotFoundError):  # released just now
                check_private(claim)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder):
            pass

    @contextmanager
    def claimed(self, name: str, fingerprint: str, patience: float) -> Iterator[int]:
        """Keep other processes from ingesting a delivery inside the block: they find its result.

        Return how many processes have died over these bytes. A block that raises `PendingTestError`
        keeps the claim for the next one. One that another process still has after `patience`
        seconds is `PendingTestError`, too.
        """
        claim = self._claims.pop(name, None)
        if claim is None or claim.fingerprint != fingerprint:
            if claim is not None:
                claim.release()
            claim = self._claim(name, fingerprint, patience)
        try:
            yield claim.deaths
        except PendingTestError:
            self._claims[name] = claim
            raise
        except BaseException:
            claim.release()
            raise
        claim.release()

    def release_claims(self, kept: Collection[str]) -> None:
        """Let other processes have what is not among the `kept` deliveries."""
        _release(self._claims, kept)

    def _claim(self, name: str, fingerprint: str, patience: float) -> Claim:
        self.check_private()
        end = time.monotonic() + patience
        while (found := Claim.take(self.folder / f"{_CLAIM}{name}", fingerprint)) is None:
            if time.monotonic() >= end:
                raise PendingTestError("another process is still testing it")
            time.sleep(_CLAIM_SECONDS)
        return found

    def fetch_verified(self, name: str, manifest: Manifest | None = None) -> Delivery:
        """Copy a delivery here, unless its bytes are here already, and verify the copy.

        Where a `manifest` was read before, to be held against keys, it is of these very bytes.

        A file that its manifest does not list is never copied, and told. At first sight it is
        damage, unless it `is_stray`; once there is a verified copy, it is none. What is wrong with
        the delivery is a `FairweatherError` of its kind; a store or cache that fails, `OSError`.
        """
        manifest = manifest or self.store.manifest(name)
        self._check_limits(name, manifest)
        known = self._reopen(name, manifest.digest)
        unlisted = self.store.check(name, manifest, only_listed=known is not None)
        if unlisted:
            named = join_some(sorted(map(repr, unlisted)), FEW_NAMED)
            if self._passed_over.get(name) != named:  # else it was said at an earlier attempt
                self._passed_over[name] = named
                logger.warning(
                    "passed over in the folder of delivery %s: %s, which its manifest does not "
                    "list",
                    *(name, named),
                )
        return known or self._copy(name, manifest)

    def open_verified(self, name: str, digest: str) -> Delivery:
        """Return the copy, every byte verified; fetch it again when it is absent or damaged.

        Raises what `fetch_verified` raises, also where the store has other bytes by now.
        """
        if (delivery := self._reopen(name, digest)) is not None:
            return delivery
        manifest = self.store.manifest(name)
        if manifest.digest != digest:
            raise _corrupt(name, f"{name} has other bytes in the store than when it was picked up")
        return self.fetch_verified(name, manifest)

    def open_described(self, name: str, digest: str) -> Delivery:
        """Return the delivery as `open_verified`; only the digest of its metadata is verified."""
        copy = self._home(digest) / name
        try:
            manifest = read_manifest(copy)
            if manifest.digest == digest:
                metadata = read_metadata(read_listed(copy, manifest, METADATA), reader=self.reader)
                metadata = with_plain_areas(metadata)
                return Delivery(path=copy, metadata=metadata, manifest=manifest)
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
        if manifest.digest != digest:
            return ("manifest.json: its digest differs",), _size(manifest)
        return file_problems(copy, manifest), _size(manifest)

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
        self.check_private()
        home = self._home(digest)
        try:
            delivery = self._open(home / name)
            if delivery.digest == digest:
                return delivery
        except (interface.IncompleteDeliveryError, interface.CorruptDeliveryError):
            pass  # removed below
        if home.exists():
            shutil.rmtree(home, ignore_errors=True)  # another process may be doing the same
        return None

    def _copy(self, name: str, manifest: Manifest) -> Delivery:
        self.check_private()
        home = self._home(manifest.digest)
        if _size(manifest) > shutil.disk_usage(self.folder).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder) as staging:
            copy = Path(staging) / "home" / name
            copy.mkdir(parents=True)
            self.store.fetch(name, manifest, copy)
            for each in (copy.parent, *copy.parent.rglob("*")):
                each.chmod(0o700 if each.is_dir() else 0o600)  # whatever the umask
            delivery = self._open(copy)
            if delivery.digest != manifest.digest:
                raise OSError(f"{name} changed while it was copied")
            try:
                copy.parent.rename(home)
            except OSError:
                if not home.is_dir():
                    raise
                # another process was first, and its copy is not verified yet
                return self._open(home / name)
        return replace(delivery, path=home / name)

    def _open(self, copy: Path) -> Delivery:
        """Verify a copy; examples that are too much to read are not read."""
        self._check_limits(copy.name, read_manifest(copy))
        arrays = _list_sizes(copy / EXAMPLES)
        _limit(
            copy.name,
            (len(arrays), MOST_ARRAYS, f"arrays in {EXAMPLES}"),
            (sum(arrays), LARGEST_ARRAYS, f"bytes in {EXAMPLES}, unpacked"),
        )
        delivery = open_delivery(copy, reader=self.reader)
        _limit(copy.name, (len(delivery.metadata.areas), MOST_AREAS, "areas"))
        return replace(delivery, metadata=with_plain_areas(delivery.metadata))

    def _check_limits(self, name: str, manifest: Manifest) -> None:
        """Raise `CorruptDeliveryError` unless a manifest is of this delivery and within limits."""
        files = manifest.files
        if manifest.delivery_id != name:  # a twin: the copies of the other are not its own
            found = interface.short(manifest.delivery_id)
            expected = f"expected {name!r}, the folder's name"
            raise _corrupt(name, f"{MANIFEST}: found delivery_id {found}, {expected}")
        _limit(
            name,
            (len(files), MOST_FILES, "files"),
            (max(path.count("/") for path in files), DEEPEST, "folders in each other"),
            (_size(manifest), self.limit, "bytes, which FAIRWEATHER_DELIVERY_LIMIT allows"),
            *(
                (files[path].size, LARGEST_READ, f"bytes of {path}")
                for path in (METADATA, EXAMPLES)
                if path in files
            ),
        )


def _limit(name: str, *limits: tuple[int, int, str]) -> None:
    """Raise `CorruptDeliveryError` where more is found than the most of it, with what it is."""
    beyond = [
        f"found {found} {what}, expected at most {most}"
        for found, most, what in limits
        if found > most
    ]
    if beyond:
        raise _corrupt(name, *beyond)


def _corrupt(name: str, *problems: str) -> interface.CorruptDeliveryError:
    return interface.CorruptDeliveryError(
        f"{name} is not taken", path=Path(name), problems=problems
    )


def _release(claims: dict[str, Claim], kept: Collection[str] = ()) -> None:
    for name in claims.keys() - kept:
        claims.pop(name).release()


def _size(manifest: Manifest) -> int:
    return sum(each.size for each in manifest.files.values())


def _list_sizes(path: Path) -> list[int]:
    """Return the unpacked sizes that a zip states; none where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [each.file_size for each in archive.infolist()]
    except Exception:  # noqa: BLE001 - a damaged zip fails in many ways; `open_delivery` says how
        return []


def _is_being_written(folder: Path) -> bool:
    """Return whether a process may still be copying into a folder; a killed one leaves it."""
    if not folder.name.startswith(_STAGING):
        return False
    try:
        age = time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return True  # its process has just finished with it
    return age < ABANDONED_AFTER_SECONDS
