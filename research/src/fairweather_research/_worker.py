"""The training process: ``python -P -m fairweather_research._worker FOLDER SCRATCH``.

``training.train`` starts it anew for every training, because bytes are reproducible only in a fresh
process. It reads ``request.json`` and ``archive.parquet`` from SCRATCH, puts the artifacts and the
examples into FOLDER and ``result.json`` into SCRATCH. Its stdout carries one JSON document a line,
``{"stage": ...}``, ``{"epoch": ...}`` or ``{"refused": ...}``, and nothing else: whatever libraries
print goes to stderr.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd
from fairweather_interface.delivery import EXAMPLES

from fairweather_research.branches import ByInput, find_switch
from fairweather_research.dataset import WindowSet
from fairweather_research.domain import declared_domain
from fairweather_research.errors import NetworkError
from fairweather_research.evaluation import judge
from fairweather_research.examples import choose_examples
from fairweather_research.observations import Archive
from fairweather_research.recipe import Recipe
from fairweather_research.results import TOLERANCE, BranchRecord, EpochRecord, TrainingResult
from fairweather_research.split import Part

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research._around import Around
    from fairweather_research._fitting import Fitted
    from fairweather_research._graph import Bands
    from fairweather_research._serialize import Conversion
    from fairweather_research.blueprint import Blueprint

__all__ = ["ARCHIVE", "REFUSED", "REQUEST", "RESULT", "main"]

REQUEST = "request.json"
ARCHIVE = "archive.parquet"
RESULT = "result.json"

#: The exit code where the recipe's network proved unusable; the last report says why.
REFUSED = 3


def main(folder: Path, scratch: Path) -> None:
    """Train what the request asks for, reporting every step."""
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with reports:
        try:
            _run(folder, scratch, reports)
        except NetworkError as error:
            refused = {"network": error.source, "problems": error.problems}
            reports.write(json.dumps({"refused": refused}) + "\n")
            raise SystemExit(REFUSED) from None


def _run(folder: Path, scratch: Path, reports: TextIO) -> None:
    def report(**event: object) -> None:
        reports.write(json.dumps(event) + "\n")

    def report_epoch(epoch: EpochRecord) -> None:
        report(epoch=epoch.model_dump())

    report(stage="start")
    request = json.loads((scratch / REQUEST).read_text(encoding="utf-8"))
    recipe = Recipe.parse(request["recipe"], source=REQUEST)
    _make_reproducible(recipe.seed, request["threads"])
    from fairweather_research._bands import fit_bands  # noqa: PLC0415 - after the settings
    from fairweather_research._fitting import fit  # noqa: PLC0415

    report(stage="windows")
    archive = Archive(pd.read_parquet(scratch / ARCHIVE))
    windows = WindowSet.choose(recipe, archive)
    parts = windows.parts()
    taught = windows.rows((parts == Part.TRAINING).any(axis=1))
    held_out = windows.rows((parts == Part.HELD_OUT).any(axis=1))
    seen = taught.seen()
    domain = declared_domain(recipe, windows.plan, seen)

    report(stage="fit")
    switch = find_switch(recipe, windows)
    fitted = fit(windows, recipe.fit, recipe.network, report_epoch, switch)
    bands = None
    if windows.plan.probabilities:
        report(stage="bands")
        bands = fit_bands(windows, fitted, recipe.fit, report_epoch)
    report(stage="export")
    signature, conversion = _exported(
        windows.plan, fitted, bands, name=recipe.network, folder=folder, scratch=scratch
    )
    with conversion:
        report(stage="evaluate")
        judgements = judge(held_out, *_forecast(signature, held_out))
        report(stage="examples")
        examples = choose_examples(held_out, domain.in_effect, switch)
        inputs = _under("input/", examples)
        outputs = _call(signature, inputs)
        examples |= {f"output/{name}": values for name, values in outputs.items()}
        np.savez(folder / EXAMPLES, allow_pickle=False, **examples)
        report(stage="convert")
        onnx = conversion.finish(inputs, outputs, dict.fromkeys(outputs, TOLERANCE))
    learned = windows.lead_times()[parts == Part.TRAINING]
    first_window = taught.reference.min() - windows.plan.steps * windows.plan.step_seconds
    first_observation = archive.table["time"].min().timestamp()
    result = TrainingResult(
        windows=len(taught),
        train_start=int(max(first_window, first_observation)),
        train_end=int(learned.max()),
        seen=seen,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epochs[0],
        branches=_branches(fitted, taught, held_out),
        thresholds=switch.at if isinstance(switch, ByInput) else (),
        shrinkage={
            output.name: tuple(fitted.constants.shrinkage[number].tolist())
            for number, output in enumerate(windows.plan.outputs)
        },
        widening={
            quantile.name: tuple(bands.widening[number, place].tolist())
            for number, output in enumerate(windows.plan.outputs)
            for place, quantile in enumerate(output.quantiles)
            if bands is not None
        },
        judgements=judgements,
        onnx=onnx,
        origin=fitted.origin,
        threads=request["threads"],
        platform=f"{platform.system()} {platform.machine()}",
    )
    (scratch / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    report(stage="done")


def _make_reproducible(seed: int, threads: int) -> None:
    """Fix everything that bytes depend on, before TensorFlow runs its first operation."""
    import keras  # type: ignore[import-untyped]  # noqa: PLC0415 - only this process pays for it
    import tensorflow as tf  # type: ignore[import-untyped]  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed(seed)


def _exported(
    plan: Blueprint,
    fitted: Fitted,
    bands: Bands | None,
    *,
    name: str,
    folder: Path,
    scratch: Path,
) -> tuple[Any, Conversion | Around]:
    """The delivered bytes as a function, and what ends in the ONNX artifact."""
    from fairweather_research._around import Around, Hole  # noqa: PLC0415 - after the settings
    from fairweather_research._graph import ForecastGraph  # noqa: PLC0415
    from fairweather_research._serialize import (  # noqa: PLC0415
        Conversion,
        load_signature,
        serialize_model,
    )

    if fitted.foreign is None:
        graph = ForecastGraph(plan, fitted.network, fitted.constants, bands)
        return load_signature(serialize_model(graph, folder)), Conversion(folder)
    hole = Hole(plan)
    graph = ForecastGraph(plan, hole, fitted.constants, bands)
    around = Around(graph, hole, fitted.foreign, name=name, folder=folder, scratch=scratch)
    return around, around


def _branches(fitted: Fitted, taught: WindowSet, held_out: WindowSet) -> tuple[BranchRecord, ...]:
    if fitted.switch is None:
        return ()
    taught_of, judged_of = fitted.switch.of(taught), fitted.switch.of(held_out)
    return tuple(
        BranchRecord(
            condition=condition,
            windows=int((taught_of == number).sum()),
            judged=int((judged_of == number).sum()),
            best_epoch=fitted.best_epochs[number],
        )
        for number, condition in enumerate(fitted.switch.conditions)
    )


def _forecast(
    signature: Any,  # noqa: ANN401 - tensors have no types
    windows: WindowSet,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    """What the delivered model says for every window, and its quantiles where it has any.

    Shapes [rows, outputs, leads] and [quantiles, rows, outputs, leads].
    """
    plan = windows.plan
    said = np.empty((1 + len(plan.probabilities), len(windows), len(plan.outputs), plan.leads))
    for place, batch in windows.batches():
        inputs = batch.inputs() | {"reference_time": batch.reference, "area_index": batch.area}
        answers = _call(signature, inputs)
        for number, output in enumerate(plan.outputs):
            names = (output.name, *(quantile.name for quantile in output.quantiles))
            said[:, place, number] = [answers[name] for name in names]
    return said[0], said[1:] if plan.probabilities else None


def _call(
    signature: Any,  # noqa: ANN401 - tensors have no types
    inputs: dict[str, npt.NDArray[Any]],
) -> dict[str, npt.NDArray[np.float32]]:
    import tensorflow as tf  # noqa: PLC0415 - only this process pays for it

    answers = signature(**{name: tf.constant(values) for name, values in inputs.items()})
    return {name: np.asarray(values) for name, values in sorted(answers.items())}


def _under(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
