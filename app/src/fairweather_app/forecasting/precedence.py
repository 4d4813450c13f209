"""Which delivery ranks first, by area, variable and month.

This follows from what deliveries declare and from what the operator decided, as `selection` ranks
them; no observation is read. It is computed once for each snapshot and area, on the first question:
some 20 ms for an area that 300 deliveries declare.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairweather_interface.refusals import Refusal

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selector import Firsts


def firsts(app_context: AppContext, contents: Contents, area: str) -> Mapping[str | None, Firsts]:
    """Return who ranks first for an area, by variable; under None, for all variables at once."""
    return app_context.selectors.of(contents).firsts(area)


def kept_from_answering(app_context: AppContext, entry: Entry) -> Refusal | None:
    """Return why a live delivery may answer for none of its areas; None where it may for one.

    The reason of one area stands for all.
    """
    refusals = [app_context.selectors.rules.held_back(entry, area) for area in entry.areas]
    return refusals[0] if refusals and all(refusals) else None
