"""The metadata of a delivery, in two stages: as expected of a recipe, and as training found it.

``expected_metadata`` states everything that a recipe decides, with stand-ins for the rest;
``create_model_metadata`` puts what a training found in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fairweather_interface.delivery import artifact_digest
from fairweather_interface.metadata import (
    AREA_INDEX,
    OBSERVATIONS,
    ONNX,
    REFERENCE_TIME,
    SAVED_MODEL,
    Artifact,
    ArtifactNeeds,
    Block,
    DeclaredVariable,
    Input,
    ModelMetadata,
    Output,
    Performance,
    Quantile,
    Tolerance,
    Training,
    create_metadata,
)
from fairweather_interface.variables import VARIABLES

from fairweather_research.dataset.input_ranges import declared_domain, widest_ranges
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.environment import packages
from fairweather_research.export.onnx_format import IR_VERSION, OPSET, TOLERANCE, OnnxReport
from fairweather_research.recipes.recipe import Recipe

__all__ = ["create_model_metadata", "expected_metadata"]

_SAVED_MODEL_PATH = "model"
_ONNX_PATH = "model.onnx"
_NO_DIGEST = f"sha256:{0:064d}"


def expected_metadata(recipe: Recipe) -> ModelMetadata:
    """Describe the delivery of a recipe before it is trained.

    What only training finds has stand-ins: bounds that ask the most of a reader, an ONNX artifact
    as if the conversion had gone well, and empty evidence and provenance.

    Raises:
        MetadataError: the contract does not allow what the recipe declares.
    """
    plan = recipe.blueprint
    quantiles = tuple(
        Quantile(name=quantile.name, output=output.name, probability=quantile.probability)
        for output in plan.outputs
        for quantile in output.quantiles
    )
    names = [*(output.name for output in plan.outputs), *(item.name for item in quantiles)]
    declared = {item.field: getattr(recipe, key) for key, item in Recipe.declares().items()}
    decided: dict[str, Any] = {
        "areas": plan.areas,
        "inputs": (
            *(
                Input(
                    name=item.name,
                    dtype="float32",
                    shape=(-1, item.samples),
                    role=OBSERVATIONS,
                    variable=item.variable,
                    unit=item.unit,
                    period=item.period,
                    sample_rate=item.sample_rate,
                    max_missing=item.max_missing,
                    areas=item.members,
                )
                for item in plan.inputs
            ),
            Input(name="reference_time", dtype="int64", shape=(-1,), role=REFERENCE_TIME),
            Input(name="area_index", dtype="int64", shape=(-1,), role=AREA_INDEX),
        ),
        "outputs": tuple(
            Output(
                name=output.name,
                variable=output.variable,
                unit=output.unit,
                step=plan.step,
                shape=(-1, plan.leads),
            )
            for output in plan.outputs
        ),
        "uncertainty": quantiles or None,
        "declared_variables": _declared_variables(recipe),
        "tolerance": {
            name: Tolerance(absolute=TOLERANCE[0], relative=TOLERANCE[1]) for name in names
        },
    }
    stand_ins: dict[str, Any] = {
        **declared_domain(recipe, widest_ranges(plan)).declared,
        "artifacts": _artifacts(OnnxReport(opset=OPSET, ir_version=IR_VERSION)),
        "delivery_id": "00000000-0000-4000-8000-000000000000",
        "created_at": _utc(0),
        "model_digest": _NO_DIGEST,
        "performance": (),
        "training": Training(
            data_source=recipe.observations.source,
            data_location=recipe.observations.source,
            data_digest=_NO_DIGEST,
            train_start_time=_utc(0),
            train_end_time=_utc(0),
            seed=recipe.seed,
            synthetic=recipe.observations.synthetic,
            recipe=recipe.document(),
            threads=1,
            code_version="not trained yet",
            packages={},
        ),
    }
    return create_metadata(**{**declared, **decided, **stand_ins})


def create_model_metadata(
    expected: ModelMetadata,
    recipe: Recipe,
    result: TrainingResult,
    *,
    data: Mapping[str, str],
    delivery_id: str,
    folder: Path,
) -> ModelMetadata:
    """Return the metadata of a trained model: what was expected, with what training found.

    Args:
        expected: of the recipe.
        recipe: becomes part of provenance.
        result: of the training process.
        data: ``data_source``, ``data_location`` and ``data_digest`` of what was trained on.
        delivery_id: the delivery's name.
        folder: of the model's artifacts.

    Raises:
        MetadataError: the contract does not allow what was found.
    """
    document = recipe.document()
    # the name of the file, without the folder of this machine
    document["observations"]["source"] = data["data_source"]
    canonical = _ONNX_PATH if result.onnx.canonical else _SAVED_MODEL_PATH
    derived = {"schema_version", "min_reader"}
    kept = {name: getattr(expected, name) for name in expected.model_fields_set - derived}
    performance = set(Performance.model_fields) - {"held_out"}
    found: dict[str, Any] = {
        **declared_domain(recipe, result.seen).declared,
        "artifacts": _artifacts(result.onnx),
        "delivery_id": delivery_id,
        "created_at": datetime.now(UTC).replace(microsecond=0),
        "model_digest": artifact_digest(folder, canonical),
        "performance": tuple(
            Performance(
                **one.model_dump(include=performance),
                held_out=tuple(
                    Block(start=_utc(start), end=_utc(end)) for start, end in one.held_out
                ),
            )
            for one in result.judgements
        ),
        "training": Training(
            **data,
            seed=recipe.seed,
            synthetic=recipe.observations.synthetic,
            train_start_time=_utc(result.train_start),
            train_end_time=_utc(result.train_end),
            recipe=document,
            threads=result.threads,
            code_version=f"fairweather-research {version('fairweather-research')}",
            packages={**packages(), **result.origin},
        ),
    }
    return create_metadata(**{**kept, **found})


def _declared_variables(recipe: Recipe) -> dict[str, DeclaredVariable] | None:
    """Return the rows of the recipe's variables that the contract's own table lacks."""
    plan = recipe.blueprint
    used = {item.variable for item in plan.inputs} | {item.variable for item in plan.outputs}
    return {
        name: DeclaredVariable.of(row)
        for name, row in recipe.defined.variables.items()
        if name in used and name not in VARIABLES
    } or None


def _artifacts(report: OnnxReport) -> tuple[Artifact, Artifact]:
    """List every form of the model, the canonical one first."""
    needs = ArtifactNeeds(opset=report.opset, ir_version=report.ir_version)
    if report.canonical:
        return (
            Artifact(format=ONNX, path=_ONNX_PATH, canonical=True, needs=needs),
            Artifact(format=SAVED_MODEL, omitted="its network is not in TensorFlow"),
        )
    onnx: dict[str, Any] = {"path": _ONNX_PATH, "needs": needs}
    if report.omitted is not None:
        onnx = {"omitted": report.omitted}
    needs = ArtifactNeeds(tensorflow=version("tensorflow"))
    return (
        Artifact(format=SAVED_MODEL, path=_SAVED_MODEL_PATH, canonical=True, needs=needs),
        Artifact(format=ONNX, **onnx),
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
