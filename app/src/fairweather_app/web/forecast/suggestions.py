"""Suggest other starts where no model answers the one that was asked for.

Each suggested start was tried a moment before, and a model of the area answered it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice

from fairweather_interface.refusals import Refusal

from fairweather_app.common.times import write_time
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.web.layout.local_time import midnight, moment

MODELS_ASKED = 5
STARTS_TRIED = 12
STARTS_SUGGESTED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A start that a model answers: as an address writes it, and in words."""

    start: str
    words: str
    model_type: str


def suggest(
    app_context: AppContext,
    area: str,
    *,
    asked: datetime | None,
    latest: datetime | None,
    zone: tzinfo,
) -> tuple[Suggestion, ...]:
    """Return starts that models of the area answer, the latest first; none without observations.

    Raises:
        ObservationStoreError: the database cannot be used.
    """
    if latest is None:
        return ()
    newest = latest.replace(minute=0, second=0, microsecond=0)
    tried = 0
    found: dict[datetime, str] = {}
    models = islice(find_best_model(area, app_context).candidates, MODELS_ASKED)
    for model in models:
        for start in _starts(newest, set(model.metadata.valid_months), zone):
            if start == asked or start in found:
                continue
            if tried == STARTS_TRIED or len(found) == STARTS_SUGGESTED:
                break
            tried += 1
            outcome = app_context.forecaster.attempt(model, area, start, use_cache=True)
            if not isinstance(outcome, Refusal):
                found[start] = model.metadata.model_type
    return tuple(
        Suggestion(start=write_time(start), words=moment(start, zone), model_type=found[start])
        for start in sorted(found, reverse=True)
    )


def _starts(newest: datetime, months: set[int], zone: tzinfo) -> Iterator[datetime]:
    """Yield the latest start and the ends of the eleven months before, in the given months only."""
    start = newest
    for _ in range(12):
        if start.astimezone(zone).month in months:
            yield start
        first = start.astimezone(zone).date().replace(day=1)
        start = midnight(first, zone) - timedelta(hours=1)
