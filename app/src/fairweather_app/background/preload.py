"""Warm-up at start: load the models that requests will need first.

After a restart entries come from the index, without a model in memory. Laws:

- For each declared area the first candidate of the ranking is loaded, until the memory budget is
  spent; no model in memory is removed for one that no request has needed.
- A failure never fails the start: the model's first request reports it.
- It takes at most half of a core once requests are served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from fairweather_app.errors import AppError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model

BEFORE_READY_SECONDS = 1.0
"""A worker waits so long before it takes requests; then preloading goes on beside them."""

logger = logging.getLogger(__name__)


def preload(app_context: AppContext, stopping: Callable[[], bool] = lambda: False) -> int:
    """Load the first-ranked model of each area while memory lasts; return how many were."""
    snapshot, model_cache = app_context.catalogue.snapshot, app_context.catalogue.model_cache
    began = time.monotonic()
    loaded, room = 0, True
    for area in sorted(snapshot.contents.declaring):
        if stopping():
            break
        started = time.monotonic()
        best = next(find_best_model(area, app_context, snapshot=snapshot).candidates, None)
        if best is not None and room:
            entry = snapshot.entries[best.delivery_id]
            try:
                room = model_cache.load_if_room(entry)
                loaded += room
            except AppError as error:
                logger.warning("delivery %s cannot be loaded yet: %s", best.delivery_id, error)
        if started - began > BEFORE_READY_SECONDS:
            time.sleep(time.monotonic() - started)
    return loaded
