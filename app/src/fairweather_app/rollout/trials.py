"""Trials: the states of deliveries under a rollout by evidence, by area. They never change.

Under ``evidence`` and ``canary`` a delivery that comes after the rollout began answers for an area
only once it was promoted there, and before that only where no other delivery answers:

- `INCUMBENT`: it was live when the rollout began. `ALONE`: no other answered for the area when it
  came, so it answers at once; once another one does, it has to stand a trial like any.
- `TRIAL`: it would rank before an incumbent. Its forecasts are made and scored beside the others'.
- `PROMOTED`: not worse than the incumbent in any variable, or so an operator decided.
- `HELD`: worse in a variable, or so an operator decided. `DEMOTED`: promoted before, and now worse
  than the one that it replaced. Both answer only where nothing else does: to stop one, withdraw it.

States belong to a delivery's digest: other bytes under the same id begin anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from fairweather_app.rollout.evidence import Comparison

APP = "app"
"""The author of what no operator decided."""

Mode = Literal["immediate", "evidence", "canary"]
Better = Mapping[str, Mapping[str, frozenset[str]]]
"""By variable and delivery id, the ids of those whose forecasts were better beyond doubt."""

NO_BETTER: Better = {}
SHARES = 1 << 64


class State(StrEnum):
    """What became of a delivery in an area."""

    INCUMBENT = "incumbent"
    ALONE = "alone"
    TRIAL = "trial"
    PROMOTED = "promoted"
    HELD = "held"
    DEMOTED = "demoted"


TIERS = {State.INCUMBENT: 0, State.ALONE: 0, State.PROMOTED: 0, State.TRIAL: 1}
UNTRIED, LAST = 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A state that a delivery came to, and why.

    Attributes:
        since: the reference time, in microseconds, from which on its forecasts are evidence.
        incumbent: the delivery that it was compared with, or null.
    """

    time: str
    author: str
    delivery_id: str
    digest: str
    area: str
    state: State
    reason: str
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
        """Return 0 for one that answers by rank, 1 before it was decided, 2 when it lost."""
        if not self.began:
            return 0
        change = self.change(digest, area)
        if change is not None:
            return TIERS.get(change.state, LAST)
        return 0 if digest in self.incumbents else UNTRIED

    def alike(self, other: Rollout, area: str) -> bool:
        """Return whether an area is ranked alike under two of them."""
        same = self.began == other.began and self.changes.get(area) == other.changes.get(area)
        return (
            same and self.incumbents == other.incumbents and self.better(area) == other.better(area)
        )

    def better(self, area: str) -> Better:
        """Return which deliveries were better than which in an area, by their past forecasts."""
        return self._better.get(area, NO_BETTER)

    def canary(self, area: str, time: str, trials: Sequence[str]) -> str | None:
        """Return which of the trials answers for a reference time; None for most.

        A stable hash of area and time decides: the same question gets the same answer.
        """
        key = f"{area}\n{time}".encode()
        place = int.from_bytes(blake2b(key, digest_size=8).digest()) / (self.share * SHARES or 1)
        return trials[int(place * len(trials))] if self.share and trials and place < 1 else None

    @cached_property
    def _better(self) -> Mapping[str, Better]:
        found: dict[str, dict[str, dict[str, frozenset[str]]]] = {}
        for each in self.comparisons:
            if not each.enough or each.low is None or each.high is None:
                continue
            pairs = {(each.delivery_id, each.other): each.low > 0}
            pairs[each.other, each.delivery_id] = each.high < 0
            worse = found.setdefault(each.area, {}).setdefault(each.variable, {})
            for (name, other), is_worse in pairs.items():
                if is_worse:
                    worse[name] = worse.get(name, frozenset()) | {other}
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
