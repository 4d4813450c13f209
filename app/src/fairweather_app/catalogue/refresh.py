"""Refresh: one pass over the store, from what was known of it to what is known now.

Laws:

- A delivery without a manifest is not there yet. One that is new is picked up. Of those that are
  known, some are held against the store and their copies verified in every pass, in turn: all of
  them where there are few. One whose bytes have changed in the store is picked up anew; a copy
  that went bad is brought again.
- A delivery removed from a healthy store leaves, unless an area would be left without any model
  that may answer for it (what is withdrawn, a shadow or narrowed by the operator may not): the
  last one for an area stays until so many passes in a row have missed it that it is no blip. Many
  that go at once stay as long: a store that is unmounted, emptied by mistake or moved while it is
  read seems to lose its deliveries.
- A store that is absent, unreadable or suddenly empty changes nothing. That holds through a
  restart, except that an app that finds an empty store when it starts believes it.
- A delivery that cannot be read or copied is tried again in every pass. If it was live, it stays
  live; else it is quarantined as not read yet, which says nothing about its bytes.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fairweather_interface.errors import IncompleteDeliveryError
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.delivery_cache import Cache
from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Ingested, Pickup
from fairweather_app.catalogue.model_cache import Residency, release_free_memory
from fairweather_app.errors import LoadError, RemoteUnavailableError, StoreError

CHECKED_AT_ONCE = 500
VERIFIED_AT_ONCE = 50
VERIFIED_BYTES_AT_ONCE = 64 << 20
WARMED_AT_ONCE = 32
PUBLISH_EVERY_SECONDS = 2.0
"""How long a pass may go on before what it has found so far is published."""
GRACE_PASSES = 6
"""So many passes in a row must have missed a delivery that is guarded before it is dropped."""
FEW = 3
"""So many deliveries, or half of all, may go in one pass and are dropped at once."""

MayAnswer = Callable[[Entry, str], bool]
"""Whether a live delivery may answer for an area that it declares."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pass:
    """What one pass has found so far."""

    entries: dict[str, Entry]
    gone: list[Entry]
    damaged: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)
    warmed: int = 0
    published: float = field(default_factory=time.monotonic)


class Refresher:
    """Runs the passes over one store, one after another, and loads models before they go live.

    `publish` is handed what a long pass has found so far.
    """

    def __init__(
        self,
        cache: Cache,
        pickup: Pickup,
        index: Index,
        residency: Residency,
        *,
        may_answer: MayAnswer,
        publish: Callable[[Mapping[str, Entry]], None],
    ) -> None:
        self._cache = cache
        self._store = cache.store
        self._pickup = pickup
        self._index = index
        self._residency = residency
        self._publish = publish
        self._guard = DeletionGuard(may_answer)
        self._digests: frozenset[str] = frozenset()
        self._pruned: frozenset[str] | None = None
        self._turn = ""
        self._verifying_turn = ""

    def run(
        self, known: Mapping[str, Entry], *, first: bool
    ) -> tuple[Mapping[str, Entry], list[str]]:
        """Look at the store once; never raises for what lies there.

        Args:
            known: what the pass before has found, by delivery id, or the index on the `first`.
            first: whatever has gone while no app looked is dropped without a grace period.

        Returns:
            What is known now, and in sentences what kept the pass from being whole.
        """
        try:
            names = self.names()
        except StoreError as error:
            kept = "; what is live stays live" if known else ""
            return known, [f"{error}{kept}"]
        if known and not names and not first:
            emptied = (
                f"the store {self._store} is empty and held {len(known)} deliveries before; "
                "what is live stays live; restart the app if it is meant to be empty"
            )
            return known, [emptied]
        now = _Pass(
            entries={name: known[name] for name in names & known.keys()},
            gone=[each for name, each in known.items() if name not in names],
        )
        now.damaged = frozenset(self._damaged(now.entries))
        missing = {} if first else {each.delivery_id: each for each in now.gone}
        for name in [*sorted(names - known.keys()), *self._due(now)]:
            self._look_at(name, now)
            if time.monotonic() - now.published > PUBLISH_EVERY_SECONDS:
                self._publish({**missing, **now.entries})
                now.published = time.monotonic()
        if not first:
            stay, problems = self._guard.confirm(now.gone, now.entries, str(self._store))
            now.entries |= {each.delivery_id: each for each in stay}
            now.problems += problems
        self._index.forget(known.keys() - now.entries.keys())
        if not now.problems:
            self._let_go(frozenset(each.digest for each in now.entries.values() if each.digest))
        return now.entries, now.problems

    def names(self) -> frozenset[str]:
        """The names under which deliveries lie in the store now, or may be about to.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            return self._store.names()
        except OSError as error:
            raise StoreError(
                f"the store {self._store} cannot be read ({error.strerror or error}); "
                "FAIRWEATHER_STORE names the store"
            ) from None

    def ingest(self, name: str) -> Ingested | None:
        """Pick one delivery up afresh, whatever is known of it; None when it is not there.

        Never raises for what lies there, and keeps nothing of it.
        """
        try:
            return self._pickup(name)
        except IncompleteDeliveryError:
            return None
        except OSError as error:
            return Ingested(entry=_not_now(name, error, None))

    def _look_at(self, name: str, now: _Pass) -> None:
        """Look at one delivery, and pick it up if it is new or its bytes changed."""
        known = now.entries.get(name)
        try:
            whole = None if name in now.damaged else known
            if whole is not None and whole.fingerprint == self._store.fingerprint(name):
                return
            with self._cache.alone():
                picked = self._pickup(name, proven=self._index.proven)
                entry = picked.entry
                new = known is None or not entry.says_what(known)
                if new:
                    self._index.keep([entry])
        except IncompleteDeliveryError:
            if now.entries.pop(name, None) is not None and known is not None:
                now.gone.append(known)
            return
        except OSError as error:
            where = f"read from {self._store} or copied to {self._cache.folder}"
            remote = isinstance(error, RemoteUnavailableError)
            now.problems.append(f"{name} cannot be {'tried' if remote else where}: {_why(error)}")
            now.entries[name] = _not_now(name, error, known)
            return
        self._make_resident(picked, now)
        if new:
            now.entries[name] = entry

    def _make_resident(self, picked: Ingested, now: _Pass) -> None:
        """Have a model in memory before it goes live, also one that another process proved."""
        if not picked.entry.live or (picked.loaded is None and now.warmed >= WARMED_AT_ONCE):
            return
        entry = picked.entry
        try:
            if picked.loaded is not None:
                self._residency.put(entry, picked.loaded)
            else:
                now.warmed += 1
                self._residency.warm(entry)
            self._residency.model(entry)  # its metadata too
        except LoadError as error:
            logger.warning("delivery %s cannot be loaded yet: %s", entry.delivery_id, error)

    def _due(self, now: _Pass) -> list[str]:
        """Whose turn it is to be held against the store: those that failed, and some of all."""
        unread = [name for name, each in now.entries.items() if not each.fingerprint]
        turn, self._turn = _turn(now.entries, self._turn, CHECKED_AT_ONCE)
        return list(dict.fromkeys([*unread, *now.damaged, *turn]))

    def _damaged(self, entries: Mapping[str, Entry]) -> Iterator[str]:
        """Of the copies whose turn it is to be verified those that are not what they were."""
        turn, self._verifying_turn = _turn(entries, self._verifying_turn, VERIFIED_AT_ONCE)
        left = VERIFIED_BYTES_AT_ONCE
        for name in turn:
            digest = entries[name].digest
            if digest is None or not entries[name].live:
                continue
            if left <= 0:
                self._verifying_turn = name  # it goes on here in the next pass
                return
            left -= self._cache.size(name, digest)
            try:
                damage = self._cache.damage(name, digest)
            except OSError as error:
                damage = (_why(error),)
            if damage:
                told = "; ".join(damage)
                logger.warning("the copy of %s went bad and is brought again: %s", name, told)
                yield name

    def _let_go(self, digests: frozenset[str]) -> None:
        """Drop the models and the copies of all deliveries but those of the given digests."""
        if self._residency.keep(digests):
            release_free_memory()
        # the copies of what has left stay until the next pass: a request may be at them
        wanted, self._digests = digests | self._digests, digests
        if wanted != self._pruned:
            self._cache.prune(wanted)
            self._pruned = wanted


class DeletionGuard:
    """Keeps deliveries that have gone from the store for a grace period where they are needed."""

    def __init__(self, may_answer: MayAnswer) -> None:
        self._may_answer = may_answer
        self._missed: dict[str, int] = {}

    def confirm(
        self,
        gone: Sequence[Entry],
        there: Mapping[str, Entry],
        store: str,
    ) -> tuple[list[Entry], list[str]]:
        """The deliveries that stay although they have gone, and why, in sentences.

        Args:
            gone: what this pass has missed and was known before.
            there: what this pass has found, by delivery id.
            store: what the sentences call the store.
        """
        before, self._missed = self._missed, {}
        all_known = len(gone) + len(there)
        many = len(gone) > max(FEW, all_known // 2)
        alone = _alone(gone, there.values(), self._may_answer)
        stay, problems = [], []
        for entry in gone:
            areas = alone.get(entry.delivery_id, [])
            missed = before.get(entry.delivery_id, 0) + 1
            if not (many or areas) or missed >= GRACE_PASSES:
                continue
            self._missed[entry.delivery_id] = missed
            stay.append(entry)
            if not many:
                problems.append(
                    f"delivery {entry.delivery_id} has gone from {store} and is the last model for "
                    f"{', '.join(areas)}: it stays live until {GRACE_PASSES} looks in a "
                    "row have missed it"
                )
        if many and stay:
            problems.append(
                f"{len(gone)} of {all_known} deliveries have gone from {store} at once: they stay "
                f"until {GRACE_PASSES} looks in a row have missed them"
            )
        return stay, problems


def _alone(
    gone: Sequence[Entry], there: Iterable[Entry], may_answer: MayAnswer
) -> Mapping[str, list[str]]:
    """By delivery id, the areas that one of `gone` may answer for and nobody who is there."""
    areas = {
        entry.delivery_id: [area for area in entry.areas if may_answer(entry, area)]
        for entry in gone
        if entry.live
    }
    left = {area for each in areas.values() for area in each}
    for entry in there:
        if not left:
            break
        if entry.live:
            left -= {area for area in left.intersection(entry.areas) if may_answer(entry, area)}
    return {name: [area for area in each if area in left] for name, each in areas.items()}


def _turn(entries: Mapping[str, Entry], after: str, count: int) -> tuple[list[str], str]:
    """The next so many names in order after the last turn, and the last of them; then anew."""
    if len(entries) <= count:
        return sorted(entries), ""
    names = sorted(entries)
    turn = list(islice((name for name in names if name > after), count))
    return turn, turn[-1] if len(turn) == count else ""


def _not_now(name: str, error: OSError, known: Entry | None) -> Entry:
    """A delivery that could not be tried; without a fingerprint it is tried in every pass.

    What is live stays live, and what has been said in the same words stays the same entry.
    """
    why = _why(error)
    if not isinstance(error, RemoteUnavailableError):
        why = f"it could not be read or copied yet ({why})"
    reason = f"{why}; it is tried again at every look"
    if known is not None and (known.live or known.reason == reason):
        return known
    return Entry(
        delivery_id=name,
        state=State.QUARANTINED,
        fingerprint="",
        code=Code.RUNTIME_UNAVAILABLE,
        reason=reason,
    )


def _why(error: OSError) -> str:
    """The cause without paths: those of a copy in the making are new at every look."""
    if error.strerror:
        return error.strerror
    found = re.search(r"\[Errno \d+\] ([^:'\"]+)", str(error))  # of many files: shutil.Error
    return found.group(1) if found else str(error)
