"""Examples: held-out windows that prove to a reader that it runs the model right.

Among them are windows at the edge of what was seen, reference times between those that were trained
at, and the cases in which converters and runtimes fail silently: missing values inside a window and
at its newest end, and windows out of domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from fairweather_interface.metadata import Bounds
from fairweather_interface.refusals import Code

from fairweather_research.dataset.branches import Switch
from fairweather_research.dataset.reference_times import local_month
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.recipes.blueprint import InputPlan

SERVE = "serve"

_REGULAR = 8
_CONSIDERED = 500  # windows looked at
_BEYOND = 25.0  # degC past a bound: further than any reader's margin
_UNDECIDED = 1e-3  # of the switch's unit: float32 tells no nearer, whoever computes

_Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"
_Edit: TypeAlias = "Callable[[_Arrays], None]"  # of one window of each input, in place


def choose_examples(
    windows: WindowSet,
    domain: Mapping[str, Bounds],
    switch: Switch | None = None,
    max_age: timedelta | None = None,
) -> _Arrays:
    """Choose examples from held-out windows; outputs are for the model to add.

    Where a window to serve goes beyond a bound, its values are cut at the bound, and values are put
    where too many are missing or the newest is older than ``max_age``: the edge of the domain
    itself is an example, and no reader may refuse it.

    Return ``input/<name>`` for every input of the signature, ``area``, ``reference_time`` and
    ``expect``, all with one row an example: eight spread over areas and time, every other one asked
    between two reference times that are trained at (without a switch), the windows of lowest
    and highest mean of the first input, one with as many missing values as are allowed and one that
    lacks as many of its newest (where any are) and, for every bound of temperature that real
    weather can pass and a bound on missing values that is stricter than the input's own, one beyond
    it. A window whose newest value is older than ``max_age`` is one to refuse. With a switch also,
    of every branch, the window nearest to another branch's, and one far from it; and no window so
    near to a threshold that rounding may decide, where its branch has others.
    """
    if switch is not None:
        windows = _decided(windows, switch)
    considered = np.zeros(len(windows), dtype=np.bool_)  # of any hour: no stride is one of a day
    considered[np.random.default_rng(0).permutation(len(windows))[:_CONSIDERED]] = True
    sides = np.zeros(len(windows), dtype=np.bool_) if switch is None else _sides(windows, switch)
    near = np.flatnonzero(sides[considered | sides]).tolist()
    windows = windows.rows(considered | sides)
    plans = windows.plan.inputs
    bounds = {plan.name: domain.get(plan.name, Bounds()) for plan in plans}
    level, lost = np.empty(len(windows)), np.zeros(len(windows))
    for place, batch in windows.batches():
        shown = batch.inputs()
        level[place] = np.nanmean(shown[plans[0].name], axis=1)
        lost[place] = sum(np.isnan(window).mean(axis=1) for window in shown.values())
    spread = np.linspace(0, len(windows) - 1, _REGULAR).round().astype(np.int64)
    rows = [*spread.tolist(), int(level.argmin()), int(level.argmax()), *near]

    losses = {plan.name: _may_lack(plan, bounds[plan.name]) for plan in plans}
    late = {plan.name: _too_late(plan, max_age) for plan in plans}
    keep_newest = 1 in late.values()
    gaps: list[_Edit] = []
    if any(losses.values()):
        gaps.append(partial(_lack, losses, keep_newest=keep_newest))
    aged = {name: min(allowed, late[name] - 1) for name, allowed in losses.items()}
    if any(aged.values()):
        gaps.append(partial(_age, aged))
    if any(late[name] <= losses[name] for name in late):
        gaps.append(partial(_outdate, late, losses))
    refused = _refused(plans, bounds, keep_newest=keep_newest)
    expect = np.array([SERVE] * len(rows + gaps) + [str(Code.OUT_OF_DOMAIN)] * len(refused))
    edits = gaps + refused
    rows += [int(lost.argmin())] * len(edits)  # the most there is to lose

    windows = windows.rows(np.array(rows))
    chosen = windows.inputs()
    for plan in plans:
        for window in chosen[plan.name]:
            _fill(window, losses[plan.name], late[plan.name])
        least, most = _inside(bounds[plan.name])
        chosen[plan.name] = np.clip(chosen[plan.name], least, most)
    for row, edit in enumerate(edits, start=len(rows) - len(edits)):
        edit({name: values[row] for name, values in chosen.items()})
    newest = [np.isnan(chosen[name][:, -count:]).all(axis=1) for name, count in late.items()]
    expect = np.where(np.any(newest, axis=0), str(Code.OBSERVATIONS_STALE), expect)

    reference = windows.reference.copy()
    if switch is None:  # as of a later time a window might be of another branch
        _ask_later(reference[1:_REGULAR:2], windows.rows(np.arange(1, _REGULAR, 2)))
    names = np.array(list(windows.plan.areas))
    return {
        **{f"input/{name}": values for name, values in chosen.items()},
        "input/reference_time": reference,
        "input/area_index": windows.area,
        "area": names[windows.area],
        "reference_time": reference,
        "expect": expect,
    }


def _ask_later(reference: npt.NDArray[np.int64], windows: WindowSet) -> None:
    """Move reference times, in place, between two that are trained at, within their month."""
    later = (int(windows.delay.max()) + windows.plan.reference_seconds) // 2
    zones = [area.timezone for area in windows.plan.areas.values()]
    for row, number in enumerate(windows.area.tolist()):
        both = local_month(reference[row] + np.array([0, later]), zones[number])
        reference[row] += later * (both[0] == both[1])


def _decided(windows: WindowSet, switch: Switch) -> WindowSet:
    """Return the windows that every runtime finds on the same side of the switch.

    For others, a reader on another machine might run the other network and call the delivery
    broken. A branch without such windows keeps all it has.
    """
    branch, decided = switch.of(windows), switch.distance(windows) > _UNDECIDED
    for number in range(switch.branches):
        decided[branch == number] |= not decided[branch == number].any()
    return windows.rows(decided)


def _sides(windows: WindowSet, switch: Switch) -> npt.NDArray[np.bool_]:
    """Mark the windows nearest to, and furthest from, those of another branch."""
    branch, distance = switch.of(windows), switch.distance(windows)
    chosen = np.zeros(len(windows), dtype=np.bool_)
    for number in range(switch.branches):
        rows = np.flatnonzero((branch == number) & (distance > _UNDECIDED))
        if len(rows):
            chosen[rows[[distance[rows].argmin(), distance[rows].argmax()]]] = True
    return chosen


def _refused(
    plans: tuple[InputPlan, ...], bounds: Mapping[str, Bounds], *, keep_newest: bool
) -> list[_Edit]:
    """Return what makes a window out of domain: each goes beyond bounds of one kind alone."""
    edits: list[_Edit] = []
    for bound, by in (("maximum", _BEYOND), ("minimum", -_BEYOND)):
        edges = {
            plan: edge
            for plan in plans
            if plan.variable == "temperature"
            and (edge := getattr(bounds[plan.name], bound)) is not None
            and plan.minimum < edge < plan.maximum
        }
        if edges:
            edits.append(partial(_move, edges, by))
    gaps = {
        plan.name: allowed
        for plan in plans
        if (allowed := _may_lack(plan, Bounds())) > _may_lack(plan, bounds[plan.name])
    }
    return [*edits, partial(_lack, gaps, keep_newest=keep_newest)] if gaps else edits


def _move(edges: Mapping[InputPlan, float], by: float, windows: _Arrays) -> None:
    """Move windows as they are until they go beyond their edge by so much.

    They stay real: no reader takes a value that cannot be.
    """
    for plan, edge in edges.items():
        name = plan.name
        furthest = np.nanmax(windows[name]) if by > 0 else np.nanmin(windows[name])
        moved = windows[name] + (edge + by - furthest)
        windows[name][:] = np.clip(moved, np.float32(plan.minimum), np.float32(plan.maximum))


def _outdate(late: Mapping[str, int], allowed: Mapping[str, int], windows: _Arrays) -> None:
    """Lose so many of the newest values of each window, where it may lack as many."""
    for name, count in late.items():
        if count <= allowed[name]:
            windows[name][-count:] = np.nan
            _fill(windows[name], allowed[name])


def _lack(missing: Mapping[str, int], windows: _Arrays, *, keep_newest: bool = False) -> None:
    """Lose so many values of each window: the newest one, and a stretch in the middle.

    The newest one is kept where its age alone would be a reason to refuse.
    """
    for name, allowed in missing.items():
        window = windows[name]
        newest = [] if keep_newest else [len(window) - 1]
        places = np.array([*newest, *range(len(window) // 2, len(window) - 1)])
        there = places[~np.isnan(window[places])]
        window[there[: max(allowed - int(np.isnan(window).sum()), 0)]] = np.nan


def _age(missing: Mapping[str, int], windows: _Arrays) -> None:
    """Lose the newest values of each window, so many that no more may be missing."""
    for name, allowed in missing.items():
        window = windows[name]
        there = np.flatnonzero(~np.isnan(window))
        window[there[len(there) - max(allowed - int(np.isnan(window).sum()), 0) :]] = np.nan


def _may_lack(plan: InputPlan, bounds: Bounds) -> int:
    """Return how many values of a window may be missing, by the input's law and the bound's.

    It is the largest number for which ``number / samples <= share`` holds, in floating point.
    """
    share = plan.max_missing
    if bounds.max_missing is not None:
        share = min(share, bounds.max_missing)
    near = int(share * plan.samples)
    return near + ((near + 1) / plan.samples <= share)


def _inside(bounds: Bounds) -> tuple[np.float32, np.float32]:
    """Return the float32 nearest to the bounds from inside; windows are float32, bounds are not.

    They are compared as Python floats: NumPy would round the bound to float32 first.
    """
    edges = (
        -np.inf if bounds.minimum is None else bounds.minimum,
        np.inf if bounds.maximum is None else bounds.maximum,
    )
    least, most = np.float32(edges[0]), np.float32(edges[1])
    if float(least) < edges[0]:
        least = np.nextafter(least, np.float32(np.inf))
    if float(most) > edges[1]:
        most = np.nextafter(most, np.float32(-np.inf))
    return least, most


def _too_late(plan: InputPlan, max_age: timedelta | None) -> int:
    """Return how many of the newest values must be missing for a window to be too old."""
    late = plan.samples if max_age is None else max_age // plan.sample_rate + 1
    return min(late, plan.samples)


def _fill(window: npt.NDArray[np.float32], allowed: int, late: int | None = None) -> None:
    """Put the mean where more values are missing than are allowed, the oldest first.

    Also at the oldest of the ``late`` newest values, where all of them are missing.
    """
    if late is not None and np.isnan(window[-late:]).all():
        window[-late] = np.nanmean(window)
    missing = np.flatnonzero(np.isnan(window))
    window[missing[: max(len(missing) - allowed, 0)]] = np.nanmean(window)
