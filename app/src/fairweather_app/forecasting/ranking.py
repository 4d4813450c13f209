"""Ranking: of the models that may answer, which first.

More of the wanted variables first; models of real observations before those of synthetic ones;
then skill, as far as it can be compared; then the newest training data; then the id. A variable
counts where the contract or the delivery's own data knows it, and as more than others forecast only
with an interval of skill above zero: what a model gives beside that is no reason to prefer it.

What a delivery declares is a claim; what its forecasts were, is not. So above all of that stands
*lived* skill: a delivery comes after every other that forecasts all of its wanted variables and
whose past forecasts, at the same hours, were better in each beyond doubt (`rollout.evidence`).
Where no other one was, or they go round in a circle, the order is as declared. Where the operator
names evaluators, what is declared without the signature of one counts as not stated.

Skill compares only under one evaluation, and two models whose 95 % intervals overlap are equal:
the highest figure among hundreds is mostly the luckiest. "Equal when the intervals overlap" is
not transitive, so it orders by layers. One model *dominates* another when both forecast the same
wanted variables and, for every one of them, both were evaluated alike and its interval lies
wholly above the other's. That is a partial order; the first layer are the models that none
dominates, the second those that only the first dominates, and so on. Within a layer time and id
decide. So the ranking never depends on the order in which deliveries were listed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile, zip_longest

from fairweather_interface.variables import VARIABLES

from fairweather_app.catalogue.entries import Entry, StatedPerformance
from fairweather_app.rollout.trials import NO_BETTER, Better

Claims = Mapping[str, tuple[str, float, float] | None]
"""By variable: the evaluation and the interval of the skill; None where there is no interval."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """What the ranking looks at in one model."""

    name: str
    claims: Claims
    synthetic: bool
    train_end_time: float

    def count(self, common: Collection[str]) -> int:
        """Return how many variables count: `common` ones, and those surely of positive skill."""
        return sum(
            name in common or (claim is not None and claim[1] > 0)
            for name, claim in self.claims.items()
        )

    @cached_property
    def first_interval(self) -> tuple[float, float]:
        """The interval of one variable, the same for all of a kind; boundless where unstated."""
        claim = self.claims[min(self.claims)] if self.claims else None
        return (-math.inf, math.inf) if claim is None else claim[1:]

    def dominates(self, other: Contender) -> bool:
        """Return whether this one is better beyond doubt; irreflexive and transitive."""
        if not self.claims or self.claims.keys() != other.claims.keys():
            return False
        pairs = ((claim, other.claims[variable]) for variable, claim in self.claims.items())
        return all(
            claim and rival and claim[0] == rival[0] and claim[1] > rival[2]
            for claim, rival in pairs
        )


def rank(
    entries: Iterable[Entry],
    area: str,
    wanted: tuple[str, ...] | None,
    better: Better = NO_BETTER,
) -> Iterator[Entry]:
    """Yield deliveries, the best first, as far as is iterated; `wanted` None is all there is."""
    by_name = {each.delivery_id: each for each in entries}
    contenders = (_contender(each, area, wanted) for each in by_name.values())
    return (by_name[each.name] for each in order(contenders, better))


def order(contenders: Iterable[Contender], better: Better = NO_BETTER) -> Iterator[Contender]:
    """Yield contenders, the best first, whatever order they come in."""
    everyone = list(contenders)
    common = set(chain.from_iterable(each.claims for each in everyone))
    common = common.intersection(*(each.claims for each in everyone))
    tiers: dict[tuple[int, bool], list[Contender]] = defaultdict(list)
    for each in everyone:
        tiers[-each.count(common), each.synthetic].append(each)
    declared = (each for tier in sorted(tiers) for each in _by_layers(tiers[tier]))
    if not better:
        return declared
    return _by_lived_skill({each.name: each for each in declared}, better)


def _by_lived_skill(declared: Mapping[str, Contender], better: Better) -> Iterator[Contender]:
    """Yield contenders in their order, each after those whose forecasts were better than its."""
    waiting: list[tuple[str, frozenset[str]]] = []
    done: set[str] = set()
    for name, each in declared.items():
        found = [better.get(variable, {}).get(name, frozenset()) for variable in each.claims]
        before = frozenset.intersection(*found) & declared.keys() if found else frozenset()
        waiting.append((name, before))
        while ready := next((each for each in waiting if each[1] <= done), None):
            waiting.remove(ready)
            done.add(ready[0])
            yield declared[ready[0]]
    yield from (declared[name] for name, _ in waiting)


def _by_layers(tier: list[Contender]) -> Iterator[Contender]:
    kinds: dict[frozenset[str], list[Contender]] = defaultdict(list)
    for each in tier:
        kinds[frozenset(each.claims)].append(each)
    for layers in zip_longest(*map(_layers_of_kind, kinds.values()), fillvalue=()):
        yield from sorted(chain(*layers), key=lambda each: (-each.train_end_time, each.name))


def _layers_of_kind(kind: list[Contender]) -> Iterator[Sequence[Contender]]:
    """Yield the layers of contenders that forecast the same variables.

    One that dominates has its lower end above the other's upper end in every variable, so also in
    the first: with the highest lower ends in front, most of the others need not be compared.
    """
    left = sorted(kind, key=lambda each: -each.first_interval[0])
    while left:
        layer = [each for each in left if not _is_dominated(each, left)]
        yield layer
        names = {each.name for each in layer}
        left = [each for each in left if each.name not in names]


def _is_dominated(each: Contender, by_lower_end: list[Contender]) -> bool:
    high = each.first_interval[1]
    rivals = takewhile(lambda other: other.first_interval[0] > high, by_lower_end)
    return any(rival.dominates(each) for rival in rivals)


def _contender(entry: Entry, area: str, wanted: tuple[str, ...] | None) -> Contender:
    declared = entry.declared
    if declared is None:
        raise TypeError(f"{entry.delivery_id} has no record; only live deliveries are ranked")
    stated = declared.performance.get(area, {}) if entry.interval_counts(area) else {}
    claims = {
        variable: _claim(stated.get(variable))
        for variable in declared.variables
        if (wanted is None or variable in wanted)
        and (variable in VARIABLES or variable in entry.declared_variables)
    }
    return Contender(
        name=entry.delivery_id,
        claims=claims,
        synthetic=declared.synthetic,
        train_end_time=declared.train_end_time,
    )


def _claim(stated: StatedPerformance | None) -> tuple[str, float, float] | None:
    """Return what compares of a stated skill; None of a perfect one, which no weather allows."""
    if stated is None or stated.interval is None or max(stated.skill or 0, *stated.interval) >= 1:
        return None
    return (stated.evaluation_id, *stated.interval)
