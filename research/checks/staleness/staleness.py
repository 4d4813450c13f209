"""Train models, hide the newest of what they see, and hold what they say against what came.

Run by ``nox -s staleness``. A forecast at lead k whose newest observation is a hours old can be
worth what a fresh one at lead k + a is worth. Every admitted age is tried on held-out time, for all
inputs at once and for each alone, and so are gaps in the middle of the window; errors and the
shares inside the band are printed by age and lead day, and what misses a target is listed. Exit
code 1 when something does.
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
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.recipes.blueprint import lead_days

AGES = (3, 6, 12, 24, 48, 72)  # hours
#: Of the fresh error at lead + age; of climatology's error; shares inside an 80 % band on day 1.
STALER = 1.05
WORSE = 1.01
INSIDE = (0.75, 0.87)

Array = npt.NDArray[np.float64]
Model = Callable[[dict[str, npt.NDArray[Any]]], dict[str, npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class Case:
    """What is hidden: of which inputs, from how many hours before the reference time to which."""

    name: str
    inputs: tuple[str, ...]
    hours: tuple[int, int] = (0, 0)  # oldest, newest
    age: int | None = 0  # hours; None: no law says what it is worth

    def hide(self, plan: Any, inputs: dict[str, npt.NDArray[Any]]) -> None:  # noqa: ANN401 - a Blueprint
        """Hide it, in place.

        A window that lacked values before may then lack more than is admitted. It is judged all
        the same: with 72 hours hidden of 30 days, hardly a window would be left otherwise.
        """
        for item in plan.inputs:
            window = inputs[item.name]
            if item.name in self.inputs:
                a_hour = round(3600 / item.sample_rate.total_seconds())
                oldest, newest = (window.shape[1] - a_hour * hours for hours in self.hours)
                window[:, oldest:newest] = np.nan


def cases(plan: Any) -> Iterator[Case]:  # noqa: ANN401 - a Blueprint
    """What is tried with a model."""
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
class Found:
    """What came of a case; of every output and area, mean absolute errors by lead."""

    error: Array  # [outputs, areas, leads]
    fresh: Array  # of the forecasts made when the newest value was, of the same moments; NaN beyond
    aged: Array  # this case's, of the moments that those speak of, too
    usual: Array  # climatology's
    repeated: Array  # persistence's
    inside: Array  # shares inside the band on day 1, [outputs, areas]
    first: Array  # in its first quarter


def measure(model: Model, windows: WindowSet) -> dict[Case, Found]:
    """Try every case on held-out time; ``windows`` reach it."""
    plan = windows.plan
    truth = windows.targets()
    baselines = {name: each.predict(windows) for name, each in BASELINES.items()}
    points = (windows.parts() == Part.HELD_OUT)[:, None, :] & np.isfinite(truth)
    for said in baselines.values():
        points &= np.isfinite(said)
    errors = {
        name: np.where(points, np.abs(said - truth), np.nan) for name, said in baselines.items()
    }
    areas = [windows.area == number for number in range(len(plan.areas))]

    def by_area(values: Array) -> Array:
        return np.stack([_mean(values[rows]) for rows in areas], axis=1)

    found: dict[Case, Found] = {}
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
        if not found:
            fresh = error
        before = _made_before(windows, fresh, case.age or 0)
        within = np.full(truth.shape, np.nan)
        if plan.probabilities:
            within = np.where(points, (values[1] <= truth) & (truth <= values[-1]), np.nan)
        day = slice(plan.steps_a_day)
        found[case] = Found(
            error=by_area(error),
            fresh=by_area(np.where(np.isfinite(error), before, np.nan)),
            aged=by_area(np.where(np.isfinite(before), error, np.nan)),
            usual=by_area(errors["climatology"]),
            repeated=by_area(errors["persistence"]),
            inside=by_area(within)[..., day].mean(axis=-1),
            first=by_area(within)[..., : plan.steps_a_day // 4].mean(axis=-1),
        )
    return found


def _mean(values: Array) -> Array:
    """Return the mean over the first axis of what is no NaN; NaN where nothing is."""
    there = np.isfinite(values)
    number = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _made_before(windows: WindowSet, errors: Array, hours: int) -> Array:
    """Return errors of the forecasts that were made so many hours before, of the same moments."""
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


def table(windows: WindowSet, found: dict[Case, Found]) -> tuple[list[str], list[str]]:
    """Return the tables of a model, and every target it misses, in a sentence."""
    plan = windows.plan
    days = lead_days(plan.leads, plan.steps_a_day)
    heads = "".join(f" day {day} |" for day in range(1, len(days) + 1))
    lines, missed = [], []
    fresh = next(iter(found.values()))
    for at in np.ndindex(len(plan.outputs), len(plan.areas)):
        what = f"{list(plan.areas)[at[1]]} {plan.outputs[at[0]].variable}"
        lines.append(f"| {what} |{heads} of fresh at lead + age | day 1 inside | first 6 h |")
        lines.append("|---" * (len(days) + 4) + "|")
        for name in ("usual", "repeated"):
            errors = getattr(fresh, name)[at]
            lines.append(f"| {name} |{_cells(errors, days)} | | |")
        for case, one in found.items():
            stale = _of_fresh(one, at, days) if case.age else {}
            worst = f"{max(stale.values()):.2f}" if stale else ""
            held = "".join(f" {100 * share[at]:.0f} % |" for share in (one.inside, one.first))
            lines.append(f"| {case.name} |{_cells(one.error[at], days)} {worst} |{held}")
            missed += [f"{what}, {case.name}, {miss}" for miss in _misses(one, at, days, stale)]
        better = min(errors[at][days[0]].mean() for errors in (fresh.usual, fresh.repeated))
        gained = 1.0 - fresh.error[at][days[0]].mean() / better
        lines += ["", f"Fresh, day 1: {100 * gained:.1f} % better than the better baseline.", ""]
    return lines, missed


def _cells(errors: Array, days: list[slice]) -> str:
    return "".join(f" {errors[leads].mean():.2f} |" for leads in days)


def _of_fresh(one: Found, at: tuple[int, ...], days: list[slice]) -> dict[int, float]:
    """Return errors over those of fresh forecasts of the same moments, by lead day."""
    return {
        day: one.aged[at][leads].mean() / one.fresh[at][leads].mean()
        for day, leads in enumerate(days, 1)
        if np.isfinite(one.fresh[at][leads]).all()
    }


def _misses(
    one: Found, at: tuple[int, ...], days: list[slice], stale: dict[int, float]
) -> list[str]:
    """Return the targets that a case misses."""
    found = [
        f"day {day}: found {share:.3f} of the fresh error at lead + age, expected {STALER} at most"
        for day, share in stale.items()
        if share > STALER
    ]
    for day, leads in enumerate(days, 1):
        share = one.error[at][leads].mean() / one.usual[at][leads].mean()
        if share > WORSE:
            found.append(f"day {day}: found {share:.3f} of climatology's error, expected {WORSE}")
    if np.isfinite(one.inside[at]) and not INSIDE[0] <= one.inside[at] <= INSIDE[1]:
        found.append(f"day 1: found {one.inside[at]:.3f} inside the band, expected {INSIDE}")
    return found


def main() -> int:
    """Train every recipe, try it, print and write."""
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


def examine(recipe: Any, folder: Path) -> tuple[list[str], list[str]]:  # noqa: ANN401 - a Recipe
    """Try what was delivered from a recipe."""
    from fairweather_research.dataset.source_data import observations_of  # noqa: PLC0415

    windows = WindowSet.choose(recipe, observations_of(recipe).archive)
    held_out = windows.rows((windows.parts() == Part.HELD_OUT).any(axis=1))
    return table(held_out, measure(delivered(folder), held_out))


def delivered(folder: Path) -> Model:
    """Return a delivery's SavedModel as a function, or its ONNX where it has none."""
    import tensorflow as tf  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    from fairweather_research.export.saved_model import (  # noqa: PLC0415
        SAVED_MODEL_FOLDER,
        load_signature,
    )

    signature = load_signature(folder / SAVED_MODEL_FOLDER)

    def ask(inputs: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        said = signature(**{name: tf.constant(values) for name, values in inputs.items()})
        return {name: np.asarray(values) for name, values in said.items()}

    return ask


if __name__ == "__main__":
    sys.exit(main())
