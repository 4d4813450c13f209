"""The catalogue: every delivery the app knows of, and which of them are live.

`Catalogue.refresh` looks at the store (see `refresh`) and replaces one immutable `Snapshot`, which
also says what is wrong with the store. A request that has taken a snapshot keeps it, with its
models, to its end. Withdrawals and pins hold from the next look on; while the database cannot be
read, those that were last read hold, in this process or another of the same cache.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from fairweather_interface.delivery import Delivery
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.decisions import Decisions, DecisionStore, load_decisions
from fairweather_app.catalogue.delivery_cache import Cache
from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Pickup
from fairweather_app.catalogue.model_cache import Residency
from fairweather_app.catalogue.refresh import MayAnswer, Refresher
from fairweather_app.catalogue.snapshot import Contents, Snapshot
from fairweather_app.errors import LoadError, ObservationStoreError
from fairweather_app.models_backend.runtime_model import RuntimeModel

DEFAULT_BUDGET = 1 << 30

_DECISIONS = "decisions"

logger = logging.getLogger(__name__)


class Catalogue:
    """Holds the current snapshot of one store, and replaces it. Safe to share between threads.

    `decisions` keeps what the operator decided, `budget` is the memory for loaded models.
    `may_answer` says whether a live delivery may answer for an area that it declares, as the
    operator's settings have it. `before_publish` is called with the contents that are shown and
    those that will be, before they are: what it works out, no request has to.
    """

    def __init__(
        self,
        cache: Cache,
        pickup: Pickup,
        index: Index,
        *,
        decisions: DecisionStore,
        budget: int = DEFAULT_BUDGET,
        may_answer: MayAnswer = lambda _entry, _area: True,
        before_publish: Callable[[Contents, Contents], object] = lambda _before, _after: None,
    ) -> None:
        self.residency = Residency(
            load=pickup.load_again,
            describe=pickup.describe,
            measure=pickup.measure,
            budget=budget,
        )
        self._may_answer = may_answer
        self._before_publish = before_publish
        self.store = cache.store
        self.refresher = Refresher(
            cache,
            pickup,
            index,
            self.residency,
            may_answer=self._covers,
            publish=lambda known: self._publish(known, self._snapshot.problem),
        )
        self._index = index
        self.decisions = decisions
        self.backends = pickup.backends
        self._decisions: Decisions | None = None
        self._decisions_missing = False
        self._refreshing = threading.Lock()
        self._snapshot = Snapshot()
        self._known: Mapping[str, Entry] = {}  # what the bytes say, whatever an operator decided

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
            first = self._snapshot.checked_at is None
            if first:
                self._known = self._index.entries()
            self._decide()
            self._known, problems = self.refresher.run(self._known, first=first)
            self._publish(self._known, "; ".join(problems) or None)
            return self._snapshot

    def _decide(self) -> None:
        """Read what the operator decided; while that fails, what was read last holds."""
        try:
            read = self.decisions.read()
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

    def _publish(self, known: Mapping[str, Entry], problem: str | None) -> None:
        """Replace the snapshot; its contents only when they differ."""
        decisions = self._decisions or Decisions()
        withdrawn = decisions.withdrawals
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
            self._before_publish(before, contents)
        self._snapshot = Snapshot(contents=contents, checked_at=datetime.now(UTC), problem=problem)

    def _covers(self, entry: Entry, area: str) -> bool:
        """Whether a delivery may answer for an area that it declares, as things stand."""
        withdrawn = self._decisions.withdrawals if self._decisions else {}
        return entry.delivery_id not in withdrawn and self._may_answer(entry, area)
