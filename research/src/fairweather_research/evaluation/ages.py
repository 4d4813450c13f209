"""Scores of day 1 where the newest observations are missing, by the age of the newest value.

Held-out windows lose the newest values of all their inputs, and the model forecasts again. Only
windows that software would still serve are taken: the value of that age is present in every input,
and no input lacks more than its ``max_missing``. They are at most 300 of each area, drawn with a
fixed seed, for each age anew. A baseline at an age is its forecast from the time of the newest
value, so it knows no more than the model does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import BASELINES, AgeScore, Evaluation, score
from fairweather_research.recipes.blueprint import InputPlan

__all__ = ["evaluate_ages", "greatest_age", "lose_newest"]

_MOST = 300  # windows of an area for each age
_SLACK = 0.05  # below the declared share that a band may hold at an age

_Predict: TypeAlias = Callable[
    [WindowSet, timedelta], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]
]


def evaluate_ages(
    evaluations: Sequence[Evaluation], windows: WindowSet, predict: _Predict
) -> tuple[Evaluation, ...]:
    """Return the evaluations with the scores of day 1 by age.

    An age with fewer than a day of windows at an area is left out there.

    Args:
        evaluations: of the windows.
        windows: with held-out targets, of all areas.
        predict: returns the forecast of windows whose newest values of such an age are the newest
            there are, and their quantiles, in the shapes of ``evaluate``.
    """
    found: dict[tuple[str, str], list[AgeScore]] = {}
    held_out = (windows.parts()[:, : windows.plan.steps_a_day] == Part.HELD_OUT).any(axis=1)
    for age in windows.plan.measured_ages:
        some = _sample(windows, held_out & _served(windows, age))
        if not len(some):
            continue
        forecast, quantiles = predict(some, age)
        for number, area in enumerate(windows.plan.areas):
            rows = some.area == number
            if rows.any():
                band = None if quantiles is None else quantiles[:, rows]
                scores = _scores(some.rows(rows), forecast[rows], band, age)
                for variable, each in scores.items():
                    found.setdefault((area, variable), []).append(each)
    return tuple(
        one.model_copy(update={"ages": tuple(found.get((one.area, one.variable), ()))})
        for one in evaluations
    )


def greatest_age(evaluations: Sequence[Evaluation], declared: float) -> timedelta | None:
    """Return the greatest age up to which every series' band holds what it declares on day 1.

    It may hold up to 5 percentage points less than the ``declared`` share. None where no age does.
    """
    held = None
    by_age = [{each.age: each.inside for each in one.ages} for one in evaluations]
    for age in sorted(set().union(*by_age)):
        inside = [ages.get(age) for ages in by_age]
        if any(share is None or share < declared - _SLACK for share in inside):
            break
        held = age
    return held


def lose_newest(
    inputs: Mapping[str, npt.NDArray[np.float32]], plans: Sequence[InputPlan], age: timedelta
) -> None:
    """Make NaN, in place, what each window of shape [rows, samples] holds newer than the age."""
    for plan in plans:
        inputs[plan.name][:, plan.samples - age // plan.sample_rate :] = np.nan


def _served(windows: WindowSet, age: timedelta) -> npt.NDArray[np.bool_]:
    """Return which windows are still served, and exactly so old, without their newest values."""
    fit = np.ones(len(windows), dtype=np.bool_)
    for (number, area), series in windows.sources.items():
        plan, rows = windows.plan.inputs[number], windows.area == area
        present = np.isfinite(series.value)
        number_before = np.r_[0, np.cumsum(present)]
        last = (windows.reference[rows] - series.start) // series.rate
        newest = last - age // plan.sample_rate
        first = np.maximum(last + 1 - plan.samples, 0)
        missing = plan.samples - (number_before[newest + 1] - number_before[first])
        fit[rows] &= (newest >= 0) & present[newest] & (missing / plan.samples <= plan.max_missing)
    return fit


def _sample(windows: WindowSet, use: npt.NDArray[np.bool_]) -> WindowSet:
    chosen = []
    for number in range(len(windows.plan.areas)):
        rows = np.flatnonzero(use & (windows.area == number))
        if len(rows) >= windows.plan.steps_a_day:
            drawn = np.random.default_rng(0).permutation(rows)[:_MOST]
            chosen.append(np.sort(drawn))
    return windows.rows(np.concatenate([np.zeros(0, dtype=np.int64), *chosen]))


def _scores(
    windows: WindowSet,
    forecast: npt.NDArray[np.float64],
    quantiles: npt.NDArray[np.float64] | None,
    age: timedelta,
) -> dict[str, AgeScore]:
    """Return the score of each variable on day 1; those with no point to compare are left out."""
    plan = windows.plan
    day, late = slice(0, min(plan.steps_a_day, plan.leads)), age // plan.step
    then = replace(
        windows,
        plan=replace(plan, leads=day.stop + late),
        reference=windows.reference - late * plan.step_seconds,
    )
    truth = windows.targets()[:, :, day]
    baselines = {name: each.predict(then)[:, :, late:] for name, each in BASELINES.items()}
    held_out = windows.parts()[:, None, day] == Part.HELD_OUT
    points = held_out & np.isfinite(truth) & np.isfinite(forecast[:, :, day])
    for values in baselines.values():
        points &= np.isfinite(values)
    found: dict[str, AgeScore] = {}
    for output, item in enumerate(plan.outputs):
        here = points[:, output]
        if not here.any():
            continue
        observed = truth[:, output][here]
        fields: dict[str, Any] = score(
            forecast[:, output, day][here] - observed,
            {name: np.abs(each[:, output][here] - observed) for name, each in baselines.items()},
        )
        inside = None
        if quantiles is not None:
            low, high = (quantiles[edge, :, output, day][here] for edge in (0, -1))
            inside = float(((low <= observed) & (observed <= high)).mean())
        found[item.variable] = AgeScore(**fields, age=age, inside=inside)
    return found
