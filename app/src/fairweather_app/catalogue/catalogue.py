"""The catalogue: every delivery the app knows of, and which of them are live.

`Catalogue.refresh` scans the store (see `refresh`) and replaces one immutable `Snapshot`. A request
that has taken a snapshot keeps it, with its models, to its end. Withdrawals and pins apply from the
next refresh on, or the next `follow_decisions`, which does not wait for the store, and so does the
file of keys, by which every verdict on a signature is made anew each time; while the
database cannot be read, those that were last read apply, also by another process of the same cache.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from fairweather_interface.delivery import Delivery
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.decisions import DECISIONS_JSON, Decisions, DecisionStore
from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Ingestion
from fairweather_app.catalogue.model_cache import ModelCache
from fairweather_app.catalogue.refresh import MayAnswer, Refresher
from fairweather_app.catalogue.snapshot import Contents, Snapshot, refuse_conflicts
from fairweather_app.common.times import write_time
from fairweather_app.errors import LoadError, ObservationStoreError
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.text import bounded, mask

_DECISIONS = "decisions"

logger = logging.getLogger(__name__)


class Catalogue:
    """Holds the current snapshot of one store, and replaces it. Safe to share between threads.

    `budget` is the memory for loaded models, in bytes. `may_answer` is whether the operator's
    settings let a delivery answer for an area. `before_publish` is called with the current contents
    and the next: what it computes, no request has to.
    """

    def __init__(
        self,
        cache: DeliveryCache,
        ingestion: Ingestion,
        index: Index,
        *,
        decisions: DecisionStore,
        budget: int,
        may_answer: MayAnswer = lambda _entry, _area: True,
        before_publish: Callable[[Contents, Contents], object] = lambda _before, _after: None,
    ) -> None:
        self.store = cache.store
        self.model_cache = ModelCache(
            load=ingestion.reload,
            describe=ingestion.describe,
            measure=ingestion.measure,
            budget=budget,
        )
        self.refresher = Refresher(
            cache,
            ingestion,
            index,
            self.model_cache,
            may_answer=self.covers,
            publish=lambda known: self._publish(known, self._problem),
        )
        self._index = index
        self._may_answer = may_answer
        self._before_publish = before_publish
        self.decisions = decisions
        self.backends = ingestion.backends
        self.trust = ingestion.trust
        self._decisions: Decisions | None = None
        self._decisions_missing = False
        self._problem: str | None = None
        self._scanned = time.monotonic()
        self._refreshing = threading.Lock()
        self._publishing = threading.RLock()
        self._snapshot = Snapshot()
        self._known: Mapping[str, Entry] = {}  # before withdrawals

    @property
    def snapshot(self) -> Snapshot:
        """The current snapshot; never waits for a refresh."""
        return self._snapshot

    def model(self, entry: Entry) -> RuntimeModel:
        """Return the model of a live entry, as `ModelCache.model`."""
        return self.model_cache.model(entry)

    def delivery(self, entry: Entry) -> Delivery | None:
        """Return the app's copy of a delivery; None while its metadata cannot be read."""
        if entry.digest is None:
            return None
        try:
            return self.model_cache.model(entry).delivery
        except LoadError:
            return None

    def refresh(self, patience: float | None = None) -> Snapshot:
        """Scan the store once and replace the snapshot. Never raises for what the store holds.

        A scan that fails as a whole changes nothing, and is the problem of the snapshot. The test
        of a delivery that goes on after `patience` seconds is left to the next refresh; with 0 none
        is begun.
        """
        with self._refreshing:
            first = self._snapshot.checked_at is None
            if first:
                self._known = self._index.entries()
            with self._publishing:
                self._update_decisions()
                self.trust.reload()
            try:
                known, problems = self.refresher.run(self._known, first=first, patience=patience)
                self._problem = "; ".join(bounded(problems)) or None
                self._publish(known, self._problem)
            except Exception as error:
                why = f"scanning the store {self.store} failed ({type(error).__name__}: {error})"
                problem = mask(f"{why}; what is live stays live")
                if problem != self._problem:
                    logger.exception("scanning the store failed")
                self._problem = problem
                with self._publishing:
                    self._snapshot = replace(self._snapshot, problem=problem)
            return self._snapshot

    def follow_decisions(self, late_after: float) -> Snapshot:
        """Replace the snapshot where withdrawals or pins changed; never waits for the store.

        Before the first scan has ended, what the index knows is live. So many seconds without a
        scan, or a part of one, are a problem.
        """
        with self._publishing:
            self._update_decisions()
            self.trust.reload()
            problem, last = self._problem, self._snapshot.checked_at
            if time.monotonic() - self._scanned > late_after:
                since = f"since {write_time(last)}" if last else "yet"
                problem = f"the store {self.store} does not answer: it was not scanned {since}"
            self._publish(self._known, problem, scanned=False)
            return self._snapshot

    def _update_decisions(self) -> None:
        """Read withdrawals and pins; while that fails, keep those that were last read."""
        try:
            read = self.decisions.read()
        except ObservationStoreError as error:
            if not self._decisions_missing:
                logger.warning("withdrawals and pins stay as they were last read: %s", error)
            self._decisions_missing = True
            if self._decisions is None:
                saved = self._index.note(_DECISIONS)
                self._decisions = DECISIONS_JSON.validate_json(saved) if saved else Decisions()
            return
        self._decisions_missing = False
        if read != self._decisions:
            self._decisions = read
            self._index.save_note(_DECISIONS, DECISIONS_JSON.dump_json(read).decode())

    def _publish(
        self, known: Mapping[str, Entry], problem: str | None, *, scanned: bool = True
    ) -> None:
        """Replace the snapshot; its contents only when they differ."""
        with self._publishing:
            contents, checked_at = self._next_contents(known), self._snapshot.checked_at
            if scanned:
                self._known, self._scanned, checked_at = known, time.monotonic(), datetime.now(UTC)
            problem = "; ".join(filter(None, (problem, self.trust.problem))) or None
            self._snapshot = Snapshot(contents=contents, checked_at=checked_at, problem=problem)

    def _next_contents(self, known: Mapping[str, Entry]) -> Contents:
        """Return contents with the decisions; the current ones when they do not differ."""
        decisions = self._decisions or Decisions()
        entries = dict(sorted(known.items()))
        if self.trust.policy is not None:
            entries = {name: self.trust.apply(each) for name, each in entries.items()}
        before = self._snapshot.contents
        for name in decisions.withdrawals.keys() & entries.keys():
            entries[name] = replace(
                entries[name],
                state=State.WITHDRAWN,
                code=Code.WITHDRAWN,
                reason=f"withdrawn by {decisions.withdrawals[name]}",
            )
        entries |= refuse_conflicts(entries, before.entries)
        for name, entry in entries.items():
            same = before.entries.get(name)
            changed = same is not entry and entry is not known[name]
            if same is not None and changed and same.equals(entry):
                entries[name] = same
        pins = {area: str(pin.delivery_id) for area, pin in decisions.pins.items()}
        unchanged = decisions.rollout is before.rollout or decisions.rollout == before.rollout
        if entries == before.entries and pins == before.pins and unchanged:
            return before
        contents = Contents(entries, pins, decisions.rollout).prepare()
        self._before_publish(before, contents)
        return contents

    def covers(self, entry: Entry, area: str) -> bool:
        """Return whether a delivery answers for an area; one on trial only where no other does."""
        decisions = self._decisions or Decisions()
        held_back = entry.delivery_id in decisions.withdrawals or self.trust.refusal(entry)
        if held_back or not self._may_answer(entry, area):
            return False
        rollout, declaring = decisions.rollout, self._snapshot.contents.declaring.get(area, ())
        return not rollout.stands_back(entry.digest, area) or not any(
            each.live
            and not rollout.stands_back(each.digest, area)
            and self._may_answer(each, area)
            for each in declaring
        )
