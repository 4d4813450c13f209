"""Train models, hide the newest observations of held-out windows, and measure the forecasts.

Run by ``nox -s staleness``. A forecast at lead k whose newest observation is a hours old is worth
at most what a fresh one at lead k + a is worth. Every admitted age is tried on held-out time, for
all inputs at once and for each alone, and so are gaps in the middle of the window. The error by
lead day and the share inside the band are printed for each, then every target that is missed. Exit
code 1 when one is. The targets, for each area and variable:

- the error is at most 5 % above that of fresh forecasts of the same moments, made as many hours
  earlier, on every lead day;
- it is at most 1 % above that of the climatology, on every lead day;
- the 80 % band holds 75 to 87 % over day 1. Where the band of the *fresh* forecast already holds
  less (or more), because held-out weather was harder (or easier) than the weather it was calibrated
  on, the range begins (or ends) 3 points beyond what the fresh band holds; the range is printed
  with the table.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research import load_recipe, train
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.recipes.blueprint import Blueprint, lead_days
from fairweather_research.recipes.recipe import Recipe

AGES = (3, 6, 12, 24, 48, 72)  # hours
STALER = 1.05  # of the fresh error at lead + age
WORSE = 1.01  # of climatology's error
INSIDE = (0.75, 0.87)  # of an 80 % band, over day 1
BEYOND = 0.03  # further than a fresh band that is outside

Array = npt.NDArray[np.float64]
Model = Callable[[dict[str, npt.NDArray[Any]]], dict[str, npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class Case:
    """What to hide: of which inputs, from how many hours before the reference time to which."""

    name: str
    inputs: tuple[str, ...]
    hours: tuple[int, int] = (0, 0)  # oldest, newest
    age: int | None = 0  # hours; None where no age says what the forecast is worth

    def hide(self, plan: Blueprint, inputs: dict[str, npt.NDArray[Any]]) -> None:
        """Replace the values with NaN, in place.

        A window that lacked values before may then lack more than is admitted. It is measured all
        the same: with 72 hours hidden of 30 days, hardly a window would be left otherwise.
        """
        for item in plan.inputs:
            window = inputs[item.name]
            if item.name in self.inputs:
                a_hour = round(3600 / item.sample_rate.total_seconds())
                oldest, newest = (window.shape[1] - a_hour * hours for hours in self.hours)
                window[:, oldest:newest] = np.nan


def cases(plan: Blueprint) -> Iterator[Case]:
    """Yield what is tried with a model, the fresh windows first."""
    names = tuple(item.name for item in plan.inputs)
    longest = min(item.max_missing * item.period.total_seconds() / 3600 for item in plan.inputs)
    yield Case("fresh", names)
    for age in AGES:
        if age <= longest:
            yield Case(f"all {age} h", names, (age, 0), age)
    if len(names) > 1:
        for name in names:
            for age in (6, 24, 72):
                if age <= longest:
                    yield Case(f"{name} {age} h", (name,), (age, 0), age)
    for oldest, newest in ((7, 1), (27, 3), (72, 1), (96, 24), (400, 340)):
        if oldest - newest <= longest:
            yield Case(f"gap {oldest}-{newest} h", names, (oldest, newest), None)


@dataclass(frozen=True)
class Result:
    """The result of a case: mean absolute errors, [outputs, areas, leads], and coverage."""

    error: Array
    fresh: Array  # of the forecasts of the same moments made ``age`` hours earlier; NaN beyond them
    aged: Array  # of this case, over the moments of ``fresh``
    climatology: Array
    persistence: Array
    inside: Array  # shares inside the band on day 1, [outputs, areas]
    first: Array  # in its first quarter


def measure(model: Model, windows: WindowSet) -> dict[Case, Result]:
    """Try every case on held-out time; ``windows`` reach it."""
    plan = windows.plan
    truth = windows.targets()
    baselines = {name: each.predict(windows) for name, each in BASELINES.items()}
    points = (windows.parts() == Part.HELD_OUT)[:, None, :] & np.isfinite(truth)
    for forecast in baselines.values():
        points &= np.isfinite(forecast)
    errors = {
        name: np.where(points, np.abs(forecast - truth), np.nan)
        for name, forecast in baselines.items()
    }
    areas = [windows.area == number for number in range(len(plan.areas))]

    def by_area(values: Array) -> Array:
        return np.stack([_mean(values[rows]) for rows in areas], axis=1)

    results: dict[Case, Result] = {}
    fresh = np.empty(0)
    for case in cases(plan):
        values = np.empty((1 + len(plan.probabilities), *truth.shape))
        for place, batch in windows.batches():
            inputs: dict[str, npt.NDArray[Any]] = dict(batch.inputs())
            inputs |= {"reference_time": batch.reference, "area_index": batch.area}
            case.hide(plan, inputs)
            outputs = model(inputs)
            for number, output in enumerate(plan.outputs):
                names = (output.name, *(quantile.name for quantile in output.quantiles))
                values[:, place, number] = [outputs[name] for name in names]
        error = np.where(points, np.abs(values[0] - truth), np.nan)
        if not results:
            fresh = error
        before = _made_before(windows, fresh, case.age or 0)
        within = np.full(truth.shape, np.nan)
        if plan.probabilities:
            within = np.where(points, (values[1] <= truth) & (truth <= values[-1]), np.nan)
        day = slice(plan.steps_a_day)
        results[case] = Result(
            error=by_area(error),
            fresh=by_area(np.where(np.isfinite(error), before, np.nan)),
            aged=by_area(np.where(np.isfinite(before), error, np.nan)),
            climatology=by_area(errors["climatology"]),
            persistence=by_area(errors["persistence"]),
            inside=by_area(within)[..., day].mean(axis=-1),
            first=by_area(within)[..., : plan.steps_a_day // 4].mean(axis=-1),
        )
    return results


def _mean(values: Array) -> Array:
    """Return the mean over the first axis of all that is not NaN; NaN where all is."""
    present = np.isfinite(values)
    number = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _made_before(windows: WindowSet, errors: Array, hours: int) -> Array:
    """Return the errors of the forecasts of the same moments made so many hours earlier."""
    steps = round(hours * windows.plan.steps_a_day / 24)
    place = {
        key: row
        for row, key in enumerate(
            zip(windows.area.tolist(), windows.reference.tolist(), strict=True)
        )
    }
    back = steps * windows.plan.step_seconds
    found = np.full(errors.shape, np.nan)
    for (area, reference), row in place.items():
        earlier = place.get((area, reference - back))
        if earlier is not None:
            found[row, :, : windows.plan.leads - steps] = errors[earlier, :, steps:]
    return found


def table(windows: WindowSet, results: dict[Case, Result]) -> tuple[list[str], list[str]]:
    """Return the tables of a model, and every target it misses, in a sentence."""
    plan = windows.plan
    days = lead_days(plan.leads, plan.steps_a_day)
    heads = "".join(f" day {day} |" for day in range(1, len(days) + 1))
    lines, missed = [], []
    fresh = next(iter(results.values()))
    for at in np.ndindex(len(plan.outputs), len(plan.areas)):
        series = f"{list(plan.areas)[at[1]]} {plan.outputs[at[0]].variable}"
        lines.append(f"| {series} |{heads} of fresh at lead + age | day 1 inside | first 6 h |")
        lines.append("|---" * (len(days) + 4) + "|")
        baselines = {"climatology": fresh.climatology[at], "persistence": fresh.persistence[at]}
        lines += [f"| {name} |{_cells(errors, days)} | | |" for name, errors in baselines.items()]
        allowed = _allowed(float(fresh.inside[at]))
        for case, result in results.items():
            stale = _of_fresh(result, at, days) if case.age else {}
            worst = f"{max(stale.values()):.2f}" if stale else ""
            shares = "".join(
                f" {100 * share[at]:.0f} % |" for share in (result.inside, result.first)
            )
            lines.append(f"| {case.name} |{_cells(result.error[at], days)} {worst} |{shares}")
            misses = _misses(result, at, days, stale, allowed)
            missed += [f"{series}, {case.name}, {miss}" for miss in misses]
        better = min(errors[days[0]].mean() for errors in baselines.values())
        gain = 100 * (1.0 - fresh.error[at][days[0]].mean() / better)
        lines += ["", f"Fresh, day 1: {gain:.1f} % better than the better baseline."]
        if plan.probabilities:
            lines.append(
                f"The fresh band holds {100 * fresh.inside[at]:.1f} % over day 1; expected of "
                f"every case: {100 * allowed[0]:.1f} to {100 * allowed[1]:.1f} %."
            )
        lines.append("")
    return lines, missed


def _allowed(fresh: float) -> tuple[float, float]:
    """Return the range of coverage expected of every case, from that of the fresh windows."""
    least, most = INSIDE
    return (
        least if fresh >= least else fresh - BEYOND,
        most if fresh <= most else fresh + BEYOND,
    )


def _cells(errors: Array, days: list[slice]) -> str:
    return "".join(f" {errors[leads].mean():.2f} |" for leads in days)


def _of_fresh(result: Result, at: tuple[int, ...], days: list[slice]) -> dict[int, float]:
    """Return errors over those of fresh forecasts of the same moments, by lead day."""
    return {
        day: result.aged[at][leads].mean() / result.fresh[at][leads].mean()
        for day, leads in enumerate(days, 1)
        if np.isfinite(result.fresh[at][leads]).all()
    }


def _misses(
    result: Result,
    at: tuple[int, ...],
    days: list[slice],
    stale: dict[int, float],
    allowed: tuple[float, float],
) -> list[str]:
    """Return the targets that a case misses."""
    misses = [
        f"day {day}: found {share:.3f} of the fresh error at lead + age, expected {STALER} at most"
        for day, share in stale.items()
        if share > STALER
    ]
    for day, leads in enumerate(days, 1):
        share = result.error[at][leads].mean() / result.climatology[at][leads].mean()
        if share > WORSE:
            misses.append(
                f"day {day}: found {share:.3f} of climatology's error, expected {WORSE} at most"
            )
    inside = result.inside[at]
    if np.isfinite(inside) and not allowed[0] <= inside <= allowed[1]:
        misses.append(
            f"day 1: found {100 * inside:.1f} % inside the band, expected "
            f"{100 * allowed[0]:.1f} to {100 * allowed[1]:.1f} %"
        )
    return misses


def main() -> int:
    """Train every recipe, print its tables, and write what it misses to ``staleness.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where deliveries and table go")
    options = parser.parse_args()
    failed: dict[str, list[str]] = {}
    for path in options.recipes:
        recipe = load_recipe(path)
        delivery = train(recipe, options.folder / "store")
        lines, missed = examine(recipe, delivery.path)
        print(f"{path.stem}, {delivery.path.name}", *lines, sep="\n")  # noqa: T201 - the result
        print("\n".join(missed), file=sys.stderr)  # noqa: T201
        failed[path.stem] = missed
    text = json.dumps(failed, indent=1) + "\n"
    (options.folder / "staleness.json").write_text(text, encoding="utf-8")
    return int(any(failed.values()))


def examine(recipe: Recipe, folder: Path) -> tuple[list[str], list[str]]:
    """Return the tables of a delivery made from a recipe, and the targets it misses."""
    windows = WindowSet.choose(recipe, observations_of(recipe).archive)
    held_out = windows.rows((windows.parts() == Part.HELD_OUT).any(axis=1))
    return table(held_out, measure(load(folder), held_out))


def load(folder: Path) -> Model:
    """Return the SavedModel of a delivery as a function."""
    import tensorflow as tf  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    from fairweather_research.export.artifacts import SAVED_MODEL_FOLDER  # noqa: PLC0415
    from fairweather_research.export.saved_model import load_signature  # noqa: PLC0415

    signature = load_signature(folder / SAVED_MODEL_FOLDER)

    def run(inputs: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        outputs = signature(**{name: tf.constant(values) for name, values in inputs.items()})
        return {name: np.asarray(values) for name, values in outputs.items()}

    return run


if __name__ == "__main__":
    sys.exit(main())
