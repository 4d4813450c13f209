"""The catalogue: every delivery the app knows of, and which of them are live.

`Catalogue.refresh` looks at the store and replaces one immutable `Snapshot`; whoever has taken a
snapshot keeps it, with its models, until he is done. Laws:

- A delivery without a manifest is not there yet. One whose bytes have not changed is not looked
  at again. One whose bytes have changed is picked up anew.
- A delivery removed from a healthy store leaves the snapshot.
- A store that is absent, unreadable or suddenly empty changes nothing: what was live stays live,
  and the snapshot says what is wrong with the store.
- A delivery that cannot be read or copied is tried again at every look. If it was live, it stays
  live; else it is quarantined as not read yet, which says nothing about its bytes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from fairweather_interface.delivery import list_deliveries
from fairweather_interface.errors import IncompleteDeliveryError
from fairweather_interface.refusals import Code

from fairweather_app.cache import Cache
from fairweather_app.errors import StoreError, UnknownDeliveryError
from fairweather_app.pickup import Entry, Pickup, fingerprint
from fairweather_app.runtime_model import RuntimeModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the catalogue knew at one moment. Never changes.

    `entries` are keyed and sorted by delivery id. `checked_at` is None before the first look at
    the store; `problem` says why the last look left everything as it was.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    checked_at: datetime | None = None
    problem: str | None = None

    @cached_property
    def live(self) -> tuple[RuntimeModel, ...]:
        """The models that can serve, by delivery id."""
        return tuple(each.model for each in self.entries.values() if each.model is not None)

    @cached_property
    def not_live(self) -> tuple[Entry, ...]:
        """The deliveries that cannot serve, by delivery id."""
        return tuple(each for each in self.entries.values() if each.model is None)

    @cached_property
    def declared_areas(self) -> frozenset[str]:
        """The areas that any delivery declares, live or not."""
        return frozenset(
            area
            for each in self.entries.values()
            if each.delivery is not None
            for area in each.delivery.metadata.areas
        )

    @cached_property
    def not_ready(self) -> str | None:
        """Why nothing can be said of models: none is live, and what the store holds is not known.

        None when a model is live, and when the store was read whole.
        """
        if self.live:
            return None
        if self.checked_at is None:
            return "the store has not been looked at yet"
        return self.problem

    def entry(self, delivery_id: str) -> Entry:
        """The entry of a delivery.

        Raises:
            UnknownDeliveryError: there is none.
        """
        try:
            return self.entries[delivery_id]
        except KeyError:
            raise UnknownDeliveryError(delivery_id) from None


class Catalogue:
    """Holds the current snapshot of one store, and replaces it. Safe to share between threads."""

    def __init__(self, store: Path, cache: Cache, pickup: Pickup) -> None:
        self.store = store
        self._cache = cache
        self._pickup = pickup
        self._refreshing = threading.Lock()
        self._snapshot = Snapshot()

    @property
    def snapshot(self) -> Snapshot:
        """What is known now; never waits for a refresh."""
        return self._snapshot

    def refresh(self) -> Snapshot:
        """Look at the store once and replace the snapshot. Never raises for what lies there."""
        with self._refreshing:
            before = self._snapshot
            now = datetime.now(UTC)
            try:
                folders = self.folders()
            except StoreError as error:
                kept = "; what is live stays live" if before.live else ""
                after = replace(before, checked_at=now, problem=f"{error}{kept}")
            else:
                if before.entries and not folders:
                    after = replace(before, checked_at=now, problem=self._emptied(before))
                else:
                    after = self._look(before, folders, now)
            self._snapshot = after
            return after

    def folders(self) -> tuple[Path, ...]:
        """The deliveries that lie in the store now, by id.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            return list_deliveries(self.store)
        except OSError as error:
            raise StoreError(
                f"the store {self.store} cannot be read ({error.strerror or error}); "
                "FAIRWEATHER_STORE names the store"
            ) from None

    def pick_up(self, folder: Path) -> Entry | None:
        """Pick one delivery up afresh, whatever the snapshot says; None when it has gone.

        Never raises for what lies there, and keeps nothing of it.
        """
        try:
            return self._pickup(folder)
        except IncompleteDeliveryError:
            return None
        except OSError as error:
            return _unread(folder, _why(error), None)

    def _look(self, before: Snapshot, folders: tuple[Path, ...], now: datetime) -> Snapshot:
        entries: dict[str, Entry] = {}
        problems = []
        for folder in folders:
            known = before.entries.get(folder.name)
            try:
                if known is None or known.fingerprint != fingerprint(folder):
                    known = self._pickup(folder)
            except IncompleteDeliveryError:
                continue  # removed while we looked
            except OSError as error:
                why = _why(error)
                problems.append(
                    f"{folder.name} cannot be read from {self.store} or copied to "
                    f"{self._cache.folder}: {why}"
                )
                known = _unread(folder, why, known)
            entries[folder.name] = known
        if not problems:
            self._cache.prune(
                [each.delivery.digest for each in entries.values() if each.delivery is not None]
            )
        problem = "; ".join(problems) or None
        return Snapshot(entries=entries, checked_at=now, problem=problem)

    def _emptied(self, before: Snapshot) -> str:
        return (
            f"the store {self.store} is empty and held {len(before.entries)} deliveries before; "
            "what is live stays live; restart the app if it is meant to be empty"
        )


def _unread(folder: Path, why: str, known: Entry | None) -> Entry:
    """A delivery that could not be read; without a fingerprint it is tried at every look.

    What is live stays live, and what has been told in the same words stays the same entry.
    """
    reason = f"it could not be read or copied yet ({why}); it is tried again at every look"
    if known is not None and (known.state == "live" or known.reason == reason):
        return known
    return Entry(
        delivery_id=folder.name,
        state="quarantined",
        fingerprint=(),
        code=Code.RUNTIME_UNAVAILABLE,
        reason=reason,
    )


def _why(error: OSError) -> str:
    """The cause without paths: those of a copy in the making are new at every look."""
    if error.strerror:
        return error.strerror
    found = re.search(r"\[Errno \d+\] ([^:'\"]+)", str(error))  # of many files: shutil.Error
    return found.group(1) if found else str(error)


def report_changes(before: Snapshot, after: Snapshot) -> None:
    """Log what changed from one snapshot to the next, for those who do not read the snapshot."""
    if after.problem is not None and after.problem != before.problem:
        logger.error("%s", after.problem)
    if after.problem is None and before.problem is not None:
        logger.info("the store can be read again")
    for name, entry in after.entries.items():
        if before.entries.get(name) is entry:
            continue
        if entry.state == "live":
            logger.info("delivery %s is live", name)
        else:
            logger.warning("delivery %s is %s: %s: %s", name, entry.state, entry.code, entry.reason)
    for name in before.entries.keys() - after.entries.keys():
        logger.info("delivery %s was removed from the store", name)
