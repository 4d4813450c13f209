"""Evaluation: the errors of a forecast on held-out time, against ``BASELINES``.

A point counts when the observation, the forecast and all baselines are present, so that all are
evaluated on the same points. ``skill`` is the one definition of skill, for a lead day and for all
of them, with a 95 % interval from a block ``bootstrap``. Bands, where there are any, are evaluated
by ``coverage``, day 1 with late observations by ``ages``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import Part, Span
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.document import Duration, StrictModel
from fairweather_research.evaluation.bootstrap import block_numbers, interval
from fairweather_research.evaluation.coverage import Coverage, measure_coverage
from fairweather_research.recipes.blueprint import lead_days

_Floats: TypeAlias = npt.NDArray[np.float64]


def _persistence(windows: WindowSet) -> _Floats:
    repeats = -(-windows.plan.leads // windows.plan.steps_a_day)
    return np.tile(windows.last_day(), (1, 1, repeats))[:, :, : windows.plan.leads]


def _climatology(windows: WindowSet) -> _Floats:
    """Fit climatology on time that is not held out, and forecast it."""
    return windows.usual(windows.climatology(windows.truths)[0])


class Baseline(NamedTuple):
    """A forecast that needs no network, which a model has to beat."""

    label: str  # what it forecasts, for people
    method: str  # part of evaluation ids: a change of it changes all of them
    predict: Callable[[WindowSet], _Floats]  # [rows, outputs, leads]


#: Every baseline by its name, which metrics, logs, the card and the terminal write. Tables list the
#: last one first.
BASELINES: dict[str, Baseline] = {
    "persistence": Baseline("the last 24 hours, repeated", "last 24 hours repeated", _persistence),
    "climatology": Baseline(
        "what is usual at that hour on that day", "harmonics 1/3/2, ridge 1e-3", _climatology
    ),
}


class Score(StrictModel):
    """Errors of a model and, on the same points, of the baselines; in the variable's unit."""

    count: int
    mae: float
    rmse: float
    bias: float
    baselines: dict[str, float]  # name -> MAE
    baseline: str  # the better one on these points
    skill: float | None  # None where the better baseline is perfect


class DayScore(Score):
    """One lead day; 1 is the first 24 hours."""

    day: int


class AgeScore(Score):
    """Day 1 of forecasts whose newest observations are missing."""

    age: Duration  # of the newest value of every window
    inside: float | None  # share of the values inside the band; None without bands


class Trace(StrictModel):
    """One forecast beside the observations, of those held out and observed in full."""

    reference_time: int
    mae: float  # of this forecast alone
    among: int  # how many such forecasts it was chosen from
    time: tuple[int, ...]
    forecast: tuple[float, ...]
    observed: tuple[float, ...]
    climatology: tuple[float, ...]
    band: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # the outermost quantiles


class Evaluation(Score):
    """The scores of one variable at one area on held-out time; its skill is that of its days."""

    area: str
    variable: str
    unit: str
    skill_interval: tuple[float, float] | None
    evaluation_id: str
    held_out: tuple[Span, ...]
    days: tuple[DayScore, ...]
    ages: tuple[AgeScore, ...] = ()  # ascending
    trace: Trace | None  # the forecast of median error; None where none was observed in full
    worst: Trace | None = None  # the one of largest error
    coverage: Coverage | None = None  # None without bands


def skill(mae: _Floats, baselines: _Floats) -> _Floats:
    """Return 1 - mean of the MAE by lead day / mean of the better baseline's MAE of each day.

    Args:
        mae: of the model, shape [days, ...]; days without a value, NaN, do not count.
        baselines: of each baseline, shape [baselines, days, ...].

    Returns:
        Shape [...]; not finite where the better baseline is perfect on every day.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        better = np.nansum(baselines.min(axis=0), axis=0)
        return np.asarray(1.0 - np.nansum(mae, axis=0) / better)


def evaluate(
    windows: WindowSet,
    forecast: _Floats,
    quantiles: _Floats | None = None,
    age: timedelta = timedelta(0),
) -> tuple[Evaluation, ...]:
    """Evaluate forecasts in physical units, area by area.

    An area and variable without a held-out value to compare is left out.

    Args:
        windows: of the forecasts.
        forecast: shape [rows, outputs, leads].
        quantiles: of the plan's probabilities, shape [quantiles, rows, outputs, leads].
        age: of the newest observations that the baselines may know, whole steps.
    """
    truth, late = windows.targets(), age // windows.plan.step
    then = replace(
        windows,
        plan=replace(windows.plan, leads=windows.plan.leads + late),
        reference=windows.reference - late * windows.plan.step_seconds,
    )
    baselines = {name: each.predict(then)[:, :, late:] for name, each in BASELINES.items()}
    found = (
        _evaluate_one(
            windows.rows(rows),
            area,
            output,
            truth=truth[rows, output],
            forecast=forecast[rows, output],
            band=None if quantiles is None else quantiles[:, rows, output],
            baselines={name: values[rows, output] for name, values in baselines.items()},
        )
        for number, area in enumerate(windows.plan.areas)
        for rows in [windows.area == number]
        for output in range(len(windows.plan.outputs))
    )
    return tuple(one for one in found if one is not None)


def _evaluate_one(
    windows: WindowSet,
    area: str,
    output: int,
    *,
    truth: _Floats,
    forecast: _Floats,
    band: _Floats | None,
    baselines: Mapping[str, _Floats],
) -> Evaluation | None:
    points = (windows.parts() == Part.HELD_OUT) & np.isfinite(truth) & np.isfinite(forecast)
    for values in baselines.values():
        points &= np.isfinite(values)
    if not points.any():
        return None
    error = np.where(points, forecast - truth, np.nan)
    errors = np.where(points, np.abs(np.stack([*baselines.values()]) - truth), np.nan)
    times = windows.lead_times()
    spans = windows.split.held_out(int(times[points].min()), int(times[points].max()))
    days = lead_days(windows.plan.leads, windows.plan.steps_a_day)
    scores = tuple(
        DayScore(day=day, **_score(error[:, leads], errors[:, :, leads]))
        for day, leads in enumerate(days, start=1)
        if points[:, leads].any()
    )
    by_day = np.array([[day.mae, *day.baselines.values()] for day in scores]).T
    plan = windows.plan.outputs[output]
    typical, worst = _traces(
        windows, forecast=forecast, band=band, truth=truth, usual=baselines["climatology"]
    )
    return Evaluation(
        **_score(error, errors) | {"skill": _known(skill(by_day[0], by_day[1:]))},
        area=area,
        variable=plan.variable,
        unit=plan.unit,
        skill_interval=_skill_interval(error, errors, times, windows.plan.steps_a_day),
        coverage=None
        if band is None
        else measure_coverage(
            np.where(points, truth, np.nan),
            band,
            times,
            probabilities=windows.plan.probabilities,
            lead_days=days,
        ),
        evaluation_id=_evaluation_id(windows, output, points, truth, *baselines.values()),
        held_out=tuple(
            s for s in spans if ((times[points] > s.start) & (times[points] <= s.end)).any()
        ),
        days=scores,
        trace=typical,
        worst=worst,
    )


def _score(error: _Floats, errors: _Floats) -> dict[str, Any]:
    """Return the fields of a ``Score`` by name; its skill is that of a single day.

    Args:
        error: forecast minus observed, shape [rows, leads]; NaN where not evaluated.
        errors: the absolute errors of the baselines, shape [baselines, rows, leads].
    """
    mae = _mean(np.abs(error))
    baselines = dict(zip(BASELINES, map(_mean, errors), strict=True))
    better = min(reversed(baselines), key=baselines.__getitem__)
    return {
        "count": int(np.isfinite(error).sum()),
        "mae": mae,
        "rmse": float(np.sqrt(_mean(error**2))),
        "bias": _mean(error),
        "baselines": baselines,
        "baseline": better,
        "skill": _known(skill(np.array([mae]), np.array([[baselines[better]]]))),
    }


def _known(skill: _Floats) -> float | None:
    return float(skill) if np.isfinite(skill) else None


def _skill_interval(
    error: _Floats,
    errors: _Floats,
    times: npt.NDArray[np.int64],
    steps_a_day: int,
) -> tuple[float, float] | None:
    """Return the 95 % interval of the skill; which baseline is better is decided in each resample.

    The errors are those of ``_score``; times have shape [rows, leads].
    """
    points = np.isfinite(error)
    day = np.broadcast_to(np.arange(error.shape[1]) // steps_a_day, error.shape)[points]
    block = block_numbers(times[points])
    shape = (int(day.max()) + 1, int(block.max()) + 1)
    place = day * shape[1] + block
    weights = (np.ones(error.shape), np.abs(error), *errors)
    sums = [np.bincount(place, each[points], minlength=shape[0] * shape[1]) for each in weights]
    return interval(
        np.reshape(sums, (len(sums), *shape)),
        lambda drawn: skill(drawn[1] / drawn[0], drawn[2:] / drawn[0]),
    )


def _mean(values: _Floats) -> float:
    return float(np.nanmean(values))


def _evaluation_id(
    windows: WindowSet,
    output: int,
    points: npt.NDArray[np.bool_],
    *compared: _Floats,
) -> str:
    """Return a digest of the evaluated points: observations and the baselines' forecasts.

    Two models with the same id were evaluated on the same points against the same baselines, and
    their skill follows the same definition.
    """
    head = {
        "variable": windows.plan.outputs[output].variable,
        "step": windows.plan.step_seconds,
        "baselines": {name: baseline.method for name, baseline in BASELINES.items()},
        "skill": "against the better baseline of each day",
    }
    state = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    evaluated_rows = points.any(axis=1)
    state.update(windows.reference[evaluated_rows].astype("<i8").tobytes())
    for values in compared:
        exact = np.where(points, values, np.nan)[evaluated_rows]
        state.update(np.round(exact, 3).astype("<f4").tobytes())
    return f"sha256:{state.hexdigest()}"


def _traces(
    windows: WindowSet,
    *,
    forecast: _Floats,
    band: _Floats | None,
    truth: _Floats,
    usual: _Floats,
) -> tuple[Trace | None, Trace | None]:
    """Return the forecasts of median and of largest error among those held out as a whole.

    Where the horizon is longer than every held-out block, they are of those held out in part.
    """
    held_out = windows.parts() == Part.HELD_OUT
    complete = np.isfinite(truth).all(axis=1) & np.isfinite(forecast).all(axis=1)
    whole = complete & held_out.all(axis=1)
    rows = np.flatnonzero(whole if whole.any() else complete & held_out.any(axis=1))
    if not len(rows):
        return None, None
    errors = np.abs(forecast[rows] - truth[rows]).mean(axis=1)
    order = np.argsort(errors, kind="stable")

    def trace(place: int) -> Trace:
        row = rows[place]
        return Trace(
            reference_time=int(windows.reference[row]),
            mae=float(errors[place]),
            among=len(rows),
            time=tuple(windows.lead_times()[row].tolist()),
            forecast=tuple(forecast[row].tolist()),
            observed=tuple(truth[row].tolist()),
            climatology=tuple(usual[row].tolist()),
            band=None
            if band is None
            else (tuple(band[0, row].tolist()), tuple(band[-1, row].tolist())),
        )

    return trace(int(order[len(rows) // 2])), trace(int(order[-1]))
