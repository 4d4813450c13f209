"""Areas: where they lie, which need observations, and which live deliveries declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Annotated
from weakref import WeakKeyDictionary

import orjson
from fairweather_interface.definitions import load_definitions, packaged_definitions
from fairweather_interface.metadata import Area
from pydantic import AwareDatetime, ConfigDict, Field

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.entries import Place
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.observations import WindowCache

OUTLINES_KEPT = 65_536


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


@dataclass(slots=True)
class _Declared:
    """The live deliveries that declare an area: their number, variables and the first's place."""

    place: Place
    models: int = 0
    variables: dict[str, None] = field(default_factory=dict)


_declared: WeakKeyDictionary[Contents, Mapping[str, _Declared]] = WeakKeyDictionary()


def _declared_areas(contents: Contents) -> Mapping[str, _Declared]:
    """Return what live deliveries declare, by area; computed once for each snapshot's contents."""
    known = _declared.get(contents)
    if known is None:
        found: dict[str, _Declared] = {}
        for entry in contents.live:
            variables, places = _outline(entry.record)
            for area, place in places.items():
                declared = found.setdefault(area, _Declared(place))
                declared.models += 1
                declared.variables.update(variables)
        known = _declared[contents] = found
    return known


@lru_cache(maxsize=OUTLINES_KEPT)
def _outline(record: bytes) -> tuple[dict[str, None], dict[str, Place]]:
    """Return the variables and areas of a record, at a fraction of the cost of reading it whole."""
    document = orjson.loads(record)
    places = {area: (place[0], place[1], place[2]) for area, place in document["areas"].items()}
    return dict.fromkeys(document["variables"]), places


@cache
def defined_areas() -> Mapping[str, Area]:
    """Return the areas that the contract's packaged definitions know, by name."""
    sources = packaged_definitions()
    return {name: area for each in sources for name, area in load_definitions(each).areas.items()}


def find_place(contents: Contents, area: str) -> Area | None:
    """Return where an area lies by a live delivery, else by any other, else by the definitions."""
    for entry in sorted(contents.declaring.get(area, ()), key=lambda each: not each.live):
        if entry.declared is not None:
            latitude, longitude, timezone = entry.declared.areas[area]
            return Area(latitude=latitude, longitude=longitude, timezone=timezone)
    return defined_areas().get(area)


def areas_to_observe(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the areas whose observations live deliveries need, sorted.

    Those they declare, and the members of the regions that their inputs are means of.
    """
    found: set[str] = set()
    for entry in catalogue.snapshot.live:
        found.update(entry.areas)
        delivery = catalogue.delivery(entry)
        for each in delivery.metadata.inputs if delivery is not None else ():
            found.update(each.areas or ())
    return tuple(sorted(found))


def known_areas(contents: Contents, windows: WindowCache) -> tuple[str, ...]:
    """Return every area name that a delivery, a definition or an observation has, sorted."""
    return tuple(sorted({*contents.declaring, *defined_areas(), *windows.areas()}))


def is_known(contents: Contents, windows: WindowCache, area: str) -> bool:
    """Return whether `known_areas` holds the name, at less cost."""
    return area in contents.declaring or area in defined_areas() or area in windows.areas()


def area_summaries(contents: Contents, windows: WindowCache) -> list[AreaSummary]:
    """Return a summary of each known area; its place by a live model, else by the definitions."""
    found, declared = [], _declared_areas(contents)
    for area in known_areas(contents, windows):
        live, defined = declared.get(area), defined_areas().get(area)
        place: Place | tuple[None, None, None] = (None, None, None)
        if live is not None:
            place = live.place
        elif defined is not None:
            place = (defined.latitude, defined.longitude, defined.timezone)
        found.append(
            AreaSummary(
                area=area,
                latitude=place[0],
                longitude=place[1],
                timezone=place[2],
                models=0 if live is None else live.models,
                variables=[] if live is None else list(live.variables),
                latest_observation=windows.latest(area),
            )
        )
    return found
