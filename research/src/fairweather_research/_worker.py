"""The training process: what happens in a fresh child of the forkserver.

It reads ``request.json``, ``archive.parquet`` and ``quality.json`` from its scratch folder, puts
artifacts and the examples into the delivery's folder and ``result.json`` into scratch, and reports
every step, ``{"stage": ...}`` or ``{"epoch": ...}``. When it has reported ``trained`` it waits: the
one who asked for it writes the metadata, says ``CARD``, and it writes the model card. Whatever
libraries print goes to its stdout and stderr, which nobody takes for a report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from fairweather_interface.delivery import EXAMPLES, METADATA
from fairweather_interface.metadata import read_metadata
from fairweather_interface.software import dump_software, read_software
from fairweather_interface.verdict import check
from pydantic import TypeAdapter

from fairweather_research._events import EventLog
from fairweather_research.branches import ByInput, find_switch
from fairweather_research.dataset import WindowSet
from fairweather_research.domain import declared_domain
from fairweather_research.environment import machine
from fairweather_research.errors import RecipeError
from fairweather_research.evaluation import judge
from fairweather_research.examples import choose_examples
from fairweather_research.observations import Archive, QualityReport
from fairweather_research.portrait import portray
from fairweather_research.recipe import Recipe
from fairweather_research.results import TOLERANCE, BranchRecord, EpochRecord, TrainingResult
from fairweather_research.split import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from fairweather_interface.software import Software

    from fairweather_research._around import Around
    from fairweather_research._fitting import Fitted
    from fairweather_research._graph import Bands
    from fairweather_research._serialize import Conversion
    from fairweather_research.blueprint import Blueprint

__all__ = [
    "ARCHIVE",
    "CARD",
    "QUALITY",
    "REFUSED",
    "REQUEST",
    "RESULT",
    "TRAINED",
    "run",
    "write_request",
]

REQUEST = "request.json"
ARCHIVE = "archive.parquet"
QUALITY = "quality.json"
RESULT = "result.json"

#: What it reports when only the card is missing, and the word that it waits for then.
TRAINED = "trained"
CARD = "card"

#: The exit code of a training whose recipe proved unusable; the last report says why.
REFUSED = 3

_REPORT = TypeAdapter(QualityReport)


def run(
    folder: Path,
    scratch: Path,
    *,
    report: Callable[[dict[str, Any]], object],
    hear: Callable[[], str],
) -> int:
    """Train what the request asks for, and return an exit code.

    Args:
        folder: where the delivery is staged.
        scratch: where the request lies and the result goes.
        report: tells the one who asked of a step.
        hear: waits for a word from them; empty when they are gone.
    """
    report({"stage": "start"})
    request = json.loads((scratch / REQUEST).read_text(encoding="utf-8"))
    try:
        recipe = Recipe.parse(request["recipe"], source=request["source"])
        with EventLog(request["events"]) as events:
            result = _train(
                recipe,
                folder,
                scratch,
                threads=request["threads"],
                report=report,
                events=events,
            )
    except RecipeError as error:
        kind = type(error).__name__
        report({"refused": {"error": kind, "source": error.source, "problems": error.problems}})
        return REFUSED
    (scratch / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    report({"stage": TRAINED})
    if hear() == CARD:
        from fairweather_research.card import write_card  # noqa: PLC0415 - last of all

        quality = _REPORT.validate_json((scratch / QUALITY).read_text(encoding="utf-8"))
        metadata = read_metadata((folder / METADATA).read_bytes())
        verdicts = [
            (f"{release.name} {release.version}", check(metadata, release))
            for release in map(read_software, request["software"])
        ]
        write_card(folder / "card", metadata, result, quality, verdicts=verdicts)
    return 0


def write_request(
    scratch: Path,
    recipe: Recipe,
    quality: QualityReport,
    *,
    threads: int,
    events: Path | None,
    software: Sequence[Software],
) -> None:
    """Write what ``run`` reads, save the archive.

    The card will say what each release of ``software`` says to the model.
    """
    request = {
        "recipe": recipe.document(),
        "source": recipe.observations.source,
        "threads": threads,
        "events": None if events is None else str(events),
        "software": [dump_software(each).decode() for each in software],
    }
    (scratch / REQUEST).write_text(json.dumps(request), encoding="utf-8")
    (scratch / QUALITY).write_bytes(_REPORT.dump_json(quality))


def _train(
    recipe: Recipe,
    folder: Path,
    scratch: Path,
    *,
    threads: int,
    report: Callable[[dict[str, Any]], object],
    events: EventLog,
) -> TrainingResult:
    def report_stage(stage: str) -> None:
        report({"stage": stage})

    def report_epoch(epoch: EpochRecord) -> None:
        report({"epoch": epoch.model_dump()})
        events.epoch(epoch)

    _make_reproducible(recipe.seed, threads)
    from fairweather_research._bands import fit_bands  # noqa: PLC0415 - after the settings
    from fairweather_research._fitting import fit  # noqa: PLC0415

    report_stage("windows")
    archive = Archive(pd.read_parquet(scratch / ARCHIVE))
    windows = WindowSet.choose(recipe, archive)
    parts = windows.parts()
    taught = windows.rows((parts == Part.TRAINING).any(axis=1))
    held_out = windows.rows((parts == Part.HELD_OUT).any(axis=1))
    seen = taught.seen()
    domain = declared_domain(recipe, windows.plan, seen)

    report_stage("fit")
    switch = find_switch(recipe, windows)
    fitted = fit(windows, recipe.fit, recipe.network, report_epoch, switch)
    bands = None
    if windows.plan.probabilities:
        report_stage("bands")
        events.part = "bands"
        bands = fit_bands(windows, fitted, recipe.fit, report_epoch)
    report_stage("export")
    signature, conversion = _exported(
        windows.plan,
        fitted,
        bands,
        name=recipe.network,
        folder=folder,
        scratch=scratch,
    )
    with conversion:
        report_stage("evaluate")
        judgements = judge(held_out, *_forecast(signature, held_out))
        report_stage("examples")
        examples = choose_examples(held_out, domain.in_effect, switch)
        inputs = _under("input/", examples)
        outputs = _call(signature, inputs)
        examples |= {f"output/{name}": values for name, values in outputs.items()}
        np.savez_compressed(folder / EXAMPLES, allow_pickle=False, **examples)
        report_stage("convert")
        onnx = conversion.finish(inputs, outputs, dict.fromkeys(outputs, TOLERANCE))
    events.judged(judgements)
    learned = windows.lead_times()[parts == Part.TRAINING]
    first_window = taught.reference.min() - windows.plan.steps * windows.plan.step_seconds
    first_observation = archive.table["time"].min().timestamp()
    last_observation = archive.table["time"].max().timestamp()
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
        threads=threads,
        platform=machine(),
    )


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
