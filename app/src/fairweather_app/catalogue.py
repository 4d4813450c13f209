"""The catalogue: every delivery the app knows of, and which of them are live.

`Catalogue.refresh` looks at the store and replaces one immutable `Snapshot`; whoever has taken a
snapshot keeps it, with its models, until he is done. Laws:

- A delivery without a manifest is not there yet. One that is new is picked up. Of those that are
  known, some are held against the store and their copies verified at every look, in turn: all of
  them where there are few. One whose bytes have changed in the store is picked up anew; a copy
  that went bad is brought again.
- A delivery removed from a healthy store leaves the snapshot, unless an area would be left without
  any model that may answer for it: the last one for an area stays until so many looks in a row have
  missed it that it is no blip, or until it is withdrawn. Many that go at once stay as long.
- A store that is absent, unreadable or suddenly empty changes nothing: what was live stays live,
  and the snapshot says what is wrong with the store. That holds through a restart, except that an
  app that finds an empty store when it starts believes it.
- A delivery that cannot be read or copied is tried again at every look. If it was live, it stays
  live; else it is quarantined as not read yet, which says nothing about its bytes.
- Withdrawals and pins hold from the next look on. While the database cannot be read, those that
  were last read hold, in this process or another of the same cache.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from fairweather_interface.delivery import Delivery
from fairweather_interface.errors import IncompleteDeliveryError
from fairweather_interface.refusals import Code

from fairweather_app.absence import Absences, MayAnswer
from fairweather_app.cache import Cache
from fairweather_app.decisions import Decisions, load_decisions
from fairweather_app.entries import Entry, State
from fairweather_app.errors import (
    LoadError,
    ObservationStoreError,
    RemoteUnavailableError,
    StoreError,
)
from fairweather_app.index import Index
from fairweather_app.pickup import Ingested, Pickup
from fairweather_app.residency import Residency, release_free_memory
from fairweather_app.runtime_model import RuntimeModel
from fairweather_app.snapshot import Contents, Snapshot
from fairweather_app.stores import Store

DEFAULT_BUDGET = 1 << 30
CHECKED_AT_ONCE = 500
VERIFIED_AT_ONCE = 50
VERIFIED_BYTES_AT_ONCE = 64 << 20
WARMED_AT_ONCE = 32
SHOWN_EVERY_SECONDS = 2.0
"""How long a look may go on before what it has found so far is shown."""
_DECISIONS = "decisions"

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    """What one look at the store has found so far."""

    entries: dict[str, Entry]
    gone: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    damaged: frozenset[str] = frozenset()
    warmed: int = 0
    shown: float = field(default_factory=time.monotonic)


class Catalogue:
    """Holds the current snapshot of one store, and replaces it. Safe to share between threads.

    `decisions` reads what the operator decided, `budget` is the memory for loaded models. What
    `before_showing` holds is called with the contents that are shown and those that will be,
    before they are: what it works out, no request has to. `may_answer` says whether a live delivery
    may answer for an area that it declares, as the operator's settings have it.
    """

    def __init__(
        self,
        cache: Cache,
        pickup: Pickup,
        index: Index,
        *,
        decisions: Callable[[], Decisions] = Decisions,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        self.residency = Residency(
            load=pickup.load_again,
            describe=pickup.describe,
            measure=pickup.measure,
            budget=budget,
        )
        self.before_showing: list[Callable[[Contents, Contents], None]] = []
        self.may_answer: MayAnswer = lambda _entry, _area: True
        self._cache = cache
        self._pickup = pickup
        self._index = index
        self._read_decisions = decisions
        self._decisions: Decisions | None = None
        self._decisions_missing = False
        self._refreshing = threading.Lock()
        self._snapshot = Snapshot()
        self._known: dict[str, Entry] = {}  # what the bytes say, whatever an operator decided
        self._digests: frozenset[str] = frozenset()
        self._pruned: frozenset[str] | None = None
        self._absences = Absences()
        self._turn = ""
        self._verifying_turn = ""

    @property
    def store(self) -> Store:
        """Where deliveries lie."""
        return self._cache.store

    @property
    def snapshot(self) -> Snapshot:
        """What is known now; never waits for a refresh."""
        return self._snapshot

    def model(self, entry: Entry) -> RuntimeModel:
        """The model of a live entry; it is loaded when it is first run.

        Raises:
            LoadError: its bytes cannot be had any more.
        """
        return self.residency.model(entry)

    def delivery(self, entry: Entry) -> Delivery | None:
        """The app's copy of a delivery; None while its metadata cannot be read."""
        if entry.digest is None:
            return None
        try:
            return self.residency.model(entry).delivery
        except LoadError:
            return None

    def refresh(self) -> Snapshot:
        """Look at the store once and replace the snapshot. Never raises for what lies there."""
        with self._refreshing:
            started = self._snapshot.checked_at is not None
            if not started:
                self._known = self._index.entries()
            self._decide()
            problems = []
            try:
                names = self.names()
            except StoreError as error:
                kept = "; what is live stays live" if self._known else ""
                problems.append(f"{error}{kept}")
            else:
                if started and self._known and not names:
                    problems.append(self._emptied())
                else:
                    problems += self._look(names, started=started)
            self._show(self._known, "; ".join(problems) or None)
            return self._snapshot

    def names(self) -> frozenset[str]:
        """The names under which deliveries lie in the store now, or may be about to.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            return self.store.names()
        except OSError as error:
            raise StoreError(
                f"the store {self.store} cannot be read ({error.strerror or error}); "
                "FAIRWEATHER_STORE names the store"
            ) from None

    def pick_up(self, name: str) -> Ingested | None:
        """Pick one delivery up afresh, whatever is known of it; None when it is not there.

        Never raises for what lies there, and keeps nothing of it.
        """
        try:
            return self._pickup(name)
        except IncompleteDeliveryError:
            return None
        except OSError as error:
            remote = isinstance(error, RemoteUnavailableError)
            unread = (
                _not_now(name, str(error), None) if remote else _unread(name, _why(error), None)
            )
            return Ingested(entry=unread)

    # --------------------------------------------------------------------------- one look

    def _look(self, names: frozenset[str], *, started: bool) -> list[str]:
        look = _Look(entries={name: self._known[name] for name in names & self._known.keys()})
        missing = look.gone = [each for name, each in self._known.items() if name not in names]
        look.damaged = frozenset(self._damaged(look.entries))
        changed = [*sorted(names - self._known.keys()), *self._due(look)]
        kept = {each.delivery_id: each for each in missing} if started else {}
        for name in changed:
            self._pick(name, look)
            if time.monotonic() - look.shown > SHOWN_EVERY_SECONDS:
                self._show({**kept, **look.entries}, self._snapshot.problem)
                look.shown = time.monotonic()
        if started:
            stay, problems = self._absences.believe(
                look.gone, look.entries, self._covers, str(self.store)
            )
            look.entries |= {each.delivery_id: each for each in stay}
            look.problems += problems
        forgotten = self._known.keys() - look.entries.keys()
        self._index.forget(forgotten)
        self._known = look.entries
        if not look.problems:
            digests = frozenset(each.digest for each in look.entries.values() if each.digest)
            if self.residency.keep(digests):
                release_free_memory()
            # the copies of what has left stay until the next look: a request may be at them
            wanted, self._digests = digests | self._digests, digests
            if wanted != self._pruned:
                self._cache.prune(wanted)
                self._pruned = wanted
        return look.problems

    def _pick(self, name: str, look: _Look) -> None:
        """Look at one delivery, and pick it up if it is new or its bytes changed."""
        known = look.entries.get(name)
        try:
            whole = None if name in look.damaged else known
            if whole is not None and whole.fingerprint == self.store.fingerprint(name):
                return
            with self._cache.alone():
                picked = self._pickup(name, proven=self._index.proven)
                entry = picked.entry
                new = known is None or not entry.says_what(known)
                if new:
                    self._index.keep([entry])
        except IncompleteDeliveryError:
            if look.entries.pop(name, None) is not None and known is not None:
                look.gone.append(known)
            return
        except RemoteUnavailableError as error:
            look.problems.append(f"{name} cannot be tried: {error}")
            look.entries[name] = _not_now(name, str(error), known)
            return
        except OSError as error:
            why = _why(error)
            look.problems.append(
                f"{name} cannot be read from {self.store} or copied to {self._cache.folder}: {why}"
            )
            look.entries[name] = _unread(name, why, known)
            return
        self._make_resident(picked, look)
        if new:
            look.entries[name] = entry

    def _make_resident(self, picked: Ingested, look: _Look) -> None:
        """Have a model in memory before it goes live, also one that another process proved."""
        if not picked.entry.live or (picked.loaded is None and look.warmed >= WARMED_AT_ONCE):
            return
        entry = picked.entry
        try:
            if picked.loaded is not None:
                self.residency.put(entry, picked.loaded)
            else:
                look.warmed += 1
                self.residency.warm(entry)
            self.residency.model(entry)  # its metadata too
        except LoadError as error:
            logger.warning("delivery %s cannot be loaded yet: %s", entry.delivery_id, error)

    def _due(self, look: _Look) -> list[str]:
        """Whose turn it is to be held against the store: those that failed, and some of all."""
        unread = [name for name, each in look.entries.items() if not each.fingerprint]
        turn, self._turn = _turn(look.entries, self._turn, CHECKED_AT_ONCE)
        return list(dict.fromkeys([*unread, *look.damaged, *turn]))

    def _damaged(self, entries: Mapping[str, Entry]) -> Iterator[str]:
        """Of the copies whose turn it is to be verified those that are not what they were."""
        turn, self._verifying_turn = _turn(entries, self._verifying_turn, VERIFIED_AT_ONCE)
        left = VERIFIED_BYTES_AT_ONCE
        for name in turn:
            digest = entries[name].digest
            if digest is None or not entries[name].live:
                continue
            if left <= 0:
                self._verifying_turn = name  # it goes on here at the next look
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

    # -------------------------------------------------------------------- what is decided

    def _decide(self) -> None:
        """Read what the operator decided; while that fails, what was read last holds."""
        try:
            read = self._read_decisions()
        except ObservationStoreError as error:
            if not self._decisions_missing:
                logger.warning("withdrawals and pins stay as they were last read: %s", error)
            self._decisions_missing = True
            if self._decisions is None:
                noted = self._index.noted(_DECISIONS)
                self._decisions = load_decisions(noted) if noted else Decisions()
            return
        self._decisions_missing = False
        if read != self._decisions:
            self._decisions = read
            self._index.note(_DECISIONS, read.dump())

    def _show(self, known: Mapping[str, Entry], problem: str | None) -> None:
        """Replace the snapshot; its contents only when they differ."""
        decisions = self._decisions or Decisions()
        withdrawn = self._withdrawn()
        entries = dict(sorted(known.items()))
        before = self._snapshot.contents
        for name in withdrawn.keys() & entries.keys():
            reason = f"withdrawn by {withdrawn[name]}"
            shown = before.entries.get(name)
            if shown is None or shown.reason != reason or shown.digest != entries[name].digest:
                shown = replace(
                    entries[name], state=State.WITHDRAWN, code=Code.WITHDRAWN, reason=reason
                )
            entries[name] = shown
        pins = {area: str(each.delivery_id) for area, each in decisions.pins.items()}
        contents = before
        if entries != before.entries or pins != before.pins:
            contents = Contents(entries, pins).prepare()
            for each in self.before_showing:
                each(before, contents)
        self._snapshot = Snapshot(contents=contents, checked_at=datetime.now(UTC), problem=problem)

    def _covers(self, entry: Entry, area: str) -> bool:
        """Whether a live delivery may answer for an area that it declares."""
        return entry.delivery_id not in self._withdrawn() and self.may_answer(entry, area)

    def _withdrawn(self) -> Mapping[str, object]:
        """What the operator withdrew, by delivery id."""
        return (self._decisions or Decisions()).withdrawals

    def _emptied(self) -> str:
        return (
            f"the store {self.store} is empty and held {len(self._known)} deliveries before; "
            "what is live stays live; restart the app if it is meant to be empty"
        )


def _turn(entries: Mapping[str, Entry], after: str, count: int) -> tuple[list[str], str]:
    """The next so many names in order after the last turn, and the last of them; then anew."""
    if len(entries) <= count:
        return sorted(entries), ""
    names = sorted(entries)
    turn = list(islice((name for name in names if name > after), count))
    return turn, turn[-1] if len(turn) == count else ""


def _unread(name: str, why: str, known: Entry | None) -> Entry:
    """A delivery that could not be read or copied."""
    return _not_now(name, f"it could not be read or copied yet ({why})", known)


def _not_now(name: str, why: str, known: Entry | None) -> Entry:
    """A delivery that could not be tried; without a fingerprint it is tried at every look.

    What is live stays live, and what has been told in the same words stays the same entry.
    """
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


def report_changes(before: Snapshot, after: Snapshot) -> None:
    """Log what changed from one snapshot to the next, for those who do not read the snapshot."""
    if after.problem is not None and after.problem != before.problem:
        logger.error("%s", after.problem)
    if after.problem is None and before.problem is not None:
        logger.info("the store can be read again")
    if before.contents is after.contents:
        return
    for name, entry in after.entries.items():
        if before.entries.get(name) is entry:
            continue
        known = before.entries.get(name)
        if entry.live:
            again = "" if known is None or known.live else " again"
            logger.info("delivery %s is live%s", name, again)
        else:
            logger.warning("delivery %s is %s", name, entry.told)
    for name in before.entries.keys() - after.entries.keys():
        logger.info("delivery %s was removed from the store", name)
