"""Time limits: what takes too long is given up, and not asked again for a while.

Work that may hang (a model, the observation database) runs on a thread beside the one that
answers, because nothing else can leave a call that does not come back. Handing over costs some
37 µs, 13 to 19 % of a forecast by POST. So work that listens to its interrupt (ONNX Runtime does,
before every operation) and was quick last time is done by the thread that asks, and interrupted
when it is late; the first time, and after it was slow, it is handed over like any other. Laws:

- `TimeLimit.run` returns or raises within the limit, whatever the work does; it could be late only
  by one operation of a model that took less than a `QUICK_SHARE` of the limit the time before.
- What was given up is not asked again for `pause` seconds: one hanging model costs one request
  the limit, not every request. Until then `run` raises at once.
- Given-up work is interrupted; where it does not listen it goes on in its thread until it ends by
  itself, and its result is thrown away. At most `MOST_THREADS` can be so; beyond that `run` raises
  at once.
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
"""Work that takes less than this share of the limit is quick, and a limit is that exact."""

T = TypeVar("T")


class Interrupt:
    """Ends work from another thread: fired once, at any moment, from any thread.

    Work that does not listen goes on until it ends by itself. `heard` says whether it listened.
    """

    __slots__ = ("_stop", "fired", "heard")

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self.fired = False
        self.heard = False

    def listen(self, stop: Callable[[], None]) -> None:
        """Call `stop` when it is fired, at once if it was; the work that listened last is ended."""
        self.heard = True
        self._stop = stop
        if self.fired:  # whichever came second, the firing or the listening, sees the other
            stop()

    def fire(self) -> None:
        """End the work that listens."""
        self.fired = True
        if self._stop is not None:
            self._stop()

    def over(self, work: Callable[[], T]) -> T:
        """Do work under this interrupt."""
        outer = _current.set(self)
        try:
            return work()
        finally:
            _current.reset(outer)


_current: ContextVar[Interrupt | None] = ContextVar("interrupt", default=None)


def current_interrupt() -> Interrupt | None:
    """Return the interrupt of the work that this thread does; None where nothing limits it."""
    return _current.get()


class _Job(Generic[T]):
    """Work, and what became of it; `ended` is locked until it has ended."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.interrupt = Interrupt()
        self.ended = threading.Lock()
        self.ended.acquire()
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.interrupt.over(self._work)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            self.error = error
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
        self._late: dict[Interrupt, float] = {}
        self._watching = False

    def run(self, what: str, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises.

        Args:
            what: names the work, in words: work of one name is paused together.
            work: takes nothing.

        Raises:
            GivenUpError: it took too long, now or less than `pause` ago.
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
            late = job.interrupt.fired
        else:
            self._hand_over(job)
            late = not job.ended.acquire(timeout=self.seconds)
        took = time.perf_counter() - started
        if late or not job.interrupt.heard or took >= QUICK_SHARE * self.seconds:
            self._quick.discard(what)
        elif what not in self._quick:
            if len(self._quick) >= MOST_QUICK:
                self._quick.clear()
            self._quick.add(what)
        if late:
            job.interrupt.fire()
            raise self._give_up(what)
        if job.error is not None:
            raise job.error
        return job.result

    def _run_here(self, job: _Job[T]) -> None:
        """Do work on this thread, and have it interrupted when it is late."""
        if not self._watching:
            self._watch()
        self._late[job.interrupt] = time.perf_counter() + (1 - QUICK_SHARE) * self.seconds
        job.run()
        del self._late[job.interrupt]

    def _give_up(self, what: str) -> GivenUpError:
        now = self._clock()
        for name, end in tuple(self._paused.items()):  # not every name is asked again
            if end <= now:
                self._paused.pop(name, None)
        self._paused[what] = now + self.pause
        return GivenUpError(f"{what} did not answer within {self.seconds:g} s")

    def _watch(self) -> None:
        """From now on interrupt what is late."""
        with self._lock:
            if self._watching:
                return
            self._watching = True

        def watch() -> None:
            while True:
                time.sleep(QUICK_SHARE * self.seconds)
                now = time.perf_counter()
                for interrupt, end in tuple(self._late.items()):
                    if now >= end:
                        interrupt.fire()

        threading.Thread(target=watch, name="fairweather-watch", daemon=True).start()

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
