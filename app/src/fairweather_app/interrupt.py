"""Interrupts: how work that may take too long is told to end, from another thread.

Whoever limits the time of work gives it an interrupt; whoever does the work, however far down, may
listen to it. Work that does not listen goes on until it ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


class Interrupt:
    """Fired once, at any moment, from any thread."""

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


def current() -> Interrupt | None:
    """The interrupt of the work that this thread does; None where nothing limits it."""
    return _current.get()
