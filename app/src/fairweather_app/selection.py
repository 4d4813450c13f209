"""Selection: which models may answer for an area, the best first, and why each other may not.

`find_best_model` is pure: the same snapshot, settings and request give the same answer. It looks
at what deliveries declare and at what the operator decided, and at nothing else; the request path
(`forecasts`) then walks the candidates, holds each against observations and season, and takes the
first that is fit. A nearby city is never a substitute.

A pinned delivery goes before the ranking, and never instead of it: while it answers the others are
refused as overridden; where it may not answer, or refuses, the ranking goes on as if there were no
pin. So no pin can leave an area without an answer.

Of one snapshot a choice is made once for each area and set of variables, from the deliveries that
declare the area alone: its cost does not grow with those that do not. What was asked of one
snapshot is chosen for the next before that one is shown (`prepare`): no request pays for it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from fairweather_interface.refusals import Code, Refusal

from fairweather_app.api.schemas import RefusedDelivery
from fairweather_app.app_context import AppContext
from fairweather_app.entries import Declared, Entry
from fairweather_app.errors import LoadError
from fairweather_app.ranking import rank
from fairweather_app.refusals import Others, Refusals
from fairweather_app.runtime_model import RuntimeModel
from fairweather_app.snapshot import Contents, Snapshot, count_elsewhere

CHOICES_KEPT = 10_000
CHOICES_PREPARED = 1000
AREAS_TOLD = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Who may answer, and who may not.

    `aside` are the candidates that a pin keeps from answering, unless the `pinned` one was passed
    over; they are refused as long as it was not.

    `candidates` yields, lazily and once, the models that may, the best first; one that can no
    longer be opened is passed over and noted in `lost`. `declaring` are the refusals of
    deliveries that declare the area, `others` those of all the rest: together with the candidates
    every delivery of the snapshot, each exactly once. `unpassed` are both, made once: all refusals
    of a request that the first candidate answers.
    """

    candidates: Iterator[RuntimeModel]
    declaring: tuple[RefusedDelivery, ...]
    others: Others
    unpassed: Refusals
    pinned: str | None = None
    aside: tuple[RefusedDelivery, ...] = ()
    lost: list[RefusedDelivery] = field(default_factory=list)

    def refusals(self, passed_over: Sequence[RefusedDelivery]) -> Refusals:
        """All refusals: candidates first, then what else declares the area, then the rest."""
        if not passed_over and not self.lost:
            return self.unpassed
        tried = (*passed_over, *self.lost)
        fell_back = any(each.delivery_id == self.pinned for each in tried) if self.aside else True
        return Refusals((*tried, *(() if fell_back else self.aside), *self.declaring), self.others)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """What a selection says whenever it is made of the same contents."""

    ranked: _Ranked
    declaring: tuple[RefusedDelivery, ...]
    others: Others
    here: Counter[str]
    pinned: str | None
    aside: tuple[RefusedDelivery, ...]

    @cached_property
    def unpassed(self) -> Refusals:
        """All refusals when the first candidate answers."""
        return Refusals((*self.aside, *self.declaring), self.others)


class _Ranked:
    """A ranking that goes on when somebody asks for more, and remembers; safe between threads."""

    def __init__(self, ranking: Iterator[Entry]) -> None:
        self._found: list[Entry] = []
        self._ranking = ranking
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Entry]:
        position = 0
        while True:
            if position == len(self._found):
                with self._lock:
                    if position == len(self._found):
                        further = next(self._ranking, None)
                        if further is None:
                            return
                        self._found.append(further)
            yield self._found[position]
            position += 1


def find_best_model(
    area: str,
    app_context: AppContext,
    *,
    variables: tuple[str, ...] | None = None,
    snapshot: Snapshot | None = None,
) -> Selection:
    """Split the deliveries of a snapshot into ranked candidates and refusals.

    Args:
        area: what the forecast is for.
        app_context: its settings and overrides count.
        variables: what is wanted; None asks for as many as there are.
        snapshot: the catalogue's current one, if not given.
    """
    contents = (app_context.catalogue.snapshot if snapshot is None else snapshot).contents
    key = (area, variables, id(app_context))
    choice: _Choice | None = contents.choices.get(key)
    if choice is None:
        choice = _choose(area, app_context, variables, contents)
        if len(contents.choices) >= CHOICES_KEPT:  # whoever asks chooses the key
            contents.choices.clear()
        contents.choices[key] = choice
    lost: list[RefusedDelivery] = []
    return Selection(
        candidates=_models(choice.ranked, app_context, lost),
        declaring=choice.declaring,
        others=choice.others,
        unpassed=choice.unpassed,
        pinned=choice.pinned,
        aside=choice.aside,
        lost=lost,
    )


def prepare(app_context: AppContext, before: Contents, contents: Contents) -> None:
    """Choose of contents that are about to be shown what was asked of those before.

    An area of which nothing has changed keeps its ranking; the others are ranked anew.
    """
    asked = [key for key in tuple(before.choices) if key[2] == id(app_context)]
    for key in asked[-CHOICES_PREPARED:]:
        area, variables, _ = key
        known: _Choice | None = before.choices.get(key)
        same = before.declaring.get(area) == contents.declaring.get(area)
        if known is not None and same and before.pinned(area) == contents.pinned(area):
            choice = replace(known, others=_others(area, known.here, contents))
        else:
            choice = _choose(area, app_context, variables, contents)
            next(iter(choice.ranked), None)
        contents.choices[key] = choice


def _choose(
    area: str, app_context: AppContext, variables: tuple[str, ...] | None, contents: Contents
) -> _Choice:
    candidates: list[Entry] = []
    declaring: list[RefusedDelivery] = []
    not_live: list[RefusedDelivery] = []
    entries = contents.declaring.get(area, ())
    for entry in entries:
        if not entry.live:
            not_live.append(refused_entry(entry))
            continue
        refusal = check_declared(entry, area, app_context, variables)
        if refusal is None:
            candidates.append(entry)
        else:
            declaring.append(_refused(entry, refusal))
    pinned = contents.pinned(area)
    first, rest = _part(candidates, pinned)
    overridden = Refusal(code=Code.OVERRIDDEN, reason=f"the operator pinned {area} to {pinned}")
    here = count_elsewhere(entries)
    return _Choice(
        ranked=_Ranked(chain(first, rank(rest, area, variables))),
        declaring=(*declaring, *not_live),
        others=_others(area, here, contents),
        here=here,
        pinned=pinned,
        aside=tuple(_refused(each, overridden) for each in rest) if first else (),
    )


def ranked_entries(
    area: str,
    app_context: AppContext,
    variables: tuple[str, ...] | None,
    contents: Contents,
) -> Iterator[Entry]:
    """The deliveries that `find_best_model` would try for an area, in its order.

    Opens no model and keeps nothing: for those who list who answers where.
    """
    candidates = (
        entry
        for entry in contents.declaring.get(area, ())
        if entry.live and check_declared(entry, area, app_context, variables) is None
    )
    first, rest = _part(candidates, contents.pinned(area))
    return chain(first, rank(rest, area, variables))


def _part(candidates: Iterable[Entry], pinned: str | None) -> tuple[list[Entry], list[Entry]]:
    """The candidate that the area is pinned to, if it is one, and the others."""
    first: list[Entry] = []
    rest: list[Entry] = []
    for each in candidates:
        (first if each.delivery_id == pinned else rest).append(each)
    return first, rest


def _others(area: str, here: Counter[str], contents: Contents) -> Others:
    """What refuses because it does not declare the area; `here` counts what does."""
    return Others(counts=contents.counts - here, told=lambda: _tell_others(area, contents))


def _tell_others(area: str, contents: Contents) -> Iterator[RefusedDelivery]:
    for entry in contents.live:
        if area not in entry.areas:
            reason = f"it declares {_some(entry.areas)}, and not {area}"
            yield _refused(entry, Refusal(code=Code.AREA_NOT_DECLARED, reason=reason))
    for entry in contents.not_live:
        if area not in entry.areas:
            yield refused_entry(entry)


def _some(areas: Sequence[str]) -> str:
    """The first of them, and how many more: an answer repeats it for every delivery it lists."""
    more = len(areas) - AREAS_TOLD
    return ", ".join(areas[:AREAS_TOLD]) + (f" and {more} more" if more > 0 else "")


def _models(
    ranked: Iterable[Entry], app_context: AppContext, lost: list[RefusedDelivery]
) -> Iterator[RuntimeModel]:
    for entry in ranked:
        try:
            yield app_context.catalogue.model(entry)
        except LoadError as error:
            logger.warning("delivery %s cannot be opened: %s", entry.delivery_id, error)
            lost.append(_refused(entry, Refusal(code=error.code, reason=str(error))))


def check_declared(
    entry: Entry, area: str, app_context: AppContext, variables: tuple[str, ...] | None
) -> Refusal | None:
    """Why a live delivery that declares the area may not answer.

    From what it declares, and from what the operator narrowed.
    """
    overridden = app_context.overrides.check(entry, area)
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
    if app_context.settings.refuse_below_baseline:
        return _check_skill(declared, area, answered)
    return None


def may_answer(app_context: AppContext, entry: Entry, area: str) -> bool:
    """Whether a live delivery may answer for an area that it declares, if only some variable."""
    return held_back(app_context, entry, area) is None


def held_back(app_context: AppContext, entry: Entry, area: str) -> Refusal | None:
    """Why a live delivery may answer nothing for an area; None where it may answer something."""
    refusal = check_declared(entry, area, app_context, None)
    declared = entry.declared
    if refusal is None or declared is None:
        return refusal
    for name in declared.variables:
        if check_declared(entry, area, app_context, (name,)) is None:
            return None
    return refusal


def refused(model: RuntimeModel, refusal: Refusal) -> RefusedDelivery:
    """A refusal of a model that was asked, as answers list it."""
    return RefusedDelivery(
        delivery_id=model.delivery_id,
        model_type=model.metadata.model_type,
        code=refusal.code.value,
        reason=refusal.reason,
    )


def refused_entry(entry: Entry) -> RefusedDelivery:
    """The refusal of a delivery that is not live, as answers list it."""
    return RefusedDelivery(
        delivery_id=entry.delivery_id,
        model_type=entry.model_type,
        code=str(entry.code),
        reason=str(entry.reason),
    )


def _refused(entry: Entry, refusal: Refusal) -> RefusedDelivery:
    return RefusedDelivery(
        delivery_id=entry.delivery_id,
        model_type=entry.model_type,
        code=refusal.code.value,
        reason=refusal.reason,
    )


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
