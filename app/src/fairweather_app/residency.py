"""Residency: which models are in memory, and for how long.

A model is loaded when it is first run, from bytes that are verified at that moment, and stays
until the memory is needed for others. Laws:

- Together the loaded models take no more than the budget, except that the one used last always
  stays, and that none is taken from a request that runs it.
- The least recently used goes first. Its memory comes back when the last request that runs it
  is done.
- A model is loaded once, however many requests wait for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from fairweather_app.entries import Entry
from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.runtime_model import RuntimeModel
from fairweather_app.session import Arrays, Session, Signature

SESSION_BYTES = 1 << 20
SESSION_FACTOR = 3
DESCRIBED_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loaded:
    """A session, and the memory it is taken to need: an estimate from its artifact's size."""

    session: Session
    size: int


def estimate(artifact_bytes: int) -> int:
    """The memory that a loaded artifact is taken to need; runtimes do not tell."""
    return SESSION_BYTES + SESSION_FACTOR * artifact_bytes


@dataclass(slots=True)
class _Slot:
    loaded: Loaded
    users: int = 0


class Residency:
    """The models in memory, by the digest of their deliveries. Safe between threads."""

    def __init__(
        self,
        *,
        load: Callable[[Entry], Loaded],
        describe: Callable[[Entry, Session], RuntimeModel],
        budget: int,
    ) -> None:
        self.budget = budget
        self._load = load
        self._describe = describe
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._models: OrderedDict[str, RuntimeModel] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    @property
    def used(self) -> int:
        """The memory that the loaded models are taken to need."""
        with self._lock:
            return sum(each.loaded.size for each in self._slots.values())

    @property
    def digests(self) -> tuple[str, ...]:
        """The deliveries whose models are in memory, the least recently used first."""
        with self._lock:
            return tuple(self._slots)

    def model(self, entry: Entry) -> RuntimeModel:
        """The model of a live entry: its metadata at once, its session when it is first run.

        Raises:
            LoadError: its metadata can no longer be read.
        """
        digest = str(entry.digest)
        with self._lock:
            model = self._models.get(digest)
            if model is not None:
                self._models.move_to_end(digest)
                return model
        model = self._describe(entry, _LazySession(self, entry))
        with self._lock:
            model = self._models.setdefault(digest, model)
            while len(self._models) > DESCRIBED_AT_ONCE:
                self._models.popitem(last=False)
        return model

    def put(self, entry: Entry, loaded: Loaded) -> None:
        """Keep a session that was just loaded and proven."""
        with self._lock:
            self._slots[str(entry.digest)] = _Slot(loaded)
            self._slots.move_to_end(str(entry.digest))
            self._shrink()

    def warm(self, entry: Entry) -> None:
        """Load a model now, unless it is in memory.

        Raises:
            LoadError: it cannot be loaded.
        """
        with self.lease(entry):
            pass

    def keep(self, digests: frozenset[str]) -> None:
        """Let go of all models but those of the given deliveries.

        A request that holds one of the others finishes with it.
        """
        with self._lock:
            slots = {each: self._slots.pop(each) for each in [*self._slots] if each not in digests}
            for digest in [each for each in self._models if each not in digests]:
                session = self._models.pop(digest).session
                if digest in slots and isinstance(session, _LazySession):
                    session.kept = slots[digest].loaded.session

    @contextmanager
    def lease(self, entry: Entry) -> Iterator[Session]:
        """The session of an entry, loaded if need be; it stays in memory until it is given back.

        Raises:
            LoadError: it cannot be loaded.
        """
        slot = self._taken(entry)
        try:
            yield slot.loaded.session
        finally:
            with self._lock:
                slot.users -= 1
                self._shrink()

    def _taken(self, entry: Entry) -> _Slot:
        digest = str(entry.digest)
        slot = self._found(digest)
        if slot is not None:
            return slot
        with self._loading:
            slot = self._found(digest)
            if slot is not None:
                return slot
            slot = _Slot(self._load(entry), users=1)
        with self._lock:
            self._slots[digest] = slot
            self._shrink()
        return slot

    def _found(self, digest: str) -> _Slot | None:
        with self._lock:
            slot = self._slots.get(digest)
            if slot is not None:
                slot.users += 1
                self._slots.move_to_end(digest)
            return slot

    def _shrink(self) -> None:
        """Let go of the least recently used that nobody runs, until the rest fits."""
        used = sum(each.loaded.size for each in self._slots.values())
        if used <= self.budget:
            return
        for digest, slot in list(self._slots.items())[:-1]:
            if used <= self.budget:
                return
            if not slot.users:
                del self._slots[digest]
                used -= slot.loaded.size


class _LazySession:
    """A session that is in memory when it is run."""

    def __init__(self, residency: Residency, entry: Entry) -> None:
        self._residency = residency
        self._entry = entry
        self.kept: Session | None = None  # there when the catalogue has let go of the delivery
        declared = entry.declared
        self.runtime = (declared.runtime if declared else None) or "unknown"

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        if self.kept is not None:
            return self.kept.signature
        with self._residency.lease(self._entry) as session:
            return session.signature

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """Run one batch."""
        if self.kept is not None:
            return self.kept.run(feeds, outputs)
        try:
            with self._residency.lease(self._entry) as session:
                return session.run(feeds, outputs)
        except LoadError as error:
            raise PredictionError(str(error), code=error.code) from error
