"""The trail of a request: what it asked, who answered, who was passed over, and what took how long.

Whoever does a part of the work notes it here; `metrics` counts it and `logs` tells it when the
request is done. Outside a request a note is lost, so that commands and tests need no trail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter


@dataclass(slots=True, eq=False)
class Trail:
    """What is known of one request so far; `stages` are seconds by name."""

    request_id: str
    started: float = field(default_factory=perf_counter)
    area: str | None = None
    delivery_id: str | None = None
    problem: str | None = None
    memo: str | None = None
    stages: dict[str, float] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)


KEY = "fairweather.trail"
"""Key of the WSGI environment: a trail that was begun before Flask was asked."""

_current: ContextVar[Trail | None] = ContextVar("trail", default=None)


def begin(request_id: str) -> Trail:
    """Start the trail of the request that this thread answers now."""
    return resume(Trail(request_id))


def resume(trail: Trail) -> Trail:
    """Go on with a trail that was begun."""
    _current.set(trail)
    return trail


def current() -> Trail | None:
    """The trail of the request that this thread answers; None outside requests."""
    return _current.get()


@contextmanager
def aside() -> Iterator[None]:
    """What the block does is no part of the request: neither its numbers nor its line tell it."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def end() -> None:
    """Nothing that happens from now on belongs to the request."""
    _current.set(None)


class stage:  # noqa: N801 - read as a word: with stage("windows")
    """Add the time that the block takes to a stage; a stage may be entered many times."""

    __slots__ = ("_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        trail = _current.get()
        if trail is not None:
            took = perf_counter() - self._started
            trail.stages[self._name] = trail.stages.get(self._name, 0.0) + took


def note_asked(area: str) -> None:
    """The request is about an area."""
    trail = _current.get()
    if trail is not None:
        trail.area = area


def note_answer(delivery_id: str) -> None:
    """A delivery answers."""
    trail = _current.get()
    if trail is not None:
        trail.delivery_id = delivery_id


def note_problem(code: str) -> None:
    """The answer is a problem."""
    trail = _current.get()
    if trail is not None:
        trail.problem = code


def note_refusal(code: str) -> None:
    """A candidate was tried and passed over."""
    trail = _current.get()
    if trail is not None:
        trail.refusals[code] += 1


def note_memo(*, hit: bool) -> None:
    """The forecast was looked for among those that are kept."""
    trail = _current.get()
    if trail is not None:
        trail.memo = "hit" if hit else "miss"
