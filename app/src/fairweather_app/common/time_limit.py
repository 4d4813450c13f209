"""Time limits: work that takes too long is given up, and not started again for a while.

Work that may hang (a model, the observation database) runs on a thread beside the caller's, because
nothing else can leave a call that does not return. The hand-over costs some 37 µs, 13 to 19 % of a
forecast by POST. So work that can be cancelled (ONNX Runtime checks before every operation) and
that was quick the last time runs on the caller's thread, and is cancelled when it is late. Laws:

- `TimeLimit.run` returns or raises within the limit, whatever the work does; it can be late only
  by one operation of a model that took less than a `QUICK_SHARE` of the limit the time before.
- Work that was given up is not started again for `pause` seconds: a hanging model costs one request
  the limit, not every request. Until then `run` raises at once.
- Given-up work is cancelled; work that cannot be goes on in its thread until it ends by itself, and
  its result is thrown away. At most `MOST_THREADS` can be so; beyond that `run` raises at once.
- Time is monotonic: a clock that is set back neither lengthens nor shortens anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Generic, TypeVar

from fairweather_app.errors import GivenUpError

MOST_THREADS = 64
MOST_QUICK = 10_000
QUICK_SHARE = 0.05
"""Work that takes less than this share of the limit is quick; also the exactness of a limit."""

T = TypeVar("T")


class CancelToken:
    """Cancels work from any thread; safe whether `cancel` or `on_cancel` is called first.

    `cancellable` is whether the work has called `on_cancel`; other work runs to its end.
    """

    __slots__ = ("_stop", "cancellable", "cancelled")

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self.cancelled = False
        self.cancellable = False

    def on_cancel(self, stop: Callable[[], None]) -> None:
        """Call `stop` on `cancel`, at once if that was called; it replaces an earlier `stop`."""
        self.cancellable = True
        self._stop = stop
        if self.cancelled:
            stop()

    def cancel(self) -> None:
        """Cancel the work."""
        self.cancelled = True
        if self._stop is not None:
            self._stop()


_current: ContextVar[CancelToken | None] = ContextVar("cancel_token", default=None)


def current_token() -> CancelToken | None:
    """Return the token of the work that this thread does; None where nothing limits it."""
    return _current.get()


class _Job(Generic[T]):
    """Work and its result; `ended` is locked until it has ended."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.token = CancelToken()
        self.ended = threading.Lock()
        self.ended.acquire()
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the work with its token as `current_token`."""
        outer = _current.set(self.token)
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            self.error = error
        _current.reset(outer)
        self.ended.release()


class TimeLimit:
    """Runs work for so many `seconds` at most. Starts threads when first used, never before."""

    def __init__(
        self, seconds: float, *, pause: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self.pause = pause
        self._clock = clock
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = self._threads = 0
        self._paused: dict[str, float] = {}
        self._quick: set[str] = set()
        self._deadlines: dict[CancelToken, float] = {}
        self._watching = False

    def run(self, what: str, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises.

        `what` names the work, in words: work of one name is paused together. What took too long,
        now or less than `pause` ago, is `GivenUpError`.
        """
        paused = self._paused.get(what)
        if paused is not None:
            left = paused - self._clock()
            if left > 0:
                raise GivenUpError(
                    f"{what} did not answer within {self.seconds:g} s; it is asked again in "
                    f"{left:.0f} s"
                )
            self._paused.pop(what, None)
        job, started = _Job(work), time.perf_counter()
        if what in self._quick:
            self._run_here(job)
            late = job.token.cancelled
        else:
            self._hand_over(job)
            late = not job.ended.acquire(timeout=self.seconds)
        took = time.perf_counter() - started
        if late or not job.token.cancellable or took >= QUICK_SHARE * self.seconds:
            self._quick.discard(what)
        elif what not in self._quick:
            if len(self._quick) >= MOST_QUICK:
                self._quick.clear()
            self._quick.add(what)
        if late:
            job.token.cancel()
            self._pause(what)
            raise GivenUpError(f"{what} did not answer within {self.seconds:g} s")
        if job.error is not None:
            raise job.error
        return job.result

    def _pause(self, what: str) -> None:
        now = self._clock()
        for name, end in tuple(self._paused.items()):  # not every name is used again
            if end <= now:
                self._paused.pop(name, None)
        self._paused[what] = now + self.pause

    def _run_here(self, job: _Job[T]) -> None:
        """Do work on this thread, and have it cancelled when it is late."""
        with self._lock:
            if not self._watching:
                self._watching = True
                watcher = threading.Thread(
                    target=self._watch, name="fairweather-watch", daemon=True
                )
                watcher.start()
        self._deadlines[job.token] = time.perf_counter() + (1 - QUICK_SHARE) * self.seconds
        job.run()
        del self._deadlines[job.token]

    def _watch(self) -> None:
        while True:
            time.sleep(QUICK_SHARE * self.seconds)
            now = time.perf_counter()
            for token, deadline in tuple(self._deadlines.items()):
                if now >= deadline:
                    token.cancel()

    def _hand_over(self, job: _Job[T]) -> None:
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._threads < MOST_THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="fairweather-work", daemon=True).start()
            else:
                raise GivenUpError(f"{MOST_THREADS} calls that were given up are still running")
        self._jobs.put(job.run)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            with self._lock:
                self._idle += 1
