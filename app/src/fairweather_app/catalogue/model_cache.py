"""Residency: which models are in memory, and for how long.

A model is loaded when it is first run, from bytes that are verified at that moment, and stays
until the memory is needed for others. Laws:

- Together the models in memory and those being loaded take no more than the budget, except that
  the one used last always stays, and that none is taken from a request that runs it or waits
  for it.
- The least recently used goes first. Its memory comes back when the last request that runs it
  is done.
- A model is loaded once, however many requests wait for it. Others do not wait for it: up to
  `LOADS_AT_ONCE` are loaded at the same time, each on a thread of its own.
- Nobody waits longer than `patience` for a model, and once somebody has, nobody waits for it at
  all. Its load goes on, for whoever asks when it is done.
- What has left the catalogue counts as used as long as somebody runs it, be it a call that was
  given up, and no longer.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy.typing as npt
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.entries import Entry
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Arrays, Session, Signature

SESSION_BYTES = 1 << 20
SESSION_FACTOR = 3
DESCRIBED_AT_ONCE = 1024
LOADS_AT_ONCE = 4
MOST_LOADS = 64
"""So many may be loaded or wait to be; more are refused at once."""
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, weakref_slot=True)
class Loaded:
    """A session, and the memory it is taken to need: an estimate from its artifact's size."""

    session: Session
    size: int


def estimate(artifact_bytes: int) -> int:
    """The memory that a loaded artifact is taken to need; runtimes do not tell."""
    return SESSION_BYTES + SESSION_FACTOR * artifact_bytes


@dataclass(slots=True, eq=False)
class _Slot:
    """A model in memory, or on its way there; whoever runs it, waits for it or loads it uses it."""

    size: int = 0
    users: int = 0
    loaded: Loaded | None = None
    coming: Future[Loaded] = field(default_factory=Future)
    overdue: bool = False


class Residency:
    """The models in memory, by the digest of their deliveries. Safe between threads.

    `measure` tells beforehand what `load` will take; without it a model counts once it is loaded.
    """

    def __init__(
        self,
        *,
        load: Callable[[Entry], Loaded],
        describe: Callable[[Entry, Session], RuntimeModel],
        budget: int,
        measure: Callable[[Entry], int] = lambda _entry: 0,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.budget = budget
        self._load = load
        self._describe = describe
        self._measure = measure
        self._patience = patience
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._models: OrderedDict[str, RuntimeModel] = OrderedDict()
        self._held = 0  # by the slots
        self._left: WeakKeyDictionary[Loaded, int] = WeakKeyDictionary()
        self._loads = 0
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(LOADS_AT_ONCE)

    @property
    def used(self) -> int:
        """The memory that models are taken to need: loaded, being loaded, or gone and still run."""
        with self._lock:
            return self._used()

    @property
    def digests(self) -> tuple[str, ...]:
        """The deliveries whose models are in memory, the least recently used first."""
        with self._lock:
            return tuple(digest for digest, slot in self._slots.items() if slot.loaded is not None)

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
        slot = _Slot(size=loaded.size, loaded=loaded)
        with self._lock:
            self._let_go(str(entry.digest))
            self._slots[str(entry.digest)] = slot
            self._held += slot.size
            self._shrink()

    def warm(self, entry: Entry) -> None:
        """Load a model now, unless it is in memory.

        Raises:
            LoadError: it cannot be loaded.
        """
        with self.lease(entry):
            pass

    def warm_if_room(self, entry: Entry) -> bool:
        """Load a model now if it fits into what the budget leaves; whether it is in memory.

        Raises:
            LoadError: it cannot be loaded.
        """
        with self._lock:
            if str(entry.digest) in self._slots:
                return True
        if self.used + self._measure(entry) > self.budget:
            return False
        self.warm(entry)
        return True

    def keep(self, digests: frozenset[str]) -> bool:
        """Let go of all models but those of the given deliveries; whether any were let go.

        A request that holds one of the others finishes with it.
        """
        with self._lock:
            gone = {each: self._let_go(each) for each in [*self._slots] if each not in digests}
            for digest in [each for each in self._models if each not in digests]:
                session = self._models.pop(digest).session
                if isinstance(session, _LazySession):
                    session.kept = gone.get(digest)
            return bool(gone)

    @contextmanager
    def lease(self, entry: Entry, trace: RequestTrace | None = None) -> Iterator[Session]:
        """The session of an entry, loaded if need be; it stays in memory until it is given back.

        Waiting for it is the stage "load" of the `trace`.

        Raises:
            LoadError: it cannot be loaded, or not within `patience`.
        """
        slot = self._taken(entry)
        try:
            yield (slot.loaded or self._awaited(slot, trace or RequestTrace())).session
        finally:
            self._give_back(slot)

    def _taken(self, entry: Entry) -> _Slot:
        digest = str(entry.digest)
        with self._lock:
            slot = self._slots.get(digest)
            if slot is not None:
                slot.users += 1
                self._slots.move_to_end(digest)
                return slot
            if self._loads >= MOST_LOADS:
                raise _not_yet(f"{MOST_LOADS} other models are being loaded")
            self._loads += 1
            slot = self._slots[digest] = _Slot(users=2)  # who asks, and the thread that loads
        name = f"fairweather-load-{entry.delivery_id}"
        threading.Thread(target=self._fill, args=(slot, entry), name=name, daemon=True).start()
        return slot

    def _fill(self, slot: _Slot, entry: Entry) -> None:
        """Load a model into its slot, or leave the reason there and the slot."""
        digest = str(entry.digest)
        try:
            with self._turns:
                self._resize(digest, slot, self._measure(entry))
                loaded = self._load(entry)
        except BaseException as error:  # noqa: BLE001 - raised again where the model is awaited
            with self._lock:
                self._loads -= 1
                if self._slots.get(digest) is slot:
                    self._let_go(digest)
            slot.coming.set_exception(error)
            return
        self._resize(digest, slot, loaded.size)
        with self._lock:
            self._loads -= 1
            slot.loaded = loaded
            if self._slots.get(digest) is not slot:
                self._left[loaded] = loaded.size
        slot.coming.set_result(loaded)
        self._give_back(slot)

    def _awaited(self, slot: _Slot, trace: RequestTrace) -> Loaded:
        seconds = 0 if slot.overdue else self._patience
        try:
            return trace.timed("load", lambda: slot.coming.result(seconds))
        except TimeoutError:
            if slot.coming.done():  # the load itself raised it
                raise
            slot.overdue = True
            reason = f"it is still being loaded after {self._patience:g} s"
            raise _not_yet(reason) from None

    def _give_back(self, slot: _Slot) -> None:
        with self._lock:
            slot.users -= 1
            self._shrink()

    def _resize(self, digest: str, slot: _Slot, size: int) -> None:
        """Count a slot with its size from now on, and make room for it."""
        with self._lock:
            if self._slots.get(digest) is slot:
                self._held += size - slot.size
                slot.size = size
                self._shrink()

    def _let_go(self, digest: str) -> Loaded | None:
        """Take a slot out; what it holds counts on as long as somebody runs it."""
        slot = self._slots.pop(digest, None)
        if slot is None:
            return None
        self._held -= slot.size
        if slot.loaded is not None:
            self._left[slot.loaded] = slot.size
        return slot.loaded

    def _used(self) -> int:
        return self._held + (sum(self._left.values()) if self._left else 0)

    def _shrink(self) -> None:
        """Let go of the least recently used that nobody runs, until the rest fits."""
        over = self._used() - self.budget
        if over <= 0:
            return
        for digest, slot in list(self._slots.items())[:-1]:
            if over <= 0:
                return
            if not slot.users:
                del self._slots[digest]
                self._held -= slot.size
                over -= slot.size


class _LazySession:
    """A session that is in memory when it is run."""

    def __init__(self, residency: Residency, entry: Entry) -> None:
        self._residency = residency
        self._entry = entry
        self.kept: Loaded | None = None  # there when the catalogue has let go of the delivery
        declared = entry.declared
        self.runtime = (declared.runtime if declared else None) or "unknown"

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        with self.held() as session:
            return session.signature

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """Run one batch."""
        try:
            with self.held() as session:
                return session.run(feeds, outputs)
        except LoadError as error:
            raise PredictionError(str(error), code=error.code) from error

    def held(self, trace: RequestTrace | None = None) -> AbstractContextManager[Session]:
        """The loaded session, kept in memory for as long as the context lasts."""
        kept = self.kept
        if kept is not None:
            return nullcontext(kept.session)
        return self._residency.lease(self._entry, trace)


def held(model: RuntimeModel, trace: RequestTrace | None = None) -> AbstractContextManager[object]:
    """Keep a model in memory, loaded first if need be, for as long as the context lasts.

    So loading is not charged to the time limit of a model that is run inside.

    Raises:
        LoadError: when the context is entered: it cannot be loaded, or not in time.
    """
    session = model.session
    return session.held(trace) if isinstance(session, _LazySession) else nullcontext()


def _not_yet(reason: str) -> LoadError:
    return LoadError(Code.RUNTIME_UNAVAILABLE, f"{reason}; ask again later")


def release_free_memory() -> bool:
    """Give the memory that the C library keeps free back to the system; whether any was.

    It keeps what models leave behind in pieces that the next one may not fit into: successive
    deliveries would cost a worker tens of megabytes that nobody uses. Takes some milliseconds,
    without Python's lock; only the GNU C library needs it, and can.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim is not None and bool(trim(0))
