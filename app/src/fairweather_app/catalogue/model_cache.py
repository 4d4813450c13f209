"""In-memory cache of models.

A model is loaded when it is first run, from bytes that are verified at that moment, and stays until
others need the memory. Laws:

- The models in memory and those being loaded together take no more than the budget, except that
  the one used last always stays, and that none is taken from a request that runs it or waits for
  it.
- The least recently used goes first. Its memory is free when the last request that runs it ends.
- A model is loaded once, however many requests wait for it. Up to `LOADS_AT_ONCE` models are loaded
  at the same time, each on a thread of its own; requests for others do not wait.
- No request waits longer than `patience` for a model; once one has, the next ones fail at once. The
  load goes on, for later requests.
- A model that has left the catalogue counts as used while a call runs it, even one that was given
  up, and no longer.
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
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Session, Signature

DESCRIBED_AT_ONCE = 1024
LOADS_AT_ONCE = 4
MOST_LOADS = 64
"""So many may be loaded or wait to be; more are refused at once."""
PATIENCE_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class _Slot:
    """A model in memory or being loaded; `users` run it, wait for it or load it."""

    size: int = 0
    users: int = 0
    model: RuntimeModel | None = None
    coming: Future[RuntimeModel] = field(default_factory=Future)
    overdue: bool = False


class ModelCache:
    """The models in memory, by the digest of their deliveries. Safe to share between threads.

    `measure` estimates beforehand what `load` will take; without it a model counts once loaded.
    """

    def __init__(
        self,
        *,
        load: Callable[[Entry], RuntimeModel],
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
        self._size = 0  # of the slots
        self._removed: WeakKeyDictionary[RuntimeModel, int] = WeakKeyDictionary()
        self._loads = 0
        self._lock = threading.RLock()
        self._permits = threading.BoundedSemaphore(LOADS_AT_ONCE)

    @property
    def used(self) -> int:
        """The memory of models: loaded, being loaded, or removed and still run."""
        with self._lock:
            return self._size + (sum(self._removed.values()) if self._removed else 0)

    @property
    def digests(self) -> tuple[str, ...]:
        """The deliveries whose models are in memory, the least recently used first."""
        with self._lock:
            return tuple(digest for digest, slot in self._slots.items() if slot.model is not None)

    def model(self, entry: Entry) -> RuntimeModel:
        """Return the model of a live entry, loaded when it runs, or raise `LoadError`."""
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

    def put(self, model: RuntimeModel) -> None:
        """Keep a model that was just loaded and accepted."""
        digest = model.delivery.digest
        with self._lock:
            self._remove(digest)
            self._slots[digest] = _Slot(size=model.memory, model=model)
            self._size += model.memory
            self._evict()

    def load(self, entry: Entry) -> None:
        """Load a model now, unless it is in memory; raises `LoadError` when that fails."""
        with self.in_use(entry):
            pass

    def load_if_room(self, entry: Entry) -> bool:
        """Load a model if the budget has room for it; return whether it is in memory."""
        with self._lock:
            if str(entry.digest) in self._slots:
                return True
        if self.used + self._measure(entry) > self.budget:
            return False
        self.load(entry)
        return True

    def retain(self, digests: frozenset[str]) -> bool:
        """Remove all models but those of the given deliveries; return whether any was removed."""
        with self._lock:
            gone = {each: self._remove(each) for each in [*self._slots] if each not in digests}
            for digest in [each for each in self._models if each not in digests]:
                session = self._models.pop(digest).session
                if isinstance(session, _LazySession):
                    session.removed = gone.get(digest)
            return bool(gone)

    @contextmanager
    def in_use(self, entry: Entry, trace: RequestTrace | None = None) -> Iterator[Session]:
        """Keep a model in memory inside the block, loaded first if need be; give its session.

        Waiting for it is the stage "load" of the `trace`; where that fails, or takes longer than
        `patience`, it is `LoadError`.
        """
        slot = self._acquire(entry)
        try:
            yield (slot.model or self._wait_for(slot, trace or RequestTrace())).session
        finally:
            self._release(slot)

    def _acquire(self, entry: Entry) -> _Slot:
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
            slot = self._slots[digest] = _Slot(users=2)  # the request, and the thread that loads
        name = f"fairweather-load-{entry.delivery_id}"
        threading.Thread(target=self._fill, args=(slot, entry), name=name, daemon=True).start()
        return slot

    def _fill(self, slot: _Slot, entry: Entry) -> None:
        """Load a model into its slot; on failure leave the error there and remove the slot."""
        digest = str(entry.digest)
        try:
            with self._permits:
                self._resize(digest, slot, self._measure(entry))
                model = self._load(entry)
        except BaseException as error:  # noqa: BLE001 - raised again where the model is awaited
            with self._lock:
                self._loads -= 1
                if self._slots.get(digest) is slot:
                    self._remove(digest)
            slot.coming.set_exception(error)
            return
        self._resize(digest, slot, model.memory)
        with self._lock:
            self._loads -= 1
            slot.model = model
            if self._slots.get(digest) is not slot:
                self._removed[model] = model.memory
        slot.coming.set_result(model)
        self._release(slot)

    def _wait_for(self, slot: _Slot, trace: RequestTrace) -> RuntimeModel:
        seconds = 0 if slot.overdue else self._patience
        try:
            return trace.timed("load", lambda: slot.coming.result(seconds))
        except TimeoutError:
            if slot.coming.done():  # the load itself raised it
                raise
            slot.overdue = True
            reason = f"it is still being loaded after {self._patience:g} s"
            raise _not_yet(reason) from None

    def _release(self, slot: _Slot) -> None:
        with self._lock:
            slot.users -= 1
            self._evict()

    def _resize(self, digest: str, slot: _Slot, size: int) -> None:
        with self._lock:
            if self._slots.get(digest) is slot:
                self._size += size - slot.size
                slot.size = size
                self._evict()

    def _remove(self, digest: str) -> RuntimeModel | None:
        """Remove a slot; its session counts on while a call runs it."""
        slot = self._slots.pop(digest, None)
        if slot is None:
            return None
        self._size -= slot.size
        if slot.model is not None:
            self._removed[slot.model] = slot.size
        return slot.model

    def _evict(self) -> None:
        """Remove the least recently used slots without users, until the rest fits."""
        over = self.used - self.budget
        if over <= 0:
            return
        for digest, slot in list(self._slots.items())[:-1]:
            if over <= 0:
                return
            if not slot.users:
                del self._slots[digest]
                self._size -= slot.size
                over -= slot.size


class _LazySession:
    def __init__(self, cache: ModelCache, entry: Entry) -> None:
        self._cache = cache
        self._entry = entry
        self.removed: RuntimeModel | None = None  # set when the delivery has left the catalogue
        declared = entry.declared
        self.runtime = (declared.runtime if declared else None) or "unknown"

    @property
    def signature(self) -> Signature:
        with self.in_use() as session:
            return session.signature

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        try:
            with self.in_use() as session:
                return session.run(feeds, outputs)
        except LoadError as error:
            raise PredictionError(str(error), code=error.code) from error

    def in_use(self, trace: RequestTrace | None = None) -> AbstractContextManager[Session]:
        if self.removed is not None:
            return nullcontext(self.removed.session)
        return self._cache.in_use(self._entry, trace)


def in_use(
    model: RuntimeModel, trace: RequestTrace | None = None
) -> AbstractContextManager[object]:
    """Keep a model in memory inside the block, so that no time limit in it includes loading."""
    session = model.session
    return session.in_use(trace) if isinstance(session, _LazySession) else nullcontext()


def _not_yet(reason: str) -> LoadError:
    return LoadError(Code.RUNTIME_UNAVAILABLE, f"{reason}; ask again later")


def release_free_memory() -> bool:
    """Return the memory that the C library keeps free to the system; return whether any was.

    The C library keeps what models leave in pieces that the next one may not fit into: successive
    deliveries would cost a worker tens of megabytes. Takes some milliseconds, without Python's
    lock; only the GNU C library can.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim is not None and bool(trim(0))
