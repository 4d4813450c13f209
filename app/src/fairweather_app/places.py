"""Where areas lie, and which of them need observations."""

from __future__ import annotations

from fairweather_interface.metadata import Area

from fairweather_app.app_context import AppContext


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
