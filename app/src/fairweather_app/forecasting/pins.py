"""Pins: the areas that the operator pinned to deliveries, and whether each pin holds.

A pin holds while its delivery is live, declares the area and may answer for it. One that does not
hold changes nothing: the ranking decides, as `selection` states, and it is reported: in the log,
in ``/models`` and by ``models list | why | pin``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.forecasting.selector import Rules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PinSummary:
    """An area that the operator pinned to a delivery."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    area: str
    delivery_id: str
    problem: Annotated[
        str | None,
        Field(
            description="Why the pin does not hold, so that the ranking decides; "
            "null while it holds."
        ),
    ]

    def __str__(self) -> str:
        pinned = f"{self.area} is pinned to {self.delivery_id}"
        if self.problem is None:
            return pinned
        return (
            f"{pinned}, which may not answer for it ({self.problem}): the ranking decides, as if "
            "there were no pin"
        )


def pins(rules: Rules, contents: Contents) -> tuple[PinSummary, ...]:
    """Return the pinned areas of some contents, sorted by area."""
    return tuple(
        PinSummary(
            area=area, delivery_id=name, problem=why_not(rules, area, contents.entries.get(name))
        )
        for area, name in sorted(contents.pins.items())
    )


def why_not(rules: Rules, area: str, entry: Entry | None) -> str | None:
    """Return why a delivery that an area is (to be) pinned to may not answer; None when it may."""
    if entry is None:
        return "it is not in the store"
    if not entry.live:
        return f"it is {entry.told}"
    if area not in entry.areas:
        return f"it declares {', '.join(entry.areas)}, and not {area}"
    refusal = rules.check(entry, area, None)
    return None if refusal is None else refusal.reason


def report_pins(rules: Rules, before: Contents, contents: Contents) -> None:
    """Log the pins that are new, hold no longer, hold again or are gone."""
    known = {each.area: each for each in pins(rules, before)}
    for each in pins(rules, contents):
        previous = known.pop(each.area, None)
        if each == previous:
            continue
        if each.problem is not None:
            logger.warning("%s", each)
        else:
            again = ", and the pin holds again" if previous and previous.problem else ""
            logger.info("%s%s", each, again)
    for area in known:
        logger.info("%s is no longer pinned", area)
