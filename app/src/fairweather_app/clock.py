"""Clocks: when a forecast starts if nobody says.

An archive of last year has no *now*: by default a forecast starts at the latest observation of
its area. A live service sets ``FAIRWEATHER_CLOCK=now``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, Protocol

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
