"""The training process: what happens in a fresh child of the forkserver.

It reads what was prepared for it (``Prepared``) from its scratch folder, puts artifacts and the
examples into the delivery's folder and ``result.json`` into scratch, and reports every step,
``{"stage": ...}`` or ``{"epoch": ...}``. When it has reported ``trained`` it waits: the one who
asked for it writes the metadata, says ``CARD``, and it writes the model card. Whatever libraries
print goes to its stdout and stderr, which nobody takes for a report.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from fairweather_interface.delivery import EXAMPLES, METADATA
from fairweather_interface.metadata import read_metadata
from fairweather_interface.verdict import check

from fairweather_research.dataset.branches import ByInput
from fairweather_research.dataset.input_ranges import declared_domain
from fairweather_research.dataset.input_statistics import portray
from fairweather_research.dataset.split import Part
from fairweather_research.delivery.examples import choose_examples
from fairweather_research.delivery.result import BranchRecord, TrainingResult
from fairweather_research.environment import THREADS, machine
from fairweather_research.errors import RecipeError
from fairweather_research.evaluation.scores import judge
from fairweather_research.export.onnx_format import TOLERANCE
from fairweather_research.networks.base import EpochRecord
from fairweather_research.observations.quality import QualityReport
from fairweather_research.recipes.recipe import Recipe
from fairweather_research.training.tensorboard import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from fairweather_interface.software import Software

    from fairweather_research.dataset.branches import Switch
    from fairweather_research.dataset.window_set import WindowSet
    from fairweather_research.export.graph import Bands
    from fairweather_research.export.onnx_network import Around
    from fairweather_research.export.saved_model import Conversion
    from fairweather_research.observations.quality import QualityReport
    from fairweather_research.recipes.blueprint import Blueprint
    from fairweather_research.recipes.recipe import Recipe
    from fairweather_research.training.fitting import Fitted

__all__ = ["CARD", "PREPARED", "REFUSED", "RESULT", "TRAINED", "Prepared", "run"]

PREPARED = "prepared.pickle"
RESULT = "result.json"

#: What it reports when only the card is missing, and the word that it waits for then.
TRAINED = "trained"
CARD = "card"

#: The exit code of a training whose recipe proved unusable; the last report says why.
REFUSED = 3


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that a training needs, found before its process starts."""

    recipe: Recipe
    windows: WindowSet
    switch: Switch | None
    observed: tuple[int, int]  # time of the first and of the last observation, seconds
    quality: QualityReport
    software: tuple[Software, ...]  # releases whose verdict goes on the card
    events: Path | None  # a folder for logs

    def write(self, scratch: Path) -> None:
        """Write it to where ``run`` reads it."""
        (scratch / PREPARED).write_bytes(pickle.dumps(self))


def run(
    folder: Path,
    scratch: Path,
    *,
    report: Callable[[dict[str, Any]], object],
    hear: Callable[[], str],
) -> int:
    """Train what was prepared, and return an exit code.

    Args:
        folder: where the delivery is staged.
        scratch: where ``Prepared`` lies and the result goes.
        report: tells the one who asked of a step.
        hear: waits for a word from them; empty when they are gone.
    """
    report({"stage": "start"})
    # Only this user can write there, and the parent wrote it.
    prepared: Prepared = pickle.loads((scratch / PREPARED).read_bytes())  # noqa: S301
    from fairweather_research.export.saved_model import Conversion  # noqa: PLC0415 - TensorFlow

    try:
        with Conversion() as conversion, EventLog(prepared.events) as events:
            result = _train(prepared, conversion, folder, scratch, report=report, events=events)
    except RecipeError as error:
        kind = type(error).__name__
        report({"refused": {"error": kind, "source": error.source, "problems": error.problems}})
        return REFUSED
    (scratch / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    report({"stage": TRAINED})
    if hear() == CARD:
        from fairweather_research.delivery.card.card import (  # noqa: PLC0415 - last of all
            write_card,
        )

        metadata = read_metadata((folder / METADATA).read_bytes())
        verdicts = [
            (f"{release.name} {release.version}", check(metadata, release))
            for release in prepared.software
        ]
        write_card(folder / "card", metadata, result, prepared.quality, verdicts=verdicts)
    return 0


def _train(
    prepared: Prepared,
    conversion: Conversion,
    folder: Path,
    scratch: Path,
    *,
    report: Callable[[dict[str, Any]], object],
    events: EventLog,
) -> TrainingResult:
    recipe, windows, switch = prepared.recipe, prepared.windows, prepared.switch

    def report_stage(stage: str) -> None:
        report({"stage": stage})

    def report_epoch(epoch: EpochRecord) -> None:
        report({"epoch": epoch.model_dump()})
        events.epoch(epoch)

    _make_reproducible(recipe.seed)
    from fairweather_research.training.bands import fit_bands  # noqa: PLC0415 - after the settings
    from fairweather_research.training.fitting import fit  # noqa: PLC0415

    report_stage("fit")
    parts = windows.parts()
    taught = windows.rows((parts == Part.TRAINING).any(axis=1))
    held_out = windows.rows((parts == Part.HELD_OUT).any(axis=1))
    seen = taught.seen()
    domain = declared_domain(recipe, seen)
    fitted = fit(windows, recipe.fit, recipe.network, report_epoch, switch)
    bands = None
    if windows.plan.probabilities:
        report_stage("bands")
        events.part = "bands"
        bands = fit_bands(windows, fitted, recipe.fit, report_epoch)
    report_stage("export")
    signature, converted = _exported(
        windows.plan,
        fitted,
        bands,
        conversion,
        name=recipe.network,
        folder=folder,
        scratch=scratch,
    )
    with converted:
        report_stage("evaluate")
        judgements = judge(held_out, *_forecast(signature, held_out))
        report_stage("examples")
        examples = choose_examples(held_out, domain.in_effect, switch)
        inputs = {
            name.removeprefix("input/"): values
            for name, values in examples.items()
            if name.startswith("input/")
        }
        outputs = _call(signature, inputs)
        examples |= {f"output/{name}": values for name, values in outputs.items()}
        np.savez_compressed(folder / EXAMPLES, allow_pickle=False, **examples)
        report_stage("convert")
        onnx = converted.finish(inputs, outputs, dict.fromkeys(outputs, TOLERANCE))
    events.judged(judgements)
    learned = windows.lead_times()[parts == Part.TRAINING]
    first_window = taught.reference.min() - windows.plan.steps * windows.plan.step_seconds
    first_observation, last_observation = prepared.observed
    return TrainingResult(
        windows=len(taught),
        train_start=int(max(first_window, first_observation)),
        train_end=int(min(learned.max(), last_observation)),
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
        portraits=portray(taught),
        onnx=onnx,
        origin=fitted.origin,
        threads=THREADS,
        platform=machine(),
    )


def _make_reproducible(seed: int) -> None:
    """Fix everything that bytes depend on, before TensorFlow runs its first operation."""
    import keras  # type: ignore[import-untyped]  # noqa: PLC0415 - only this process pays for it
    import tensorflow as tf  # type: ignore[import-untyped]  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed(seed)


def _exported(
    plan: Blueprint,
    fitted: Fitted,
    bands: Bands | None,
    conversion: Conversion,
    *,
    name: str,
    folder: Path,
    scratch: Path,
) -> tuple[Any, Conversion | Around]:
    """The delivered bytes as a function, and what ends in the ONNX artifact."""
    from fairweather_research.export.graph import ForecastGraph  # noqa: PLC0415
    from fairweather_research.export.onnx_network import (  # noqa: PLC0415 - after the settings
        Around,
        Hole,
    )
    from fairweather_research.export.saved_model import (  # noqa: PLC0415
        load_signature,
        serialize_model,
    )

    if fitted.foreign is None:
        graph = ForecastGraph(plan, fitted.network, fitted.constants, bands)
        path = serialize_model(graph, folder)
        conversion.start(folder)
        return load_signature(path), conversion
    hole = Hole(plan)
    graph = ForecastGraph(plan, hole, fitted.constants, bands)
    around = Around(
        graph, hole, fitted.foreign, conversion, name=name, folder=folder, scratch=scratch
    )
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
