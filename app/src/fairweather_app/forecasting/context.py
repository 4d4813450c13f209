"""`AppContext`: all that answering a request needs, in one small frozen object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal, Protocol, cast

import flask
from fairweather_interface.definitions import load_definitions, packaged_definitions
from fairweather_interface.metadata import Area

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.decisions import DecisionStore
from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.index import Index, release_key
from fairweather_app.catalogue.ingestion import Ingestion
from fairweather_app.catalogue.overrides import Overrides, read_overrides
from fairweather_app.catalogue.stores import open_store
from fairweather_app.common.lru import LruCache
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.errors import RETRY_SECONDS, SettingsError
from fairweather_app.forecasting.answers import KeptAnswer
from fairweather_app.forecasting.forecast_request import ForecastRequest
from fairweather_app.forecasting.live_scores import LiveScores
from fairweather_app.forecasting.selector import Rules, Selectors
from fairweather_app.models_backend import (
    ModelsBackend,
    OnnxBackend,
    TensorFlowBackend,
    find_backend,
)
from fairweather_app.models_backend.runtime_model import Predictions
from fairweather_app.models_backend.software import NEWEST_SCHEMA
from fairweather_app.observations import ObservationStore, WindowCache
from fairweather_app.settings import Settings, cannot_write_cache

PREDICTIONS_KEPT = 2000

ANSWER_BYTES_KEPT = 16_000_000

PATIENCE_SHARE = 0.8
"""Of the time limit: a lock that is waited for in vain is told before the wait is given up."""

PAUSE_SECONDS = 30.0
"""A model that was given up is not asked again for so long."""

PredictionKey = tuple[str, str, datetime, bytes]
"""Delivery digest, area, reference time, digest of the windows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AppContext:
    """Settings, overrides and clock, and the two places where models and observations are.

    `definitions` are the areas that the contract's packaged definitions know by name.
    """

    settings: Settings
    overrides: Overrides
    selectors: Selectors
    clock: Clock
    observations: ObservationStore
    decisions: DecisionStore
    catalogue: Catalogue
    backends: Sequence[ModelsBackend]
    ready: WindowCache
    time_limit: TimeLimit
    predictions: LruCache[PredictionKey, Predictions]
    answers: LruCache[ForecastRequest, KeptAnswer]
    live: LiveScores
    definitions: Mapping[str, Area] = field(default_factory=dict)


def build_app_context(settings: Settings) -> AppContext:
    """Put an app together: the overrides are read, the cache is tried, and nothing is started.

    Raises:
        OverridesError: the file of overrides is wrong.
        SettingsError: the cache cannot be written.
    """
    overrides = replace(read_overrides(settings.overrides), shadows=frozenset(settings.shadow))
    patience = PATIENCE_SHARE * settings.time_limit
    observations = ObservationStore(settings.observations, patience=patience)
    ready = WindowCache(observations, TimeLimit(settings.time_limit, pause=RETRY_SECONDS))
    cache = DeliveryCache(settings.cache, store=open_store(settings.store), reader=NEWEST_SCHEMA)
    try:
        cache.check_writable()
    except OSError as error:
        raise SettingsError([cannot_write_cache(settings.cache, error)]) from None
    backends = _choose_backends(settings, cache)
    decisions = DecisionStore(observations.database)
    selectors = Selectors(
        Rules(overrides=overrides, refuse_below_baseline=settings.refuse_below_baseline)
    )
    return AppContext(
        settings=settings,
        overrides=overrides,
        selectors=selectors,
        clock=make_clock(settings.clock, ready),
        observations=observations,
        decisions=decisions,
        catalogue=Catalogue(
            cache,
            Ingestion(cache, backends),
            Index(cache.folder, partial(release_key, backends)),
            decisions=decisions.read,
            budget=settings.model_memory,
            may_answer=selectors.rules.may_answer,
            before_publish=selectors.prepare,
        ),
        backends=tuple(backends),
        ready=ready,
        time_limit=TimeLimit(settings.time_limit, pause=PAUSE_SECONDS),
        predictions=LruCache(PREDICTIONS_KEPT),
        answers=LruCache(ANSWER_BYTES_KEPT, size=lambda kept: len(kept.answer.body)),
        live=LiveScores(observations, ready),
        definitions={
            name: area
            for source in packaged_definitions()
            for name, area in load_definitions(source).areas.items()
        },
    )


def _choose_backends(settings: Settings, cache: DeliveryCache) -> tuple[ModelsBackend, ...]:
    """What runs models, the preferred first: a server elsewhere where one is named, else this one.

    Not both: a model that is too large for this process must not come here when its server fails.
    What the setting names beside them comes last.
    """
    own: tuple[ModelsBackend, ...] = (OnnxBackend(cache.fetch_verified),)
    if settings.inference_url is not None:
        # only then: most apps start without an HTTP client
        from fairweather_app.models_backend.open_inference import open_inference_backends  # noqa: PLC0415

        own = open_inference_backends(
            settings.inference_url, settings.inference_seconds, cache.fetch_verified
        )
    elif settings.tensorflow:
        own = (*own, TensorFlowBackend(cache.fetch_verified))
    return (*own, *(find_backend(name, cache.fetch_verified) for name in settings.backends))


Clock = Callable[[str], datetime]
"""Gives the reference time for an area: aware, in UTC, on a whole second."""


class Latest(Protocol):
    """Who knows when the latest observation of an area, or of all, was made."""

    def latest(self, area: str | None = None) -> datetime | None:
        """Its time; None when there is none."""


def make_clock(
    kind: Literal["latest-observation", "now"],
    observations: Latest,
    *,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Clock:
    """Make the clock that the settings ask for; `wall` tells the real time."""

    def last_full_hour(_area: str) -> datetime:
        return wall().replace(minute=0, second=0, microsecond=0)

    def latest_observation(area: str) -> datetime:
        """Of the area, else of any area, else the last full hour."""
        latest = observations.latest(area) or observations.latest()
        return last_full_hour(area) if latest is None else latest.replace(microsecond=0)

    return last_full_hour if kind == "now" else latest_observation


EXTENSION = "fairweather"


def current_context() -> AppContext:
    """The `AppContext` of the app that answers the current request or runs the command."""
    return cast("AppContext", flask.current_app.extensions[EXTENSION])
