"""Areas: where they lie, which need observations, and which live deliveries declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from weakref import WeakKeyDictionary

import orjson
from fairweather_interface.metadata import Area
from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
)

from fairweather_app.catalogue.entries import Place
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.forecasting.context import AppContext

OUTLINES_KEPT = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What live deliveries declare for one area: how many there are, of what, and where it lies.

    `variables` are those of all the deliveries, each once; `place` is what the first of them says.
    """

    models: int
    variables: tuple[str, ...]
    place: Place


_kept: WeakKeyDictionary[Contents, Mapping[str, Served]] = WeakKeyDictionary()


def served_areas(contents: Contents) -> Mapping[str, Served]:
    """Every area that a live delivery declares; counted once for each snapshot's contents."""
    known = _kept.get(contents)
    if known is None:
        counts: dict[str, int] = {}
        variables: dict[str, dict[str, None]] = {}
        places: dict[str, Place] = {}
        for entry in contents.live:
            forecast, where = _outline(entry.record)
            for area, place in where.items():
                counts[area] = counts.get(area, 0) + 1
                variables.setdefault(area, {}).update(forecast)
                places.setdefault(area, place)
        known = {
            area: Served(models=count, variables=tuple(variables[area]), place=places[area])
            for area, count in counts.items()
        }
        _kept[contents] = known
    return known


@lru_cache(maxsize=OUTLINES_KEPT)
def _outline(record: bytes) -> tuple[dict[str, None], dict[str, Place]]:
    """The variables and the areas of a record, at a fraction of what reading it whole costs."""
    told = orjson.loads(record)
    places = {area: (place[0], place[1], place[2]) for area, place in told["areas"].items()}
    return dict.fromkeys(told["variables"]), places


def find_place(app_context: AppContext, area: str) -> Area | None:
    """Where an area lies: a live delivery says so, else any other, else the definitions."""
    declaring = app_context.catalogue.snapshot.contents.declaring.get(area, ())
    for entry in sorted(declaring, key=lambda each: not each.live):
        if entry.declared is not None:
            latitude, longitude, timezone = entry.declared.areas[area]
            return Area(latitude=latitude, longitude=longitude, timezone=timezone)
    return app_context.definitions.get(area)


def areas_to_observe(app_context: AppContext) -> tuple[str, ...]:
    """The areas whose observations live deliveries need, sorted.

    Those they declare, and the members of the regions that they want to be fed with.
    """
    found: set[str] = set()
    for entry in app_context.catalogue.snapshot.live:
        found.update(entry.areas)
        delivery = app_context.catalogue.delivery(entry)
        for each in delivery.metadata.inputs if delivery is not None else ():
            found.update(each.areas or ())
    return tuple(sorted(found))


def known_areas(app_context: AppContext) -> tuple[str, ...]:
    """Every area name that a delivery, a definition or an observation knows, sorted."""
    declared = app_context.catalogue.snapshot.declared_areas
    return tuple(sorted(declared.union(app_context.definitions, app_context.ready.areas())))


def is_known(app_context: AppContext, area: str) -> bool:
    """Whether `known_areas` holds the name, at less cost."""
    return (
        app_context.catalogue.snapshot.declares(area)
        or area in app_context.definitions
        or app_context.ready.knows(area)
    )


def area_summaries(app_context: AppContext) -> list[AreaSummary]:
    """What there is for each known area; its place as a live model, else the definitions, say."""
    return [_summarize(app_context, area) for area in known_areas(app_context)]


def _summarize(app_context: AppContext, area: str) -> AreaSummary:
    served = served_areas(app_context.catalogue.snapshot.contents).get(area)
    defined = app_context.definitions.get(area)
    place: tuple[float, float, str] | tuple[None, None, None] = (None, None, None)
    if served is not None:
        place = served.place
    elif defined is not None:
        place = (defined.latitude, defined.longitude, defined.timezone)
    return AreaSummary(
        area=area,
        latitude=place[0],
        longitude=place[1],
        timezone=place[2],
        models=0 if served is None else served.models,
        variables=[] if served is None else list(served.variables),
        latest_observation=app_context.ready.latest(area),
    )


# ---------------------------------------------------------------------------------- catalogue
@dataclass(frozen=True, kw_only=True, slots=True)
class AreaSummary:
    """One area the app knows of, whether or not a model serves it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    area: str
    latitude: float | None
    longitude: float | None
    timezone: str | None
    models: Annotated[int, Field(description="Live deliveries that declare this area.")]
    variables: Annotated[list[str], Field(description="What those deliveries forecast.")]
    latest_observation: AwareDatetime | None
