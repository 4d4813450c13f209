"""Snapshots: what the catalogue knew at one moment. They never change.

A request takes one and keeps it to its end. What requests look up again and again (the live
deliveries, those that declare an area, refusals by code) is computed once, before publication.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import chain

from fairweather_interface.refusals import Code
from fairweather_interface.variables import VARIABLES, Variable, conflicts

from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.errors import UnknownDeliveryError
from fairweather_app.rollout.trials import Rollout
from fairweather_app.text import as_reason


@dataclass(frozen=True, eq=False)
class Contents:
    """Entries, sorted by delivery id, pins by area, and what follows from them. Never changes.

    `rollout` is how far each delivery may answer, by the evidence of its forecasts.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    rollout: Rollout = field(default_factory=Rollout)

    def prepare(self) -> Contents:
        """Compute now what requests will look up."""
        _ = self.live, self.not_live, self.declaring, self.counts, self.variables
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
    def live_by_area(self) -> Mapping[str, tuple[int, tuple[str, ...]]]:
        """By declared area, how many live deliveries declare it, and what they forecast."""
        found = {}
        for area, entries in self.declaring.items():
            live = [each.variables for each in entries if each.live]
            found[area] = (len(live), tuple(dict.fromkeys(chain.from_iterable(live))))
        return found

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """The row of every variable: the contract's, then those that live deliveries declare.

        Live deliveries agree in units and limits; the rest of a row is the earliest model's.
        """
        declared: dict[str, Variable] = {}
        for each in sorted((each for each in self.live if each.rows), key=by_training):
            declared = {**each.declared_variables, **declared}
        return {**declared, **VARIABLES} if declared else VARIABLES

    @cached_property
    def counts(self) -> Counter[str]:
        """How many deliveries refuse an area that none of them declares, by code."""
        return count_undeclared(self.entries.values())

    def pinned(self, area: str) -> str | None:
        """Return the delivery that an area is pinned to, if it is live and declares the area."""
        name = self.pins.get(area)
        entry = self.entries.get(name) if name is not None else None
        return name if entry is not None and entry.live and area in entry.areas else None


def by_training(entry: Entry) -> tuple[float, str]:
    """Return a key that sorts deliveries by the end of their training data, then by id."""
    declared = entry.declared
    return (math.inf if declared is None else declared.train_end_time, entry.delivery_id)


def refuse_conflicts(entries: Mapping[str, Entry], before: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return, as refused, the live deliveries whose variables disagree with an earlier one's.

    Those that are live already come first, then those whose training data end earlier. A refused
    one is live once it disagrees with none.
    """

    def order(entry: Entry) -> tuple[bool, float, str]:
        known = before.get(entry.delivery_id)
        return (known is None or not known.live, *by_training(entry))

    owners: dict[str, Entry] = {}
    refused: dict[str, Entry] = {}
    for entry in sorted((each for each in entries.values() if each.live and each.rows), key=order):
        rows = entry.declared_variables
        problems = [
            f"delivery {owner.delivery_id}, which is live: {problem}"
            for name, row in rows.items()
            if (owner := owners.get(name)) is not None
            for problem in conflicts({name: row}, owner.declared_variables)
        ]
        if problems:
            refused[entry.delivery_id] = replace(
                entry,
                state=State.QUARANTINED,
                code=Code.CORRUPT,
                reason="its variables disagree with " + "; and with ".join(problems),
            )
        else:
            owners = {**dict.fromkeys(rows, entry), **owners}
    return refused


def count_undeclared(entries: Iterable[Entry]) -> Counter[str]:
    """Count the refusals by code, for an area that none of the entries declares."""
    return Counter(
        str(each.code) if each.code is not None else Code.AREA_NOT_DECLARED.value
        for each in entries
    )


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the catalogue knew at one moment. Never changes.

    `checked_at` is None before the first refresh; `problem` says why the last refresh could not
    update everything.
    """

    contents: Contents = field(default_factory=Contents)
    checked_at: datetime | None = None
    problem: str | None = None

    def __post_init__(self) -> None:
        """Bound the problem: it may name much of what a store holds."""
        if self.problem is not None:
            object.__setattr__(self, "problem", as_reason(self.problem))

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every delivery, keyed and sorted by id."""
        return self.contents.entries

    @property
    def live(self) -> tuple[Entry, ...]:
        """The deliveries that can serve, by delivery id."""
        return self.contents.live

    @property
    def not_ready(self) -> str | None:
        """Why the app is not ready: nothing is live, and the store is not known; else None."""
        if self.live:
            return None
        if self.checked_at is None:
            return self.problem or "the store has not been looked at yet"
        if self.problem is None and any(not each.fingerprint for each in self.entries.values()):
            return "the first deliveries are being tested"
        return self.problem

    def entry(self, delivery_id: str) -> Entry:
        """Return the entry of a delivery, or raise `UnknownDeliveryError`."""
        try:
            return self.entries[delivery_id]
        except KeyError:
            raise UnknownDeliveryError(delivery_id) from None
