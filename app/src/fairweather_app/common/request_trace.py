"""The trace of one request: what it asked for, what was decided, and how long each stage took.

The edge makes one and hands it on: the code that does a part of the work adds its time and its
counts, the edge fills in what was decided, and `api.request_log` counts and logs all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class RequestTrace:
    """What is known of one request so far.

    `stages` are seconds by name; `windows` and `predictions` count those that were "made" for the
    request and those that were "kept" from before. `cache` is "hit" or "miss" where a cache was
    asked, `refusals` count the candidates that were tried and passed over by code, `input_age` is
    how old the oldest input of the answer was at its start.
    """

    request_id: str = ""
    started: float = field(default_factory=perf_counter)
    area: str | None = None
    delivery_id: str | None = None
    problem: str | None = None
    input_age: timedelta | None = None
    cache: str | None = None
    stages: dict[str, float] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    predictions: Counter[str] = field(default_factory=Counter)

    def timed(self, stage: str, work: Callable[[], T]) -> T:
        """Return what `work` returns, and add its time to a stage; a stage may have many parts."""
        started = perf_counter()
        try:
            return work()
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + perf_counter() - started
