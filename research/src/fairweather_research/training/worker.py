"""The training process: what happens in a fresh child of the forkserver.

It reads ``Prepared`` from its scratch folder, puts artifacts and examples into the delivery's
folder, and reports every step: ``{"stage": ...}``, ``{"epoch": ...}`` and at the end ``{"result":
...}`` or ``{"refused": ...}``. Whatever libraries print goes to its stdout and stderr, which are no
part of the reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
from fairweather_interface.delivery import EXAMPLES

from fairweather_research.dataset.branches import ByInput
from fairweather_research.dataset.input_statistics import compute_statistics
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.delivery.examples import choose_examples
from fairweather_research.delivery.metadata import declared_domain
from fairweather_research.delivery.result import BranchRecord, TrainingResult
from fairweather_research.environment import THREADS, machine, return_freed_memory
from fairweather_research.errors import RecipeError
from fairweather_research.evaluation.ages import evaluate_ages, greatest_age, lose_newest
from fairweather_research.evaluation.scores import evaluate
from fairweather_research.export.graph import Bands, ForecastGraph
from fairweather_research.export.onnx_network import NetworkPlaceholder, OnnxAssembly
from fairweather_research.export.saved_model import Conversion, load_signature, serialize_model
from fairweather_research.networks.base import EpochRecord
from fairweather_research.training.bands import fit_bands
from fairweather_research.training.fitting import Fitted, fit
from fairweather_research.training.prepared import Prepared
from fairweather_research.training.tensorboard import EventLog

#: The exit code of a training whose recipe proved unusable; the last report says why.
REFUSED = 3


def run(folder: Path, scratch: Path, report: Callable[[dict[str, Any]], object]) -> int:
    """Train what was prepared in ``scratch`` into ``folder``, and return an exit code."""
    return_freed_memory()
    report({"stage": "start"})
    prepared = Prepared.read(scratch)
    try:
        with Conversion() as conversion, EventLog(prepared.logs) as logs:
            result = _train(prepared, conversion, folder, scratch, report=report, logs=logs)
    except RecipeError as error:
        kind = type(error).__name__
        report({"refused": {"error": kind, "source": error.source, "problems": error.problems}})
        return REFUSED
    report({"result": result.model_dump(mode="json")})
    return 0


def _train(
    prepared: Prepared,
    conversion: Conversion,
    folder: Path,
    scratch: Path,
    *,
    report: Callable[[dict[str, Any]], object],
    logs: EventLog,
) -> TrainingResult:
    recipe, windows, switch = prepared.recipe, prepared.windows, prepared.switch

    def report_stage(stage: str) -> None:
        report({"stage": stage})

    def report_epoch(epoch: EpochRecord) -> None:
        report({"epoch": epoch.model_dump()})
        logs.epoch(epoch)

    _make_reproducible(recipe.seed)
    report_stage("fit")
    training_rows, held_out = (
        windows.rows(windows.reaching(part)) for part in (Part.TRAINING, Part.HELD_OUT)
    )
    ranges = training_rows.input_ranges()
    bounds = declared_domain(recipe, ranges) or {}
    samples, leads = windows.as_of_newest(), windows.plan.leads
    fitted = fit(samples, recipe.fit, recipe.network, report_epoch, switch)
    bands = None
    if windows.plan.probabilities:
        report_stage("bands")
        logs.part = "bands"
        bands = fit_bands(fitted.windows, fitted, recipe.fit, report_epoch)
    fitted = replace(fitted, predicted=fitted.predicted[:0].copy(), predicted_late=None)
    report_stage("export")
    model, onnx = _export(prepared, fitted, bands, conversion, folder=folder, scratch=scratch)
    report_stage("evaluate")
    by_area = (held_out.rows(held_out.area == area) for area in range(len(windows.plan.areas)))
    evaluated = [one for some in by_area for one in evaluate(some, *_forecast(model, some))]
    evaluations = evaluate_ages(evaluated, held_out, partial(_forecast, model))
    max_age = recipe.max_age
    if isinstance(max_age, str):
        max_age = greatest_age(evaluations) or windows.plan.least_age
    report_stage("examples")
    examples = choose_examples(held_out, bounds, switch, max_age)
    inputs = {
        name.removeprefix("input/"): values
        for name, values in examples.items()
        if name.startswith("input/")
    }
    outputs = _call(model, inputs)
    examples |= {f"output/{name}": values for name, values in outputs.items()}
    np.savez_compressed(folder / EXAMPLES, allow_pickle=False, **examples)
    report_stage("convert")
    onnx_report = onnx.finish(inputs, outputs)
    logs.evaluations(evaluations)
    learned = samples.rows(samples.reaching(Part.TRAINING))
    first_window = learned.reference.min() - windows.plan.steps * windows.plan.step_seconds
    train_end = max(
        int(batch.lead_times()[batch.parts() == Part.TRAINING].max())
        for _, batch in learned.batches()
    )
    first_observation, last_observation = prepared.observed
    return TrainingResult(
        windows=len(training_rows),
        train_start=int(max(first_window, first_observation)),
        train_end=min(train_end, last_observation),
        seen=ranges,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epochs[0],
        branches=_branches(fitted, training_rows, held_out),
        thresholds=switch.at if isinstance(switch, ByInput) else (),
        shrinkage={
            output.name: tuple(fitted.constants.shrinkage[number, :leads].tolist())
            for number, output in enumerate(windows.plan.outputs)
        },
        widening={
            quantile.name: tuple(bands.widening[number, place, :leads].tolist())
            for number, output in enumerate(windows.plan.outputs)
            for place, quantile in enumerate(output.quantiles)
            if bands is not None
        },
        judgements=evaluations,
        max_age=max_age,
        portraits=compute_statistics(training_rows),
        onnx=onnx_report,
        origin=fitted.origin,
        threads=THREADS,
        platform=machine(),
    )


def _make_reproducible(seed: int) -> None:
    """Fix everything that bytes depend on, before TensorFlow runs its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed(seed)


def _export(
    prepared: Prepared,
    fitted: Fitted,
    bands: Bands | None,
    conversion: Conversion,
    *,
    folder: Path,
    scratch: Path,
) -> tuple[Any, Conversion | OnnxAssembly]:
    """Write the model; return it as a function, and what finishes its ONNX artifact."""
    plan = prepared.windows.plan
    if fitted.foreign is None:
        graph = ForecastGraph(plan, fitted.network, fitted.constants, bands)
        path = serialize_model(graph, folder)
        conversion.start(folder)
        return load_signature(path), conversion
    placeholder = NetworkPlaceholder(fitted.constants.shrinkage.shape)
    assembly = OnnxAssembly(
        ForecastGraph(plan, placeholder, fitted.constants, bands),
        placeholder,
        fitted.foreign,
        conversion,
        name=prepared.recipe.network,
        folder=folder,
        scratch=scratch,
    )
    return assembly, assembly


def _branches(
    fitted: Fitted, training_rows: WindowSet, held_out: WindowSet
) -> tuple[BranchRecord, ...]:
    if fitted.switch is None:
        return ()
    training_branch, held_out_branch = fitted.switch.of(training_rows), fitted.switch.of(held_out)
    return tuple(
        BranchRecord(
            condition=condition,
            windows=int((training_branch == number).sum()),
            judged=int((held_out_branch == number).sum()),
            best_epoch=fitted.best_epochs[number],
        )
        for number, condition in enumerate(fitted.switch.conditions)
    )


def _forecast(
    model: Any,  # noqa: ANN401 - tensors have no types
    windows: WindowSet,
    age: timedelta = timedelta(0),
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    """Return the forecast of the delivered model for every window, and its quantiles, if any.

    Without the values of each window that are newer than the age.
    Shapes [rows, outputs, leads] and [quantiles, rows, outputs, leads].
    """
    plan = windows.plan
    values = np.empty((1 + len(plan.probabilities), len(windows), len(plan.outputs), plan.leads))
    for place, batch in windows.batches():
        observed = batch.inputs()
        lose_newest(observed, plan.inputs, age)
        inputs = observed | {"reference_time": batch.reference, "area_index": batch.area}
        outputs = _call(model, inputs)
        for number, output in enumerate(plan.outputs):
            names = (output.name, *(quantile.name for quantile in output.quantiles))
            values[:, place, number] = [outputs[name] for name in names]
    return values[0], values[1:] if plan.probabilities else None


def _call(
    model: Any,  # noqa: ANN401 - tensors have no types
    inputs: dict[str, npt.NDArray[Any]],
) -> dict[str, npt.NDArray[np.float32]]:
    outputs = model(**{name: tf.constant(values) for name, values in inputs.items()})
    return {name: np.asarray(values) for name, values in sorted(outputs.items())}
