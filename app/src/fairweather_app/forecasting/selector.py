"""Selectors: of one snapshot, which deliveries may answer for an area, and in which order.

A choice follows from what deliveries declare and from what the operator decided, and from nothing
else. It is made once for each area and set of variables, from the deliveries that declare the area
alone: its cost does not grow with those that do not. What was asked of one snapshot is chosen for
the next before that one is shown (`Selectors.prepare`): no request pays for it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.entries import Declared, Entry
from fairweather_app.catalogue.overrides import Named, Overrides
from fairweather_app.catalogue.snapshot import Contents, count_undeclared
from fairweather_app.forecasting.ranking import rank
from fairweather_app.refusals import Others, Refusals, RefusedDelivery

CHOICES_KEPT = 10_000
CHOICES_PREPARED = 1000
AREAS_TOLD = 10
MONTHS = range(1, 13)

Variables = tuple[str, ...] | None
"""What is wanted; None asks for as many as there are."""

Firsts = tuple[Entry | None, ...]
"""By month, January first: who comes first in it; None where nobody declares it."""


def refused(delivery: Named, code: Code | None, reason: str | None) -> RefusedDelivery:
    """Write a refusal as answers list it."""
    return RefusedDelivery(
        delivery_id=delivery.delivery_id,
        model_type=delivery.model_type,
        code=str(code),
        reason=str(reason),
    )


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What keeps a live delivery from answering for an area that it declares.

    Its own declaration, and what the operator narrowed.
    """

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
                f"and not {', '.join(variables or ())}",
            )
        return _check_skill(declared, area, answered) if self.refuse_below_baseline else None

    def held_back(self, entry: Entry, area: str) -> Refusal | None:
        """Return why it may answer nothing for the area; None where it may answer something."""
        refusal = self.check(entry, area, None)
        declared = entry.declared
        if refusal is None or declared is None:
            return refusal
        for name in declared.variables:
            if self.check(entry, area, (name,)) is None:
                return None
        return refusal

    def may_answer(self, entry: Entry, area: str) -> bool:
        """Whether it may answer for the area, if only some variable."""
        return self.held_back(entry, area) is None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who may answer for one area and set of variables, and who may not.

    Together `ranked`, `declaring` and `others` name every delivery of the contents, each once.

    Attributes:
        ranked: the entries that may answer, the best first; found as far as anybody asks.
        declaring: the refusals of deliveries that declare the area.
        others: the refusals of all the rest.
        here: how many deliveries declare the area, by the code that they refuse others with.
        pinned: the delivery that the area is pinned to, None while no pin holds.
        aside: the refusals of the candidates that the pin keeps from answering; they hold as long
            as the pinned one was not passed over.
    """

    ranked: Iterable[Entry]
    declaring: tuple[RefusedDelivery, ...]
    others: Others
    here: Counter[str]
    pinned: str | None
    aside: tuple[RefusedDelivery, ...]

    @cached_property
    def unpassed(self) -> Refusals:
        """All refusals when the first candidate answers, made once."""
        return Refusals((*self.aside, *self.declaring), self.others)


class Selector:
    """Chooses among one snapshot's contents, and remembers what it chose. Safe between threads."""

    def __init__(self, contents: Contents, rules: Rules) -> None:
        self.contents = contents
        self._rules = rules
        self.choices: dict[tuple[str, Variables], Choice] = {}
        self._firsts: dict[str, Mapping[str | None, Firsts]] = {}

    def choose(self, area: str, variables: Variables = None) -> Choice:
        """Split the deliveries into ranked candidates and refusals."""
        choice = self.choices.get((area, variables))
        if choice is None:
            choice = self._choose(area, variables)
            if len(self.choices) >= CHOICES_KEPT:  # whoever asks chooses the key
                self.choices.clear()
            self.choices[area, variables] = choice
        return choice

    def ranked(self, area: str, variables: Variables = None) -> Iterator[Entry]:
        """Yield the candidates, the best first, and remember nothing: for lists of all areas."""
        candidates = (
            each
            for each in self.contents.declaring.get(area, ())
            if each.live and self._rules.check(each, area, variables) is None
        )
        return self._in_order(area, variables, candidates)

    def firsts(self, area: str) -> Mapping[str | None, Firsts]:
        """Return who ranks first, by variable; under None, when everything is asked for."""
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
        """Make the selector of other contents, which has chosen what was asked of this one.

        An area of which nothing has changed keeps its ranking; the others are ranked anew.
        """
        before, made = self.contents, Selector(contents, self._rules)
        for (area, variables), known in tuple(self.choices.items())[-CHOICES_PREPARED:]:
            same = before.declaring.get(area) == contents.declaring.get(area)
            if same and before.pinned(area) == contents.pinned(area):
                others = _others(area, known.here, contents)
                made.choices[area, variables] = replace(known, others=others)
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
        here = count_undeclared(entries)
        return Choice(
            ranked=_Remembered(self._in_order(area, variables, candidates)),
            declaring=(
                *(refused(each, why.code, why.reason) for each, why in checked if why is not None),
                *(refused(each, each.code, each.reason) for each in entries if not each.live),
            ),
            others=_others(area, here, self.contents),
            here=here,
            pinned=pinned,
            aside=tuple(
                refused(each, Code.OVERRIDDEN, overridden)
                for each in candidates
                if is_pinned and each.delivery_id != pinned
            ),
        )

    def _in_order(
        self, area: str, variables: Variables, candidates: Iterable[Entry]
    ) -> Iterator[Entry]:
        """Yield the one that the area is pinned to, if it is a candidate, and rank the others."""
        pinned = self.contents.pinned(area)
        first: list[Entry] = []
        rest: list[Entry] = []
        for each in candidates:
            (first if each.delivery_id == pinned else rest).append(each)
        return chain(first, rank(rest, area, variables))

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
    """The selectors of the contents that are shown and of those before them, under the same rules.

    For other contents a new one is made whenever it is asked for.
    """

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
        """Choose of contents that are about to be shown what was asked of those before."""
        shown = self.of(before)
        self._kept = (shown, shown.successor(contents))


class _Remembered:
    """Iterates over what an iterator yields, as often as it is asked to; safe between threads."""

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


def _others(area: str, here: Counter[str], contents: Contents) -> Others:
    """What refuses because it does not declare the area; `here` counts what does."""
    return Others(counts=contents.counts - here, told=lambda: _tell_others(area, contents))


def _tell_others(area: str, contents: Contents) -> Iterator[RefusedDelivery]:
    for entry in contents.live:
        if area not in entry.areas:
            reason = f"it declares {_some(entry.areas)}, and not {area}"
            yield refused(entry, Code.AREA_NOT_DECLARED, reason)
    for entry in contents.not_live:
        if area not in entry.areas:
            yield refused(entry, entry.code, entry.reason)


def _some(areas: Sequence[str]) -> str:
    """The first of them, and how many more: an answer repeats it for every delivery it lists."""
    more = len(areas) - AREAS_TOLD
    return ", ".join(areas[:AREAS_TOLD]) + (f" and {more} more" if more > 0 else "")


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
