"""Time limits: what takes too long is given up, and not asked again for a while.

Work that may hang (a model, the observation database) runs on a thread beside the one that
answers, because nothing else can leave a call that does not come back. Handing over costs some
ten microseconds. Laws:

- `TimeLimit.run` returns or raises within the limit, whatever the work does.
- What was given up is not asked again for `pause` seconds: one hanging model costs one request
  the limit, not every request. Until then `run` raises at once.
- Given-up work goes on in its thread until it ends by itself; its result is thrown away. At most
  `MOST_THREADS` can be so; beyond that `run` raises at once.
- Time is monotonic: a clock that is set back neither lengthens nor shortens anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from fairweather_app.errors import GivenUpError

MOST_THREADS = 64

T = TypeVar("T")


class _Job(Generic[T]):
    """Work, and what became of it; `ended` is locked until it has ended."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.ended = threading.Lock()
        self.ended.acquire()
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
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
        job = _Job(work)
        self._hand_over(job)
        if not job.ended.acquire(timeout=self.seconds):
            self._paused[what] = self._clock() + self.pause
            raise GivenUpError(f"{what} did not answer within {self.seconds:g} s")
        if job.error is not None:
            raise job.error
        return job.result

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
