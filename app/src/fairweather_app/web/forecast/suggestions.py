"""Suggest other times where no model answers the one that was asked for.

Each suggested time was tried a moment before, and a model of the area made a forecast.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from itertools import islice

from fairweather_interface.applicability import starts
from fairweather_interface.refusals import Refusal

from fairweather_app.common.times import write_time
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.web.layout.local_time import moment

MODELS_TRIED = 5
STARTS_TRIED = 12
STARTS_SUGGESTED = 3


Suggestion = tuple[str, str, str]
"""A time that has a forecast, as an address writes it and in words, and the type of the model."""


def suggest(
    app_context: AppContext,
    area: str,
    *,
    asked: datetime | None,
    latest: datetime | None,
    zone: tzinfo,
) -> tuple[Suggestion, ...]:
    """Return times that models of the area answer, the latest first; none without observations.

    Tried are the latest observation and the ends of the months before, as far as a model allows.

    Raises:
        ObservationStoreError: the database cannot be used.
    """
    if latest is None:
        return ()
    newest = latest.replace(minute=0, second=0, microsecond=0)
    tried = 0
    found: dict[datetime, str] = {}
    for model in islice(find_best_model(area, app_context).candidates, MODELS_TRIED):
        for start in starts(model.metadata, area, until=newest):
            if start == asked or start in found:
                continue
            if tried == STARTS_TRIED or len(found) == STARTS_SUGGESTED:
                break
            tried += 1
            outcome = app_context.forecaster.attempt(model, area, start, use_cache=True)
            if not isinstance(outcome, Refusal):
                found[start] = model.metadata.model_type
    return tuple(
        (write_time(start), moment(start, zone), found[start])
        for start in sorted(found, reverse=True)
    )
