"""Evaluation: how good a forecast is on time it has never seen, against the two honest baselines.

- **persistence**: the last 24 hours, repeated;
- **climatology**: what is usual at that hour on that day, fitted on time that is not held out.

A point counts when the observation, the forecast and both baselines are there, so that all are
judged on the same points. The better baseline is chosen for each area and variable by its MAE over
all leads; skill is 1 - MAE / MAE(that baseline), of the whole and of each lead day, with a 95 %
interval over resampled ``spells``. Bands, where there are any, are judged by their ``coverage``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairweather_research._parts import StrictModel
from fairweather_research.blueprint import lead_days
from fairweather_research.climatology import fit_climatology, terms
from fairweather_research.coverage import Coverage, cover
from fairweather_research.spells import share_interval
from fairweather_research.split import Part, Span

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research.dataset import WindowSet

__all__ = ["DayScore", "Judgement", "Trace", "judge"]

_BASELINES = {"persistence": "last 24 hours repeated", "climatology": "harmonics 1/3/2, ridge 1e-3"}


class DayScore(StrictModel):
    """One lead day (1 is the first 24 hours), in the variable's unit."""

    day: int
    count: int
    mae: float
    rmse: float
    bias: float
    persistence_mae: float
    climatology_mae: float
    skill: float | None


class Trace(StrictModel):
    """One forecast beside what came, of those held out and observed in full."""

    reference_time: int
    mae: float  # of this forecast alone
    among: int  # how many such forecasts it was chosen from
    time: tuple[int, ...]
    forecast: tuple[float, ...]
    observed: tuple[float, ...]
    climatology: tuple[float, ...]
    band: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # the outermost quantiles


class Judgement(StrictModel):
    """The forecasts of one variable at one area, judged on held-out time."""

    area: str
    variable: str
    unit: str
    count: int
    mae: float
    rmse: float
    bias: float
    persistence_mae: float
    climatology_mae: float
    baseline: Literal["persistence", "climatology"]  # the better of the two
    skill: float | None  # None where the baseline is perfect
    skill_interval: tuple[float, float] | None
    evaluation_id: str
    held_out: tuple[Span, ...]
    days: tuple[DayScore, ...]
    trace: Trace | None  # the forecast of median error; None where none was observed in full
    worst: Trace | None = None  # the one of largest error
    coverage: Coverage | None = None  # None without bands


def judge(
    windows: WindowSet,
    forecast: npt.NDArray[np.float64],
    quantiles: npt.NDArray[np.float64] | None = None,
) -> tuple[Judgement, ...]:
    """Judge forecasts in physical units, area by area.

    Every area and variable must have held-out observations; ``WindowSet.choose`` sees to it.

    Args:
        windows: what was forecast.
        forecast: shape [rows, outputs, leads].
        quantiles: of the plan's probabilities, shape [quantiles, rows, outputs, leads].
    """
    truth = windows.targets()
    usual = _climatology(windows)
    repeats = -(-windows.plan.leads // windows.plan.steps_a_day)
    persistent = np.tile(windows.last_day(), (1, 1, repeats))[:, :, : windows.plan.leads]
    held = windows.parts() == Part.HELD_OUT
    return tuple(
        _judge_one(
            windows.rows(rows),
            area,
            output,
            held=held[rows],
            truth=truth[rows, output],
            said=forecast[rows, output],
            band=None if quantiles is None else quantiles[:, rows, output],
            persistent=persistent[rows, output],
            usual=usual[rows, output],
        )
        for number, area in enumerate(windows.plan.areas)
        for rows in [windows.area == number]
        for output in range(len(windows.plan.outputs))
    )


def _judge_one(
    windows: WindowSet,
    area: str,
    output: int,
    *,
    held: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.float64],
    said: npt.NDArray[np.float64],
    band: npt.NDArray[np.float64] | None,
    persistent: npt.NDArray[np.float64],
    usual: npt.NDArray[np.float64],
) -> Judgement:
    points = held & np.isfinite(truth) & np.isfinite(said)
    points &= np.isfinite(persistent) & np.isfinite(usual)
    error = np.where(points, said - truth, np.nan)
    of_persistence = np.where(points, np.abs(persistent - truth), np.nan)
    of_climatology = np.where(points, np.abs(usual - truth), np.nan)
    persistence_mae, climatology_mae = _mean(of_persistence), _mean(of_climatology)
    better = "persistence" if persistence_mae < climatology_mae else "climatology"
    of_baseline = of_persistence if better == "persistence" else of_climatology
    times = windows.lead_times()
    spans = windows.split.held_out(int(times[points].min()), int(times[points].max()))
    plan = windows.plan.outputs[output]
    days = lead_days(windows.plan.leads, windows.plan.steps_a_day)
    typical, worst = _traces(windows, said=said, band=band, truth=truth, usual=usual, held=held)
    return Judgement(
        area=area,
        variable=plan.variable,
        unit=plan.unit,
        count=int(points.sum()),
        mae=_mean(np.abs(error)),
        rmse=float(np.sqrt(_mean(error**2))),
        bias=_mean(error),
        persistence_mae=persistence_mae,
        climatology_mae=climatology_mae,
        baseline=better,
        skill=_skill(_mean(np.abs(error)), _mean(of_baseline)),
        skill_interval=_interval(np.abs(error), of_baseline, times),
        coverage=None
        if band is None
        else cover(
            np.where(points, truth, np.nan),
            band,
            times,
            probabilities=windows.plan.probabilities,
            lead_days=days,
        ),
        evaluation_id=_evaluation_id(windows, output, points, truth, persistent, usual),
        held_out=tuple(
            s for s in spans if ((times[points] > s.start) & (times[points] <= s.end)).any()
        ),
        days=tuple(
            DayScore(
                day=day + 1,
                count=int(points[:, leads].sum()),
                mae=_mean(np.abs(error[:, leads])),
                rmse=float(np.sqrt(_mean(error[:, leads] ** 2))),
                bias=_mean(error[:, leads]),
                persistence_mae=_mean(of_persistence[:, leads]),
                climatology_mae=_mean(of_climatology[:, leads]),
                skill=_skill(_mean(np.abs(error[:, leads])), _mean(of_baseline[:, leads])),
            )
            for day, leads in enumerate(days)
            if points[:, leads].any()
        ),
        trace=typical,
        worst=worst,
    )


def _climatology(windows: WindowSet) -> npt.NDArray[np.float64]:
    """The climatology baseline at every target, [rows, outputs, leads]."""
    series = {}
    for key, observed in windows.truths.items():
        known = windows.split.part(observed.time) != Part.HELD_OUT
        coefficients = fit_climatology(observed.time[known], observed.value[known])
        series[key] = observed._replace(value=terms(observed.time) @ coefficients)
    return windows.targets(series)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(np.nanmean(values))


def _skill(mae: float, baseline: float) -> float | None:
    return 1.0 - mae / baseline if baseline > 0 else None


def _interval(
    error: npt.NDArray[np.float64],
    baseline: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
) -> tuple[float, float] | None:
    """The 95 % interval of skill over resampled spells; None where it cannot be known."""
    there = np.isfinite(error)
    shares = share_interval(error[there], baseline[there], times[there])
    return shares and (1.0 - shares[1], 1.0 - shares[0])


def _evaluation_id(
    windows: WindowSet,
    output: int,
    points: npt.NDArray[np.bool_],
    *judged: npt.NDArray[np.float64],
) -> str:
    """A digest of the points judged, what was observed there, and what the baselines said.

    Two models with the same id were judged on the same questions against the same baselines.
    """
    head = {
        "variable": windows.plan.outputs[output].variable,
        "step": windows.plan.step_seconds,
        "baselines": _BASELINES,
    }
    state = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    judged_rows = points.any(axis=1)
    state.update(windows.reference[judged_rows].astype("<i8").tobytes())
    for values in judged:
        exact = np.where(points, values, np.nan)[judged_rows]
        state.update(np.round(exact, 3).astype("<f4").tobytes())
    return f"sha256:{state.hexdigest()}"


def _traces(
    windows: WindowSet,
    *,
    said: npt.NDArray[np.float64],
    band: npt.NDArray[np.float64] | None,
    truth: npt.NDArray[np.float64],
    usual: npt.NDArray[np.float64],
    held: npt.NDArray[np.bool_],
) -> tuple[Trace | None, Trace | None]:
    """The forecast of median and the one of largest error among those held out as a whole.

    Where the horizon outlasts every held-out block, those held out in part stand in.
    """
    seen = np.isfinite(truth).all(axis=1) & np.isfinite(said).all(axis=1)
    whole = seen & held.all(axis=1)
    if not whole.any():
        whole = seen & held.any(axis=1)
    if not whole.any():
        return None, None
    rows = np.flatnonzero(whole)
    errors = np.abs(said[rows] - truth[rows]).mean(axis=1)
    order = np.argsort(errors, kind="stable")

    def trace(place: int) -> Trace:
        row = rows[place]
        return Trace(
            reference_time=int(windows.reference[row]),
            mae=float(errors[place]),
            among=len(rows),
            time=tuple(windows.lead_times()[row].tolist()),
            forecast=tuple(said[row].tolist()),
            observed=tuple(truth[row].tolist()),
            climatology=tuple(usual[row].tolist()),
            band=None
            if band is None
            else (tuple(band[0, row].tolist()), tuple(band[-1, row].tolist())),
        )

    return trace(int(order[len(rows) // 2])), trace(int(order[-1]))
