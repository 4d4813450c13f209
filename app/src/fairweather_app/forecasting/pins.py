"""Pins: what the operator pinned areas to, and whether each pin holds.

A pin holds while its delivery is live, declares the area and may answer for it. One that does not
hold changes nothing: the ranking decides, as `selection` says, and it is told here: in the log,
in ``/models`` and by ``models list | why | pin``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.forecasting.context import AppContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One pinned area; `problem` says why the pin does not hold, None while it does."""

    area: str
    delivery_id: str
    problem: str | None

    def __str__(self) -> str:
        pinned = f"{self.area} is pinned to {self.delivery_id}"
        if self.problem is None:
            return pinned
        return (
            f"{pinned}, which may not answer for it ({self.problem}): the ranking decides, as if "
            "there were no pin"
        )


def pins(app_context: AppContext, contents: Contents | None = None) -> tuple[Pin, ...]:
    """The pinned areas of some contents, by default those that are shown, sorted by area."""
    contents = app_context.catalogue.snapshot.contents if contents is None else contents
    return tuple(
        Pin(
            area=area,
            delivery_id=name,
            problem=why_not(app_context, area, contents.entries.get(name)),
        )
        for area, name in sorted(contents.pins.items())
    )


def why_not(app_context: AppContext, area: str, entry: Entry | None) -> str | None:
    """Why a delivery that an area is (to be) pinned to may not answer for it; None when it may."""
    if entry is None:
        return "it is not in the store"
    if not entry.live:
        return f"it is {entry.summary}"
    if area not in entry.areas:
        return f"it declares {', '.join(entry.areas)}, and not {area}"
    refusal = app_context.selectors.rules.check(entry, area, None)
    return None if refusal is None else refusal.reason


def report_pins(app_context: AppContext, before: Contents, contents: Contents) -> None:
    """Log the pins that are new, hold no longer, hold again or are gone."""
    told = {each.area: each for each in pins(app_context, before)} if before.pins else {}
    for each in pins(app_context, contents):
        known = told.pop(each.area, None)
        if each == known:
            continue
        again = ", and the pin holds again" if known is not None and known.problem else ""
        logger.log(
            logging.INFO if each.problem is None else logging.WARNING,
            "%s%s",
            each,
            again if each.problem is None else "",
        )
    for area in told:
        logger.info("%s is no longer pinned", area)
