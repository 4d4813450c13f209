"""`AppContext`: all that answering a request needs, in one small frozen object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairweather_interface.definitions import load_definitions, packaged_definitions
from fairweather_interface.metadata import ONNX, SAVED_MODEL, Area

from fairweather_app.cache import Cache
from fairweather_app.catalogue import Catalogue
from fairweather_app.clock import Clock, make_clock
from fairweather_app.config import Settings, cannot_write_cache
from fairweather_app.errors import SettingsError
from fairweather_app.models_backend import (
    InferenceServer,
    ModelsBackend,
    OnnxBackend,
    RemoteBackend,
    TensorFlowBackend,
)
from fairweather_app.observations import ObservationStore
from fairweather_app.operations import Overrides, read_overrides
from fairweather_app.pickup import Pickup
from fairweather_app.software import NEWEST_SCHEMA


@dataclass(frozen=True, kw_only=True, eq=False)
class AppContext:
    """Settings, overrides and clock, and the two places where models and observations are.

    `definitions` are the areas that the contract's packaged definitions know by name.
    """

    settings: Settings
    overrides: Overrides
    clock: Clock
    observations: ObservationStore
    catalogue: Catalogue
    backends: Sequence[ModelsBackend]
    definitions: Mapping[str, Area] = field(default_factory=dict)


def build_app_context(settings: Settings) -> AppContext:
    """Put an app together: the overrides are read, the cache is tried, and nothing is started.

    Raises:
        OverridesError: the file of overrides is wrong.
        SettingsError: the cache cannot be written.
    """
    overrides = read_overrides(settings.overrides)
    observations = ObservationStore(settings.observations)
    cache = Cache(settings.cache, store=settings.store, reader=NEWEST_SCHEMA)
    try:
        cache.try_out()
    except OSError as error:
        raise SettingsError([cannot_write_cache(settings.cache, error)]) from None
    backends = _choose_backends(settings, cache)
    return AppContext(
        settings=settings,
        overrides=overrides,
        clock=make_clock(settings.clock, observations),
        observations=observations,
        catalogue=Catalogue(settings.store, cache, Pickup(cache, backends)),
        backends=backends,
        definitions={
            name: area
            for source in packaged_definitions()
            for name, area in load_definitions(source).areas.items()
        },
    )


def _choose_backends(settings: Settings, cache: Cache) -> tuple[ModelsBackend, ...]:
    """What runs models, the preferred first: a server elsewhere where one is named, else this one.

    Not both: a model that is too large for this process must not come here when its server fails.
    """
    if settings.inference_url is not None:
        server = InferenceServer(settings.inference_url, settings.inference_seconds)
        return (
            RemoteBackend(ONNX, cache.delivery, server),
            RemoteBackend(SAVED_MODEL, cache.delivery, server),
        )
    if settings.tensorflow:
        return OnnxBackend(cache.delivery), TensorFlowBackend(cache.delivery)
    return (OnnxBackend(cache.delivery),)
