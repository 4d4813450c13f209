"""Trials: who stands one, which forecasts are compared, and what becomes of it.

Every worker runs the same steps over the same rows, so all decide alike; of what several decide at
once the first is written (`rollout.store`), and the others follow it with the operator's decisions.
The evidence is looked at once a day of forecasts and area: looking more often would make more of
them lucky once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.common.times import from_microseconds, to_microseconds
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.live_scores import DAY, SeriesErrors, find_errors
from fairweather_app.forecasting.ranking import rank
from fairweather_app.rollout.evidence import Comparison, Series, compare
from fairweather_app.rollout.trials import TIERS, UNTRIED, Change, State, decide_trial

MOST_TRIALS = 5
"""So many deliveries stand a trial for one area at once; the best by rank first."""

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def watched_areas(app_context: AppContext, contents: Contents) -> Mapping[str, Sequence[str]]:
    """Return, by area, the deliveries whose forecasts are compared there and made every hour.

    Those are the shadows and the trials with all that rank first, and, where one may be demoted,
    what was promoted with the one that it replaced.
    """
    found: dict[str, set[str]] = {}
    for name in app_context.settings.shadow:
        for area in contents.entries[name].areas if name in contents.entries else ():
            found.setdefault(area, set()).add(name)
    demote = app_context.catalogue.decisions.rollout.policy.demote
    for area, changes in contents.rollout.changes.items() if contents.rollout.began else ():
        for each in changes.values():
            if each.state is State.TRIAL:
                found.setdefault(area, set()).add(each.delivery_id)
            elif demote and each.state is State.PROMOTED and each.incumbent:
                found.setdefault(area, set()).update((each.delivery_id, each.incumbent))
    for area, names in found.items():
        firsts = app_context.selectors.of(contents).firsts(area)
        names.update(each.delivery_id for by_month in firsts.values() for each in by_month if each)
    return {area: sorted(names) for area, names in sorted(found.items())}


class TrialRunner:
    """Moves deliveries from state to state, in the background of one process."""

    def __init__(self, app_context: AppContext) -> None:
        self._context = app_context
        self._store = app_context.catalogue.decisions.rollout
        self._contents: Contents | None = None
        self._looked: dict[str, int] = {}

    def run(self) -> None:
        """Begin the rollout, let newcomers enter trials, and decide those that are due."""
        snapshot = self._context.catalogue.snapshot
        if snapshot.checked_at is None or snapshot.not_ready is not None:
            return
        contents = snapshot.contents
        if contents is not self._contents:
            if contents.rollout.began:
                for change in self._entering(contents):
                    self._write(change, contents)
            else:
                live = contents.live
                self._store.begin((each.delivery_id, str(each.digest)) for each in live)
            self._contents = contents
        for area, newest in list(self._context.live.log.newest.items()):
            if self._looked.get(area) != newest // DAY:
                self._look(contents, area)
                self._looked[area] = newest // DAY

    def _entering(self, contents: Contents) -> Iterator[Change]:
        """Yield who enters a trial, and who answers at once because nothing else does."""
        tier, may_answer = contents.rollout.tier, self._context.selectors.rules.may_answer
        due = {TIERS[State.ALONE], UNTRIED}
        for area, declaring in contents.declaring.items():
            live = [each for each in declaring if each.live]
            if any(tier(each.digest, area) in due for each in live):
                here = [each for each in live if may_answer(each, area)]
                undecided = [each for each in here if tier(each.digest, area) in due]
                others = [each for each in here if tier(each.digest, area) < UNTRIED]
                yield from self._entering_area(contents, area, undecided, others)

    def _entering_area(
        self, contents: Contents, area: str, undecided: Sequence[Entry], others: Sequence[Entry]
    ) -> Iterator[Change]:
        rollout = contents.rollout
        states = {each: _state(contents, each, area) for each in (*undecided, *others)}
        room = MOST_TRIALS - sum(state is State.TRIAL for state in states.values())
        for each in rank(undecided, area, None) if undecided else ():
            alone = states[each] is State.ALONE
            rivals = [
                other
                for other in others
                if other is not each
                and not (alone and states[other] is State.ALONE)
                and set(other.variables) & set(each.variables)
                and _months(other) & _months(each)
            ]
            if not rivals:
                if not alone:
                    reason = "no other delivery forecasts its variables for its months"
                    yield _change(each, area, State.ALONE, reason)
                    return  # of several, the next one has this one to be compared with
            elif states[each] is not State.TRIAL and room > 0:
                better = rollout.better(area)
                for names in (None, *((name,) for name in each.variables)):
                    first, second, *_ = rank([each, *rivals], area, names, better)
                    if first is each:
                        room -= 1
                        reason = f"it would rank before {second.delivery_id}"
                        since = to_microseconds(self._context.live.hour(area))
                        yield _change(each, area, State.TRIAL, reason, since=since)
                        break

    def _look(self, contents: Contents, area: str) -> None:
        """Compare all that was forecast for an area, and decide its trials."""
        rollout = contents.rollout
        found = list(self._compare(contents, area))
        if found != [each for each in rollout.comparisons if each.area == area]:
            self._store.replace_comparisons(area, found)
        both = (*found, *map(Comparison.flipped, found))
        by_pair = {(each.delivery_id, each.other, each.variable): each for each in both}
        for change in rollout.changes.get(area, {}).values() if rollout.began else ():
            entry = contents.entries.get(change.delivery_id)
            if entry is None or not entry.live or entry.digest != change.digest:
                continue
            others = self._incumbents(contents, entry, change)
            pairs = [(entry.delivery_id, other, variable) for variable, other in others.items()]
            if pairs and all(pair in by_pair for pair in pairs):
                decided = decide_trial(change, [by_pair[pair] for pair in pairs])
                if decided is not None:
                    state, reason = decided
                    incumbent = change.incumbent or pairs[0][1]
                    more: dict[str, Any] = {"incumbent": incumbent, "since": change.since}
                    self._write(_change(entry, area, state, reason, **more), contents)

    def _incumbents(self, contents: Contents, entry: Entry, change: Change) -> dict[str, str]:
        """Return, by variable, which delivery a trial or a promoted one is compared with."""
        area, rollout = change.area, contents.rollout
        if change.state is State.PROMOTED and change.incumbent and self._store.policy.demote:
            other = contents.entries.get(change.incumbent)
            if other is None or not other.live or rollout.stands_back(other.digest, area):
                return {}
            return {name: change.incumbent for name in entry.variables if name in other.variables}
        if change.state is not State.TRIAL:
            return {}
        month = from_microseconds(self._context.live.log.newest[area]).month
        firsts = self._context.selectors.of(contents).firsts(area)
        ranked = {name: firsts[name][month - 1] for name in entry.variables if name in firsts}
        return {
            name: first.delivery_id
            for name, first in ranked.items()
            if first and first is not entry and not rollout.stands_back(first.digest, area)
        }

    def _compare(self, contents: Contents, area: str) -> Iterator[Comparison]:
        """Yield the comparisons of all pairs of live deliveries that forecast an area."""
        context, rollout = self._context, contents.rollout
        until = context.live.log.newest[area]
        by_variable: dict[str, list[tuple[str, Series]]] = {}
        for each in find_errors(context.live.log.read(area=area), context.observations.series):
            entry = contents.entries.get(each.delivery_id)
            if entry is not None and entry.live:
                change = rollout.change(entry.digest, area)
                series = _day_one(each, change.since if change else 0, until)
                by_variable.setdefault(each.variable, []).append((each.delivery_id, series))
        rule = self._store.policy.rule
        for variable, found in sorted(by_variable.items()):
            for own, other in combinations(sorted(found, key=lambda each: each[0]), 2):
                compared = compare(area, variable, own=own, other=other, rule=rule)
                if compared is not None:
                    yield compared

    def _write(self, change: Change, contents: Contents) -> None:
        if self._store.add([(change, contents.rollout.change(change.digest, change.area))]):
            announce(change)


def announce(change: Change) -> None:
    """Report a change of state that was written: to the log and the metrics."""
    from fairweather_app.api.metrics import ROLLOUT  # noqa: PLC0415 - see `request_log`

    ROLLOUT.labels(change.state).inc()
    level = logging.WARNING if change.state in {State.HELD, State.DEMOTED} else logging.INFO
    logger.log(level, "delivery %s for %s: %s", change.delivery_id, change.area, change)


def _change(entry: Entry, area: str, state: State, reason: str, **more: Any) -> Change:  # noqa: ANN401 - fields of a change
    name, digest = entry.delivery_id, str(entry.digest)
    return Change(delivery_id=name, digest=digest, area=area, state=state, reason=reason, **more)


def _state(contents: Contents, entry: Entry, area: str) -> State | None:
    change = contents.rollout.change(entry.digest, area)
    return change.state if change else None


def _months(entry: Entry) -> set[int]:
    return set(entry.declared.valid_months) if entry.declared else set()


def _day_one(found: SeriesErrors, since: int, until: int) -> Series:
    """Return the mean error on lead day 1 of forecasts whose day is over, where any is known."""
    errors = np.abs(found.errors[:, : DAY // found.step])
    counts = (~np.isnan(errors)).sum(axis=1)
    wanted = (found.starts >= since) & (found.starts + DAY <= until) & (counts > 0)
    means = np.nansum(errors[wanted], axis=1) / counts[wanted]
    return found.starts[wanted], means
