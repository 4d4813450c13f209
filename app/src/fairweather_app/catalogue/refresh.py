"""Refresh: one pass over the store, from the entries known before to those known now.

Laws:

- A delivery without a manifest is not there yet. A new one is ingested. Of the known ones, some are
  compared with the store and their copies verified in every pass, in turn: all of them where there
  are few. One whose bytes changed in the store is ingested again; a damaged copy is fetched again.
- A delivery that was removed from a healthy store is dropped, unless an area would be left without
  any model that may answer for it (a withdrawn delivery, a shadow, or one narrowed by the operator
  may not): the last one for an area stays until `GRACE_PASSES` passes in a row have missed it. So
  do many that go at once: a store that is unmounted, emptied by mistake or moved while it is read
  seems to lose its deliveries.
- A store that is absent, unreadable or suddenly empty changes nothing, also through a restart;
  only an app that finds an empty store when it starts drops all.
- A delivery that cannot be read or copied is tried again in every pass; of very many, some in turn.
  If it was live, it stays live; else it is quarantined as not read yet, which tells nothing about
  its bytes. Whatever else goes wrong with a delivery is about this one too, never about the pass.
- A pass with `patience` waits no longer for the test of a delivery, here or in another process; the
  next pass takes the result. So no delivery keeps others waiting.
- A delivery that `MOST_DEATHS` processes died over is quarantined, and not tried again before its
  bytes change.
- Rows of the index are compared with the verified metadata in turn, as the copies are.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fairweather_interface.errors import FairweatherError, IncompleteDeliveryError
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.entries import Entry, State, cause_of, failed_entry
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Ingested, Ingestion, redescribe
from fairweather_app.catalogue.model_cache import ModelCache, release_free_memory
from fairweather_app.errors import (
    LoadError,
    PendingTestError,
    RemoteUnavailableError,
    StoreError,
)
from fairweather_app.text import FEW_NAMED, bounded, join_some

CHECKED_AT_ONCE = 500
VERIFIED_AT_ONCE = 50
VERIFIED_BYTES_AT_ONCE = 64 << 20
LOADED_AT_ONCE = 32
PUBLISH_EVERY_SECONDS = 2.0
"""How long a pass may go on before its result so far is published."""
GRACE_PASSES = 6
"""So many passes in a row must have missed a guarded delivery before it is dropped."""
OTHERS_SECONDS = 5.0
"""A pass without `patience` waits so long for another process that tests a delivery."""
MOST_DEATHS = 2
"""One death may be a restart at the wrong moment."""
FEW = 3
"""So many deliveries, or half of all, may go in one pass and are dropped at once."""

MayAnswer = Callable[[Entry, str], bool]
"""Whether a live delivery may answer for an area that it declares."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pass:
    """The result of one pass so far."""

    entries: dict[str, Entry]
    gone: list[Entry]
    damaged: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)
    patience: float | None = None
    loads: int = 0
    published: float = field(default_factory=time.monotonic)


class Refresher:
    """Runs the passes over one store; `publish` gets the entries of a long one so far."""

    def __init__(
        self,
        cache: DeliveryCache,
        ingestion: Ingestion,
        index: Index,
        model_cache: ModelCache,
        *,
        may_answer: MayAnswer,
        publish: Callable[[Mapping[str, Entry]], None],
    ) -> None:
        self._cache = cache
        self._store = cache.store
        self._ingestion = ingestion
        self._index = index
        self._model_cache = model_cache
        self._publish = publish
        self._guard = DeletionGuard(may_answer)
        self.pending = False  # whether the last pass has left a test that goes on
        self._digests: frozenset[str] = frozenset()
        self._pruned: frozenset[str] | None = None
        self._passed_over: frozenset[str] = frozenset()
        self._checked_by: object = self  # the policy of the pass before
        self._last_checked = ""
        self._last_verified = ""
        self._last_retried = ""
        self._damage: dict[str, str] = {}

    def run(
        self, known: Mapping[str, Entry], *, first: bool, patience: float | None = None
    ) -> tuple[Mapping[str, Entry], list[str]]:
        """Scan the store once; never raises for what the store holds.

        `known` are the entries of the pass before, by delivery id. On the `first` they are those of
        the index, and what has gone is dropped without a grace period. The result are the entries
        known now, and in sentences what kept the pass from being complete.
        """
        try:
            names = self.names()
        except StoreError as error:
            return known, [f"{error}; what is live stays live" if known else str(error)]
        if known and not names and not first:
            emptied = (
                f"the store {self._store} is empty and held {len(known)} deliveries before; "
                "what is live stays live; restart the app if it is meant to be empty"
            )
            return known, [emptied]
        now = _Pass(
            entries={name: known[name] for name in names & known.keys()},
            gone=[each for name, each in known.items() if name not in names],
            patience=patience,
        )
        self.pending = False
        try:
            self._cache.check_private()
        except OSError as error:
            now.problems.append(f"the cache cannot be used: {cause_of(error)}")
        now.damaged = frozenset(self._find_damaged(now.entries))
        missing = {} if first else {each.delivery_id: each for each in now.gone}
        for name in [*self._to_recheck(now), *sorted(names - known.keys())]:
            self._refresh_one(name, now)
            if time.monotonic() - now.published > PUBLISH_EVERY_SECONDS:
                self._publish({**missing, **now.entries})
                now.published = time.monotonic()
        if not first:
            stay, problems = self._guard.confirm(now.gone, now.entries, str(self._store))
            now.entries |= {each.delivery_id: each for each in stay}
            now.problems += problems
        self._cache.release_claims(now.entries.keys())
        self._checked_by = self._ingestion.trust.policy
        self._index.remove(known.keys() - now.entries.keys())
        self._prune(frozenset(each.digest for each in now.entries.values() if each.digest))
        return now.entries, now.problems

    def names(self) -> frozenset[str]:
        """List the ids under which deliveries lie in the store, or raise `StoreError`.

        A folder with another name is none; it is told once.
        """
        try:
            found = self._store.names()
        except OSError as error:
            raise StoreError(
                f"the store {self._store} cannot be read ({error.strerror or error}); "
                "FAIRWEATHER_STORE names the store"
            ) from None
        names = frozenset(each for each in found if re.fullmatch(DELIVERY_ID_PATTERN, each))
        if (others := found - names) != self._passed_over:
            self._passed_over = others
            if others:
                logger.warning(
                    "passed over in the store %s: %s, not named by a delivery id",
                    *(self._store, join_some(sorted(map(repr, others)), FEW_NAMED)),
                )
        return names

    def ingest(self, delivery_id: str) -> Ingested | None:
        """Ingest one delivery afresh, known or not, and keep nothing; None when it is not there."""
        try:
            return self._ingestion.ingest(delivery_id, self._store.fingerprint(delivery_id))
        except IncompleteDeliveryError:
            return None
        except Exception as error:  # noqa: BLE001 - as in a pass
            return Ingested(entry=failed_entry(delivery_id, error))

    def _refresh_one(self, delivery_id: str, now: _Pass) -> None:
        """Ingest one delivery if it is new, its bytes changed or its copy is damaged."""
        known = now.entries.get(delivery_id)
        try:
            fingerprint = self._store.fingerprint(delivery_id)
            intact = delivery_id not in now.damaged
            if intact and known is not None and self._stays(known, fingerprint):
                return
            found = self._ingest(delivery_id, fingerprint, known, now.patience)
        except IncompleteDeliveryError:
            if now.entries.pop(delivery_id, None) is not None and known is not None:
                now.gone.append(known)
            return
        except Exception as error:  # noqa: BLE001 - it is about this delivery, whatever it is
            if isinstance(error, PendingTestError):
                self.pending = True
            elif not isinstance(error, FairweatherError):
                where = f"read from {self._store} or copied to {self._cache.folder}"
                failed = "tried" if isinstance(error, RemoteUnavailableError) else where
                now.problems.append(f"{delivery_id} cannot be {failed}: {cause_of(error)}")
            now.entries[delivery_id] = failed_entry(delivery_id, error, known)
            return
        self._load_model(found, now)
        if known is None or not found.entry.equals(known):
            now.entries[delivery_id] = found.entry

    def _ingest(
        self, delivery_id: str, fingerprint: str, known: Entry | None, patience: float | None
    ) -> Ingested:
        """Claim and ingest a delivery, unless processes have died over it, and keep the result."""
        waits = OTHERS_SECONDS if patience is None else patience
        with self._cache.claimed(delivery_id, fingerprint, waits) as deaths:
            if deaths < MOST_DEATHS:
                find = self._index.find
                found = self._ingestion.ingest(delivery_id, fingerprint, find, patience)
            else:
                entry = Entry(
                    delivery_id=delivery_id,
                    state=State.QUARANTINED,
                    fingerprint=fingerprint,
                    code=Code.CORRUPT,
                    reason=f"{deaths} processes of this app ended while they tried it",
                )
                found = Ingested(entry=entry)
            if found.entry.code is Code.NOT_TRUSTED:  # what the keys say, the index does not keep
                self._index.remove({delivery_id})
            elif known is None or not found.entry.equals(known):
                self._index.put([found.entry])
        return found

    def _stays(self, known: Entry, fingerprint: str) -> bool:
        """Return whether a known delivery has the same bytes, and no other keys to be asked."""
        asked_before = self._checked_by is self._ingestion.trust.policy
        return known.fingerprint == fingerprint and (asked_before or not self._is_untrusted(known))

    def _load_model(self, found: Ingested, now: _Pass) -> None:
        """Have a model in memory before it goes live, also one that another process accepted."""
        entry, model = found.entry, found.model
        if not entry.live or (model is None and now.loads >= LOADED_AT_ONCE):
            return
        if self._ingestion.trust.refusal(entry) is not None:
            return
        try:
            if model is not None:
                self._model_cache.put(model)
            else:
                now.loads += 1
                self._model_cache.load(entry)
            self._model_cache.model(entry)  # its metadata too
        except LoadError as error:
            logger.warning("delivery %s cannot be loaded yet: %s", entry.delivery_id, error)

    def _to_recheck(self, now: _Pass) -> list[str]:
        """List the deliveries to compare with the store: those that failed, and the next batch.

        Of those that no key vouches for, too: their signature may have come, or a key.
        """
        failed = {
            name: each
            for name, each in now.entries.items()
            if not each.fingerprint or self._is_untrusted(each)
        }
        unread, self._last_retried = _next_batch(failed, self._last_retried, CHECKED_AT_ONCE)
        batch, self._last_checked = _next_batch(now.entries, self._last_checked, CHECKED_AT_ONCE)
        return list(dict.fromkeys([*unread, *now.damaged, *batch]))

    def _is_untrusted(self, entry: Entry) -> bool:
        """Return whether no key vouched for it when it was ingested, or none does now."""
        if entry.code is Code.NOT_TRUSTED or entry.digest is None:
            return entry.code is Code.NOT_TRUSTED
        verdict = self._ingestion.trust.verdict(entry)
        return verdict is not None and verdict.problem is not None

    def _find_damaged(self, entries: Mapping[str, Entry]) -> Iterator[str]:
        """Verify the next batch of copies and yield the damaged ones."""
        batch, self._last_verified = _next_batch(entries, self._last_verified, VERIFIED_AT_ONCE)
        left = VERIFIED_BYTES_AT_ONCE
        for name in batch:
            entry = entries[name]
            digest = entry.digest
            if digest is None or not entry.live:
                continue
            if left <= 0:
                self._last_verified = name  # the next pass goes on here
                return
            try:
                damage, size = self._cache.find_damage(name, digest)
                left -= size
                if size and not damage:
                    delivery = self._cache.open_described(name, digest)
                    if not redescribe(entry, delivery).equals(entry):
                        damage = ("its row in the index is not what its metadata declare",)
            except OSError as error:
                damage = (cause_of(error),)
            said = self._damage.pop(name, None)
            if damage:
                self._damage[name] = why = "; ".join(bounded(damage))
                if why != said:
                    logger.warning("the copy of %s is damaged and is fetched again: %s", name, why)
                yield name

    def _prune(self, digests: frozenset[str]) -> None:
        """Drop the models and the copies of all deliveries but those of the given digests."""
        if self._model_cache.retain(digests):
            release_free_memory()
        # dropped copies stay until the next pass: a request may be reading them
        wanted, self._digests = digests | self._digests, digests
        if wanted != self._pruned and not self.pending:  # what is being tested has no entry yet
            self._cache.prune(wanted)
            self._pruned = wanted


class DeletionGuard:
    """Grants needed deliveries that have gone from the store a grace period."""

    def __init__(self, may_answer: MayAnswer) -> None:
        self._may_answer = may_answer
        self._missed: dict[str, int] = {}

    def confirm(
        self, gone: Sequence[Entry], there: Mapping[str, Entry], store: str
    ) -> tuple[list[Entry], list[str]]:
        """Return the deliveries that stay of those `gone`, which this pass has missed, and why.

        `there` are the entries of this pass, by delivery id. The reasons are sentences.
        """
        before, self._missed = self._missed, {}
        total = len(gone) + len(there)
        many = len(gone) > max(FEW, total // 2)
        last_for = _last_models(gone, there.values(), self._may_answer)
        stay, problems = [], []
        for entry in gone:
            areas = last_for.get(entry.delivery_id, [])
            missed = before.get(entry.delivery_id, 0) + 1
            if not (many or areas) or missed >= GRACE_PASSES:
                continue
            self._missed[entry.delivery_id] = missed
            stay.append(entry)
            if not many:
                problems.append(
                    f"delivery {entry.delivery_id} has gone from {store} and is the last model for "
                    f"{join_some(areas, FEW_NAMED)}: it stays live until {GRACE_PASSES} store "
                    "scans in a row have missed it"
                )
        if many and stay:
            problems.append(
                f"{len(gone)} of {total} deliveries have gone from {store} at once: they stay "
                f"until {GRACE_PASSES} store scans in a row have missed them"
            )
        return stay, problems


def _last_models(
    gone: Sequence[Entry], there: Iterable[Entry], may_answer: MayAnswer
) -> Mapping[str, list[str]]:
    """Return, by delivery id, the areas for which only a `gone` delivery may answer."""
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


def _next_batch(entries: Mapping[str, Entry], after: str, count: int) -> tuple[list[str], str]:
    """Return the next `count` names in order, and the last of them; at the end begin anew."""
    names = sorted(entries)
    if len(names) <= count:
        return names, ""
    batch = list(islice((name for name in names if name > after), count))
    return batch, batch[-1] if len(batch) == count else ""
