"""Selectors: the deliveries of one snapshot that may answer for an area, and their order.

A choice depends on what deliveries declare and on what the operator decided, and on nothing else.
It is made once for each area and set of variables, from the deliveries that declare the area alone:
its cost does not grow with those that do not. What was asked of one snapshot is chosen for the next
before that one is published (`Selectors.prepare`): no request pays for it.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from fairweather_interface.metadata import ModelMetadata
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.entries import Declared, Entry
from fairweather_app.catalogue.overrides import Overrides
from fairweather_app.catalogue.snapshot import Contents, count_undeclared
from fairweather_app.common.lru import LruCache
from fairweather_app.forecasting.ranking import rank
from fairweather_app.refusals import CountedRefusals, Refusals, RefusedDelivery
from fairweather_app.text import as_reason, join_some

CHOICE_BYTES_KEPT = 32_000_000
CHOICES_PREPARED = 1000
NAMES_LISTED = 10
MONTHS = range(1, 13)

Variables = tuple[str, ...] | None
"""What is wanted; None asks for as many as there are."""

Firsts = tuple[Entry | None, ...]
"""By month, January first: the delivery that ranks first; None where none declares the month."""


def refused(
    delivery: Entry | ModelMetadata, code: Code | None, reason: str | None
) -> RefusedDelivery:
    """Write a refusal as answers list it."""
    return RefusedDelivery(
        delivery_id=delivery.delivery_id,
        model_type=delivery.model_type,
        code=str(code),
        reason=as_reason(str(reason)),
    )


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What keeps a live delivery from answering for its areas: its declaration and the operator."""

    overrides: Overrides
    refuse_below_baseline: bool

    def check(self, entry: Entry, area: str, variables: Variables) -> Refusal | None:
        """Return why it may not answer; None when it may."""
        overridden = self.overrides.check(entry, area)
        if overridden is not None:
            return overridden
        declared = entry.declared
        if declared is None:
            return Refusal(code=Code.CORRUPT, reason="its record in the index is gone")
        answered = [each for each in declared.variables if variables is None or each in variables]
        if not answered:
            return Refusal(
                code=Code.VARIABLE_NOT_DECLARED,
                reason=f"it forecasts {', '.join(declared.variables)}, "
                f"and not {join_some(variables or (), NAMES_LISTED)}",
            )
        return _check_skill(declared, area, answered) if self.refuse_below_baseline else None

    def check_all(self, entry: Entry, area: str) -> Refusal | None:
        """Return why it may answer no variable for the area; None where it may answer one."""
        refusal = self.check(entry, area, None)
        declared = entry.declared
        if refusal is None or declared is None:
            return refusal
        every = (self.check(entry, area, (name,)) for name in declared.variables)
        return refusal if all(every) else None

    def may_answer(self, entry: Entry, area: str) -> bool:
        """Return whether it may answer for the area, if only some variable."""
        return self.check_all(entry, area) is None

    def why_nowhere(self, entry: Entry) -> Refusal | None:
        """Return why it may answer for none of its areas, by the first; None where it may."""
        refusals = [self.check_all(entry, area) for area in entry.areas]
        return refusals[0] if refusals and all(refusals) else None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The deliveries that may answer for one area and set of variables, and the refusals.

    Together `ranked` (the best first, found as far as a caller iterates), `declared_refusals` and
    `undeclared_refusals` name every delivery of the contents, each once. `counted_here` counts
    those that declare the area by the code with which they would refuse other areas. `pinned` is
    None while no pin holds; `pinned_away` holds as long as the pinned one was not passed over.
    `trials` are the candidates on trial, by delivery id; none while a pin holds.
    """

    ranked: Iterable[Entry]
    declared_refusals: tuple[RefusedDelivery, ...]
    undeclared_refusals: CountedRefusals
    counted_here: Counter[str]
    pinned: str | None
    pinned_away: tuple[RefusedDelivery, ...]
    trials: tuple[Entry, ...]

    @cached_property
    def default_refusals(self) -> Refusals:
        """All refusals when the first candidate answers, made once."""
        return Refusals((*self.pinned_away, *self.declared_refusals), self.undeclared_refusals)


class Selector:
    """Chooses among one snapshot's contents, and keeps its choices. Safe between threads."""

    def __init__(self, contents: Contents, rules: Rules) -> None:
        self.contents = contents
        self._rules = rules
        self.choices: LruCache[tuple[str, Variables], Choice] = LruCache(
            CHOICE_BYTES_KEPT, size=_estimate_size
        )
        self._firsts: dict[str, Mapping[str | None, Firsts]] = {}

    def choose(self, area: str, variables: Variables = None) -> Choice:
        """Split the deliveries into ranked candidates and refusals."""
        choice = self.choices.get((area, variables))
        if choice is None:
            choice = self._choose(area, variables)
            self.choices.put((area, variables), choice)
        return choice

    def ranked(self, area: str, variables: Variables = None) -> Iterator[Entry]:
        """Yield the candidates, the best first, and keep nothing: for lists of all areas."""
        candidates = (
            each
            for each in self.contents.declaring.get(area, ())
            if each.live and self._rules.check(each, area, variables) is None
        )
        return self._in_order(area, variables, candidates)

    def firsts(self, area: str) -> Mapping[str | None, Firsts]:
        """Return the deliveries that rank first, by variable; under None, for all at once."""
        found = self._firsts.get(area)
        if found is None:
            declared = [
                entry.declared
                for entry in self.contents.declaring.get(area, ())
                if entry.live and entry.declared is not None
            ]
            variables = {name for each in declared for name in each.variables}
            found = self._firsts[area] = {
                wanted: self._by_month(area, None if wanted is None else (wanted,))
                for wanted in (None, *sorted(variables))
            }
        return found

    def successor(self, contents: Contents) -> Selector:
        """Make the selector of other contents; an area that is unchanged keeps its ranking."""
        before, made = self.contents, Selector(contents, self._rules)
        for (area, variables), known in self.choices.items()[-CHOICES_PREPARED:]:
            same = before.declaring.get(area) == contents.declaring.get(area)
            same = same and before.rollout.alike(contents.rollout, area)
            if same and before.pinned(area) == contents.pinned(area):
                rest = _undeclared(area, known.counted_here, contents)
                made.choices.put((area, variables), replace(known, undeclared_refusals=rest))
            else:
                next(iter(made.choose(area, variables).ranked), None)
        return made

    def _choose(self, area: str, variables: Variables) -> Choice:
        entries = self.contents.declaring.get(area, ())
        live = [each for each in entries if each.live]
        checked = [(each, self._rules.check(each, area, variables)) for each in live]
        candidates = [each for each, refusal in checked if refusal is None]
        pinned = self.contents.pinned(area)
        is_pinned = any(each.delivery_id == pinned for each in candidates)
        overridden = f"the operator pinned {area} to {pinned}"
        here, rollout = count_undeclared(entries), self.contents.rollout
        return Choice(
            ranked=_Replayed(self._in_order(area, variables, candidates)),
            declared_refusals=(
                *(refused(each, why.code, why.reason) for each, why in checked if why is not None),
                *(refused(each, each.code, each.reason) for each in entries if not each.live),
            ),
            undeclared_refusals=_undeclared(area, here, self.contents),
            counted_here=here,
            pinned=pinned,
            pinned_away=tuple(
                refused(each, Code.OVERRIDDEN, overridden)
                for each in candidates
                if is_pinned and each.delivery_id != pinned
            ),
            trials=tuple(
                each for each in candidates if not is_pinned and rollout.on_trial(each.digest, area)
            ),
        )

    def _in_order(
        self, area: str, variables: Variables, candidates: Iterable[Entry]
    ) -> Iterator[Entry]:
        """Yield the one that the area is pinned to, if it is a candidate, and rank the others.

        Those that were not promoted yet come after all that were, and those that lost come last.
        """
        pinned, rollout = self.contents.pinned(area), self.contents.rollout
        tiers: dict[int, list[Entry]] = defaultdict(list)
        for each in candidates:
            tier = -1 if each.delivery_id == pinned else rollout.tier(each.digest, area)
            tiers[tier].append(each)
        better = rollout.better(area)
        for tier in sorted(tiers):
            yield from rank(tiers[tier], area, variables, better)

    def _by_month(self, area: str, variables: Variables) -> Firsts:
        found: dict[int, Entry] = {}
        for entry in self.ranked(area, variables):
            declared = entry.declared
            for month in declared.valid_months if declared is not None else ():
                found.setdefault(month, entry)
            if len(found) == len(MONTHS):
                break
        return tuple(found.get(month) for month in MONTHS)


class Selectors:
    """The selectors of the published contents and of those before them, under the same rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._kept: tuple[Selector, ...] = ()

    def of(self, contents: Contents) -> Selector:
        """Return the selector of some contents."""
        for each in self._kept:
            if each.contents is contents:
                return each
        made = Selector(contents, self.rules)
        if not self._kept:
            self._kept = (made,)
        return made

    def prepare(self, before: Contents, contents: Contents) -> None:
        """Choose of contents that are about to be published what was asked of those before."""
        shown = self.of(before)
        self._kept = (shown, shown.successor(contents))


class _Replayed:
    """Iterates over what an iterator yields, any number of times; safe between threads."""

    def __init__(self, source: Iterator[Entry]) -> None:
        self._found: list[Entry] = []
        self._source = source
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Entry]:
        position = 0
        while True:
            if position == len(self._found):
                with self._lock:
                    if position == len(self._found):
                        further = next(self._source, None)
                        if further is None:
                            return
                        self._found.append(further)
            yield self._found[position]
            position += 1


def _estimate_size(key: tuple[str, Variables], choice: Choice) -> int:
    """Estimate the bytes of a choice and its key: a client chooses the words of both."""
    refusals = (*choice.declared_refusals, *choice.pinned_away)
    words = sum(map(len, (key[0], *(key[1] or ()), *(each.reason for each in refusals))))
    return 2000 + 4 * words + 150 * len(refusals)


def _undeclared(area: str, here: Counter[str], contents: Contents) -> CountedRefusals:
    """Return the refusals of what does not declare the area; `here` counts what does."""

    def read() -> Iterator[RefusedDelivery]:
        for entry in contents.live:
            if area not in entry.areas:
                # each listed refusal names its areas
                reason = f"it declares {join_some(entry.areas, NAMES_LISTED)}, and not {area}"
                yield refused(entry, Code.AREA_NOT_DECLARED, reason)
        for entry in contents.not_live:
            if area not in entry.areas:
                yield refused(entry, entry.code, entry.reason)

    return CountedRefusals(counts=contents.counts - here, read=read)


def _check_skill(declared: Declared, area: str, answered: list[str]) -> Refusal | None:
    """Refuse when any variable that would be answered is no better than the baseline."""
    below = {
        variable: skill
        for variable in answered
        if (skill := declared.skill(area, variable)) is not None and skill <= 0
    }
    if not below:
        return None
    figures = ", ".join(f"{variable} {skill:.2f}" for variable, skill in below.items())
    return Refusal(
        code=Code.BELOW_BASELINE,
        reason=f"its skill for {area} is no better than the baseline's: {figures}",
    )
