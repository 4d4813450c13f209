"""`AppContext`: all that answering a request needs, in one small frozen object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal, cast

import flask

from fairweather_app import models_backend
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.decisions import DecisionStore
from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.index import Index, release_key
from fairweather_app.catalogue.ingestion import Ingestion
from fairweather_app.catalogue.overrides import read_overrides
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.catalogue.stores import open_store
from fairweather_app.catalogue.trust import Trust
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.errors import RETRY_SECONDS, SettingsError
from fairweather_app.forecasting.forecaster import Clock, Forecaster
from fairweather_app.forecasting.live_scores import LiveScores
from fairweather_app.forecasting.selector import Rules, Selectors
from fairweather_app.models_backend.software import NEWEST_SCHEMA
from fairweather_app.observations import ObservationStore, WindowCache
from fairweather_app.rollout.evidence import Rule
from fairweather_app.rollout.store import Policy
from fairweather_app.settings import PREFIX, Settings

EXTENSION = "fairweather"

PATIENCE_SHARE = 0.8
"""Of the time limit: waiting for a lock of the database fails before the wait is given up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AppContext:
    """Settings, overrides (in `selectors`) and clock, and what models and observations are in."""

    settings: Settings
    selectors: Selectors
    clock: Clock
    catalogue: Catalogue
    observations: ObservationStore
    windows: WindowCache
    forecaster: Forecaster
    live: LiveScores

    def unmatched_settings(self, contents: Contents) -> frozenset[str]:
        """Return a sentence for each name in the settings that matches nothing of the store."""
        margins = self.settings.margins.keys() - contents.variables.keys()
        unmatched = [
            f"FAIRWEATHER_MARGINS names {each!r}, which no model forecasts" for each in margins
        ]
        return frozenset((*unmatched, *self.selectors.rules.overrides.find_unmatched(contents)))


def build_app_context(settings: Settings) -> AppContext:
    """Put an app together and start nothing.

    A wrong file of overrides is `OverridesError`; a wrong file of keys, or a cache that cannot be
    written, is `SettingsError`.
    """
    overrides = replace(read_overrides(settings.overrides), shadows=frozenset(settings.shadow))
    observations = ObservationStore(
        settings.observations, patience=PATIENCE_SHARE * settings.time_limit
    )
    windows = WindowCache(observations, TimeLimit(settings.time_limit, pause=RETRY_SECONDS))
    cache = DeliveryCache(
        settings.cache,
        store=open_store(settings.store),
        reader=NEWEST_SCHEMA,
        limit=settings.delivery_limit,
    )
    try:
        cache.check_writable()
    except OSError as error:
        problem = f"expected a folder that can be written to ({error.strerror or error})"
        raise SettingsError([f"{PREFIX}CACHE is {str(settings.cache)!r}: {problem}"]) from None
    models_backend.limit_memory(settings.model_memory)
    backends = _choose_backends(settings, cache)
    selectors = Selectors(
        Rules(overrides=overrides, refuse_below_baseline=settings.refuse_below_baseline)
    )
    catalogue = Catalogue(
        cache,
        Ingestion(
            cache, backends, Trust(settings.keys, settings.store), memory=settings.model_memory
        ),
        Index(cache.folder, partial(release_key, backends)),
        decisions=DecisionStore(
            observations.database,
            Policy(
                mode=settings.rollout,
                share=settings.rollout_share,
                demote=settings.rollout_demote,
                rule=Rule(forecasts=settings.rollout_forecasts, days=settings.rollout_days),
            ),
        ),
        budget=settings.model_memory,
        may_answer=selectors.rules.may_answer,
        before_publish=selectors.prepare,
    )
    clock = make_clock(settings.clock, windows.latest)
    return AppContext(
        settings=settings,
        selectors=selectors,
        clock=clock,
        catalogue=catalogue,
        observations=observations,
        windows=windows,
        forecaster=Forecaster(
            catalogue,
            selectors,
            windows,
            clock,
            seconds=settings.time_limit,
            margins=settings.domain_margins,
        ),
        live=LiveScores(observations, clock),
    )


def _choose_backends(
    settings: Settings, cache: DeliveryCache
) -> tuple[models_backend.ModelsBackend, ...]:
    """Return what runs models, the preferred first: a server where one is named, else this process.

    Not both: a model that is too large for this process must not come here when its server fails.
    What the setting names beside them comes last.
    """
    own: tuple[models_backend.ModelsBackend, ...] = (
        models_backend.OnnxBackend(cache.fetch_verified),
    )
    if settings.inference_url is not None:
        # only then: most apps start without an HTTP client
        from fairweather_app.models_backend.open_inference import open_inference_backends  # noqa: PLC0415

        own = open_inference_backends(
            settings.inference_url, settings.inference_seconds, cache.fetch_verified
        )
    elif settings.tensorflow:
        own = (*own, models_backend.TensorFlowBackend(cache.fetch_verified))
    return (
        *own,
        *(models_backend.find_backend(name, cache.fetch_verified) for name in settings.backends),
    )


def make_clock(
    kind: Literal["latest-observation", "now"],
    latest: Callable[[str | None], datetime | None],
    *,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Clock:
    """Make the clock of a setting; `latest` is when an area was observed last or, for None, any."""

    def last_full_hour(_area: str) -> datetime:
        return wall().replace(minute=0, second=0, microsecond=0)

    def latest_observation(area: str) -> datetime:
        """Return that of the area, else of any area, else the last full hour."""
        time = latest(area) or latest(None)
        return last_full_hour(area) if time is None else time.replace(microsecond=0)

    return last_full_hour if kind == "now" else latest_observation


def current_context() -> AppContext:
    """Return the `AppContext` of the app that answers the current request or runs the command."""
    return cast("AppContext", flask.current_app.extensions[EXTENSION])
