"""The trail of a request: what it asked, who answered, who was passed over, and what took how long.

The code that does a part of the work writes to the `current` trail; when the request is done,
`metrics` counts it and `logs` writes its line. Outside a request nobody reads what is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter

Counts = dict[str, int]


def _none() -> Counts:
    return defaultdict(int)


@dataclass(slots=True, eq=False)
class Trail:
    """What is known of one request so far.

    `stages` are seconds by name; `windows` and `predictions` count those that were "made" for the
    request and those that were "kept" from before.
    """

    request_id: str
    started: float = field(default_factory=perf_counter)
    area: str | None = None
    delivery_id: str | None = None
    problem: str | None = None
    memo: str | None = None
    stages: dict[str, float] = field(default_factory=dict)
    refusals: Counts = field(default_factory=_none)
    windows: Counts = field(default_factory=_none)
    predictions: Counts = field(default_factory=_none)


_current: ContextVar[Trail | None] = ContextVar("trail", default=None)


def begin(request_id: str) -> Trail:
    """Start the trail of the request that this thread answers now."""
    begun = Trail(request_id)
    _current.set(begun)
    return begun


def current() -> Trail:
    """The trail of the request that this thread answers.

    Outside a request it is a new one that nobody reads, with an empty `request_id`.
    """
    return _current.get() or Trail("")


@contextmanager
def aside() -> Iterator[None]:
    """Keep what the block does out of the request's numbers and its line."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def end() -> None:
    """Forget the trail: what happens from now on is no part of the request."""
    _current.set(None)


class stage:  # noqa: N801 - read as a word: with stage("windows")
    """Add the time that the block takes to a stage; a stage may be entered many times."""

    __slots__ = ("_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        stages = current().stages
        stages[self._name] = stages.get(self._name, 0.0) + perf_counter() - self._started
