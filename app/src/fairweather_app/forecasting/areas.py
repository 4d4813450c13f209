"""Areas: where they lie, which need observations, and which live deliveries declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Annotated

from fairweather_interface.definitions import load_definitions, packaged_definitions
from fairweather_interface.metadata import Area
from pydantic import AwareDatetime, ConfigDict, Field

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.observations import WindowCache


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


@cache
def defined_areas() -> Mapping[str, Area]:
    """Return the areas that the contract's packaged definitions know, by name."""
    sources = packaged_definitions()
    return {name: area for each in sources for name, area in load_definitions(each).areas.items()}


def find_place(contents: Contents, area: str) -> Area | None:
    """Return where an area lies by a live delivery, else by any other, else by the definitions."""
    declaring = contents.declaring.get(area, ())
    for entry in chain((each for each in declaring if each.live), declaring):
        if entry.declared is not None:
            latitude, longitude, timezone = entry.declared.areas[area]
            return Area(latitude=latitude, longitude=longitude, timezone=timezone)
    return defined_areas().get(area)


def areas_to_observe(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the areas that live deliveries declare, or take means of as inputs, sorted."""
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
    found = []
    for area in known_areas(contents, windows):
        models, variables = contents.live_by_area.get(area, (0, ()))
        place = find_place(contents, area) if models else defined_areas().get(area)
        found.append(
            AreaSummary(
                area=area,
                latitude=None if place is None else place.latitude,
                longitude=None if place is None else place.longitude,
                timezone=None if place is None else place.timezone,
                models=models,
                variables=list(variables),
                latest_observation=windows.latest(area),
            )
        )
    return found
