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
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import AgeScore, Evaluation, Score, evaluate
from fairweather_research.recipes.blueprint import InputPlan

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
    day = min(windows.plan.steps_a_day, windows.plan.leads)
    held_out = windows.reaching(Part.HELD_OUT, day)
    for age in windows.plan.measured_ages:
        if not len(some := _sample(windows, held_out & _admitted(windows, age))):
            continue
        forecast, quantiles = predict(some, age)
        first = replace(some, plan=replace(some.plan, leads=day))
        band = None if quantiles is None else quantiles[..., :day]
        for one in evaluate(first, forecast[..., :day], band, age):
            score = AgeScore(
                **one.model_dump(include=set(Score.model_fields)),
                age=age,
                inside=one.coverage and one.coverage.whole.inside,
            )
            found.setdefault((one.area, one.variable), []).append(score)
    return tuple(
        one.model_copy(update={"ages": tuple(found.get((one.area, one.variable), ()))})
        for one in evaluations
    )


def greatest_age(evaluations: Sequence[Evaluation]) -> timedelta | None:
    """Return the greatest age up to which every series' band holds what it declares on day 1.

    It may hold up to 5 percentage points less. None where no age does, or where there is no band.
    """
    held = None
    for age in sorted({each.age for one in evaluations for each in one.ages}):
        for one in evaluations:
            inside = next((each.inside for each in one.ages if each.age == age), None)
            if inside is None or not one.coverage or inside < one.coverage.declared - _SLACK:
                return held
        held = age
    return held


def lose_newest(
    inputs: Mapping[str, npt.NDArray[np.float32]], plans: Sequence[InputPlan], age: timedelta
) -> None:
    """Make NaN, in place, what each window of shape [rows, samples] holds newer than the age."""
    for plan in plans:
        inputs[plan.name][:, plan.samples - age // plan.sample_rate :] = np.nan


def _admitted(windows: WindowSet, age: timedelta) -> npt.NDArray[np.bool_]:
    """Return which windows are still served, and exactly so old, without their newest values."""
    fit = np.ones(len(windows), dtype=np.bool_)
    for (number, area), series in windows.sources.items():
        plan, rows = windows.plan.inputs[number], windows.area == area
        late = age // plan.sample_rate
        newest = windows.reference[rows] - late * series.rate
        missing = plan.samples - series.present(newest, plan.samples - late)
        fit[rows] &= series.present(newest, 1) == 1
        fit[rows] &= missing / plan.samples <= plan.max_missing
    return fit


def _sample(windows: WindowSet, use: npt.NDArray[np.bool_]) -> WindowSet:
    chosen = []
    for number in range(len(windows.plan.areas)):
        rows = np.flatnonzero(use & (windows.area == number))
        if len(rows) >= windows.a_day:
            drawn = np.random.default_rng(0).permutation(rows)[:_MOST]
            chosen.append(np.sort(drawn))
    return windows.rows(np.concatenate([np.zeros(0, dtype=np.int64), *chosen]))
