"""Trials: the states of deliveries under a rollout by evidence, by area. They never change.

Under ``evidence`` and ``canary`` a delivery that comes after the rollout began answers for an area
only once it was promoted there, and before that only where no other delivery answers:

- `INCUMBENT`: it was live when the rollout began. `ALONE`: no other forecast its variables for its
  months there when it came, so it answers at once, after those that do more; once another one
  forecasts them, it has to stand a trial like any.
- `TRIAL`: it would rank before an incumbent. Its forecasts are made and scored beside the others'.
- `PROMOTED`: not worse than the incumbent in any variable, or so an operator decided.
- `HELD`: worse in a variable, or so an operator decided. `DEMOTED`: promoted before, and now worse
  than the one that it replaced. Both answer only where nothing else does: to stop one, withdraw it.

States belong to a delivery's digest: other bytes under the same id begin anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Literal, TypeVar

from fairweather_app.common.times import write_time
from fairweather_app.rollout.evidence import Comparison

APP = "app"
"""The author of what no operator decided."""

Mode = Literal["immediate", "evidence", "canary"]
Better = Mapping[str, Mapping[str, frozenset[str]]]
"""By variable and delivery id, the ids of those whose forecasts were better beyond doubt."""

NO_BETTER: Better = {}
HASHES = 1 << 64

T = TypeVar("T")


class State(StrEnum):
    """What became of a delivery in an area."""

    INCUMBENT = "incumbent"
    ALONE = "alone"
    TRIAL = "trial"
    PROMOTED = "promoted"
    HELD = "held"
    DEMOTED = "demoted"


TIERS = dict(zip(State, (0, 1, 2, 0, 3, 3), strict=True))
"""The order in which deliveries are asked, before that of the ranking."""
UNTRIED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A new state of a delivery, and why.

    Attributes:
        since: the reference time, in microseconds, from which on its forecasts are evidence.
        incumbent: the delivery that it was compared with, or null.
    """

    delivery_id: str
    digest: str
    area: str
    state: State
    reason: str
    author: str = APP
    time: str = field(default_factory=lambda: write_time(datetime.now(UTC)))
    incumbent: str | None = None
    since: int = 0

    def __str__(self) -> str:
        by = "" if self.author == APP else f" by {self.author}"
        return f"{self.state}{by} since {self.time}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """All states and comparisons at one moment.

    `began` is whether states count: not under ``immediate``, nor before the first incumbents were
    written down. `changes` are the last ones, by area and digest; `incumbents` are digests.
    """

    began: bool = False
    share: float = 0.0
    incumbents: frozenset[str] = frozenset()
    changes: Mapping[str, Mapping[str, Change]] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()

    def change(self, digest: str | None, area: str) -> Change | None:
        """Return the last change of a delivery in an area, None where there was none."""
        return self.changes.get(area, {}).get(digest or "")

    def tier(self, digest: str | None, area: str) -> int:
        """Return which of the `TIERS` a delivery is in for an area."""
        change = self.change(digest, area)
        if not self.began or (change is None and digest in self.incumbents):
            return 0
        return UNTRIED if change is None else TIERS[change.state]

    def stands_back(self, digest: str | None, area: str) -> bool:
        """Return whether a delivery answers for an area only where no other does."""
        return self.tier(digest, area) >= UNTRIED

    def describe(self, digest: str | None, area: str) -> str | None:
        """Return the state of a delivery in an area in words; None where it ranks as it is."""
        change = self.change(digest, area) if self.began else None
        if change is None:
            return "new, and not promoted" if self.stands_back(digest, area) else None
        return str(change)

    def compared(self, delivery_id: str, area: str | None = None) -> list[Comparison]:
        """Return the comparisons of a delivery, seen from it; None is every area."""
        return [
            each if each.delivery_id == delivery_id else each.flipped()
            for each in self.comparisons
            if delivery_id in {each.delivery_id, each.other} and area in {None, each.area}
        ]

    def count_states(self) -> Counter[tuple[str]]:
        """Count the deliveries in each state, one for each area."""
        found = (each for changes in self.changes.values() for each in changes.values())
        return Counter((each.state.value,) for each in found if self.began)

    def alike(self, other: Rollout, area: str) -> bool:
        """Return whether an area is ranked alike under two of them."""
        same = self.began == other.began and self.incumbents is other.incumbents
        same = same and self.changes.get(area) == other.changes.get(area)
        return same and self.better(area) == other.better(area)

    def better(self, area: str) -> Better:
        """Return which deliveries were better than which in an area, by their past forecasts."""
        return self._better.get(area, NO_BETTER)

    def on_trial(self, digest: str | None, area: str) -> bool:
        """Return whether a delivery stands a trial in an area."""
        change = self.change(digest, area) if self.began else None
        return change is not None and change.state is State.TRIAL

    def canary(self, area: str, time: datetime, trials: Sequence[T]) -> T | None:
        """Return which of the trials answers for a reference time; None for most times.

        A stable hash of area and time decides: the same question gets the same answer.
        """
        key = f"{area}\n{time.timestamp():.0f}".encode()
        place = int.from_bytes(blake2b(key, digest_size=8).digest()) / HASHES
        return trials[int(place / self.share * len(trials))] if place < self.share else None

    @cached_property
    def _better(self) -> Mapping[str, Better]:
        found: dict[str, dict[str, dict[str, frozenset[str]]]] = {}
        for each in self.comparisons:
            for one in (each, each.flipped()):
                if one.verdict == "worse":
                    worse = found.setdefault(one.area, {}).setdefault(one.variable, {})
                    worse[one.delivery_id] = worse.get(one.delivery_id, frozenset()) | {one.other}
        return found


def decide_trial(trial: Change, comparisons: Iterable[Comparison]) -> tuple[State, str] | None:
    """Return what becomes of a delivery by all its comparisons, and why; None while undecided.

    Worse in one variable is enough to be held; not worse in every one is needed to be promoted.
    """
    found = list(comparisons)
    verdicts = {each.verdict for each in found}
    reason = "; ".join(str(each) for each in found)
    if "worse" in verdicts:
        lost = [str(each) for each in found if each.verdict == "worse"]
        promoted = trial.state is not State.TRIAL
        return State.DEMOTED if promoted else State.HELD, f"worse: {'; '.join(lost)}"
    if verdicts == {"not-worse"} and trial.state is State.TRIAL:
        return State.PROMOTED, f"not worse: {reason}"
    return None
