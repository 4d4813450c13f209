"""Snapshots: what the catalogue knew at one moment. They never change.

Whoever has taken one keeps it until he is done, and finds in it the same answer every time. What
is asked of it again and again is counted once, before it is shown to anybody: who is live, who
declares which area, how many refuse with which code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from fairweather_interface.refusals import Code

from fairweather_app.catalogue.entries import Entry
from fairweather_app.errors import UnknownDeliveryError


class Contents:
    """Entries and pins, and what follows from them, worked out once. Never changes.

    `entries` are keyed and sorted by delivery id; `pins` are areas and the delivery each is
    pinned to.
    """

    def __init__(
        self, entries: Mapping[str, Entry] | None = None, pins: Mapping[str, str] | None = None
    ) -> None:
        self.entries: Mapping[str, Entry] = entries or {}
        self.pins: Mapping[str, str] = pins or {}

    def prepare(self) -> Contents:
        """Work out now what requests will ask."""
        _ = self.live, self.not_live, self.declaring, self.counts
        return self

    @cached_property
    def live(self) -> tuple[Entry, ...]:
        """The deliveries that can serve, by delivery id."""
        return tuple(each for each in self.entries.values() if each.live)

    @cached_property
    def not_live(self) -> tuple[Entry, ...]:
        """The deliveries that cannot serve, by delivery id."""
        return tuple(each for each in self.entries.values() if not each.live)

    @cached_property
    def declaring(self) -> Mapping[str, tuple[Entry, ...]]:
        """By area, the deliveries that declare it, live or not, by delivery id."""
        found: dict[str, list[Entry]] = {}
        for each in self.entries.values():
            for area in each.areas:
                found.setdefault(area, []).append(each)
        return {area: tuple(entries) for area, entries in found.items()}

    @cached_property
    def counts(self) -> Counter[str]:
        """What deliveries say to an area that they do not declare: how many with which code."""
        return count_elsewhere(self.entries.values())

    def pinned(self, area: str) -> str | None:
        """The delivery that an area is pinned to; a pin holds while it is live and declares it."""
        name = self.pins.get(area)
        entry = self.entries.get(name) if name is not None else None
        return name if entry is not None and entry.live and area in entry.areas else None


def count_elsewhere(entries: Iterable[Entry]) -> Counter[str]:
    """How many refuse with which code where their area is not asked for."""
    return Counter(
        str(each.code) if each.code is not None else Code.AREA_NOT_DECLARED.value
        for each in entries
    )


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the catalogue knew at one moment. Never changes.

    `checked_at` is None before the first look at the store; `problem` says why the last look left
    something as it was.
    """

    contents: Contents = field(default_factory=Contents)
    checked_at: datetime | None = None
    problem: str | None = None

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every delivery, keyed and sorted by id."""
        return self.contents.entries

    @property
    def live(self) -> tuple[Entry, ...]:
        """The deliveries that can serve, by delivery id."""
        return self.contents.live

    @property
    def not_live(self) -> tuple[Entry, ...]:
        """The deliveries that cannot serve, by delivery id."""
        return self.contents.not_live

    @property
    def declared_areas(self) -> frozenset[str]:
        """The areas that any delivery declares, live or not."""
        return frozenset(self.contents.declaring)

    def declares(self, area: str) -> bool:
        """Whether any delivery declares the area, live or not."""
        return area in self.contents.declaring

    @property
    def not_ready(self) -> str | None:
        """Why nothing can be said of models: none is live, and what the store holds is not known.

        None when a model is live, and when the store was read whole.
        """
        if self.live:
            return None
        if self.checked_at is None:
            return "the store has not been looked at yet"
        return self.problem

    def entry(self, delivery_id: str) -> Entry:
        """The entry of a delivery.

        Raises:
            UnknownDeliveryError: there is none.
        """
        try:
            return self.entries[delivery_id]
        except KeyError:
            raise UnknownDeliveryError(delivery_id) from None
