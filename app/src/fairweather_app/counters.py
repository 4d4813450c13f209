"""Counters: how often things happened in this process, for whoever exports them."""

from __future__ import annotations

import threading
from collections import Counter

MEMO_HITS = "memo_hits"
"""Forecasts answered from the memo, whole."""

PREDICTION_HITS = "prediction_hits"
"""Forecasts whose prediction was remembered, because its windows had not changed."""

PREDICTIONS = "predictions"
"""Runs of a model for an answer."""

NOT_MODIFIED = "not_modified"
"""Answers 304, all of them among the memo's hits or remembered predictions too."""

WINDOW_HITS = "window_hits"
WINDOWS_MADE = "windows_made"

GIVEN_UP = "given_up"
"""Models given up because they took too long."""

SHADOW_PREDICTIONS = "shadow_predictions"
FORECASTS_KEPT = "forecasts_kept"
FORECASTS_LOST = "forecasts_lost"
"""Forecasts that could not be kept for scoring: too many at once, or the database failed."""

NAMES = (
    MEMO_HITS,
    PREDICTION_HITS,
    PREDICTIONS,
    NOT_MODIFIED,
    WINDOW_HITS,
    WINDOWS_MADE,
    GIVEN_UP,
    SHADOW_PREDICTIONS,
    FORECASTS_KEPT,
    FORECASTS_LOST,
)


class Counters:
    """Counts from 0 by name, for this process alone; safe to share between threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys(NAMES, 0))
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1) -> None:
        """Count on."""
        with self._lock:
            self._counts[name] += count

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All counts by name, at one moment."""
        with self._lock:
            return dict(self._counts)
