"""The metadata of a delivery: what research knows, in the words of the contract."""

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
    Input,
    ModelMetadata,
    Output,
    Performance,
    Quantile,
    Tolerance,
    Training,
    create_metadata,
)

from fairweather_research.dataset.input_ranges import Seen, declared_domain, worst_seen
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.environment import packages
from fairweather_research.export.onnx_format import IR_VERSION, OPSET, TOLERANCE, OnnxReport
from fairweather_research.recipes.recipe import Recipe

__all__ = ["create_model_metadata", "expected_metadata"]

_SAVED_MODEL_PATH = "model"
_ONNX_PATH = "model.onnx"
_NOTHING = f"sha256:{0:064d}"


def create_model_metadata(
    recipe: Recipe,
    result: TrainingResult,
    *,
    data: Mapping[str, str],
    delivery_id: str,
    folder: Path,
) -> ModelMetadata:
    """Say everything about a trained model whose artifacts lie in ``folder``.

    Args:
        recipe: the resolved recipe; it becomes part of provenance, its file without the folder.
        result: what the training process reported.
        data: ``data_source``, ``data_location`` and ``data_digest`` of what was trained on.
        delivery_id: the delivery's name.
        folder: where ``model/`` and, when there is one, ``model.onnx`` lie.

    Raises:
        MetadataError: the contract does not allow what would be said.
    """
    document = recipe.document()
    # a folder of ours is no news to others
    document["observations"]["source"] = data["data_source"]
    canonical = _ONNX_PATH if result.onnx.canonical else _SAVED_MODEL_PATH
    return _create(
        recipe,
        result.seen,
        result.onnx,
        delivery_id=delivery_id,
        created_at=datetime.now(UTC).replace(microsecond=0),
        model_digest=artifact_digest(folder, canonical),
        performance=tuple(
            Performance(
                **judgement.model_dump(include=set(Performance.model_fields) - {"held_out"}),
                held_out=tuple(
                    Block(start=_utc(start), end=_utc(end)) for start, end in judgement.held_out
                ),
            )
            for judgement in result.judgements
        ),
        training={
            **data,
            "train_start_time": _utc(result.train_start),
            "train_end_time": _utc(result.train_end),
            "recipe": document,
            "threads": result.threads,
            "code_version": f"fairweather-research {version('fairweather-research')}",
            "packages": {**packages(), **result.origin},
        },
    )


def expected_metadata(recipe: Recipe) -> ModelMetadata:
    """Say, before training, what a delivery of the recipe will declare and need.

    What only training knows is filled in: bounds with what asks the most of a reader, an ONNX
    artifact as if the conversion had gone well, and provenance with nothing.

    Raises:
        MetadataError: the contract does not allow what would be said.
    """
    return _create(
        recipe,
        worst_seen(recipe.blueprint),
        OnnxReport(opset=OPSET, ir_version=IR_VERSION),
        delivery_id="00000000-0000-4000-8000-000000000000",
        created_at=_utc(0),
        model_digest=_NOTHING,
        performance=(),
        training={
            "data_source": recipe.observations.source,
            "data_location": recipe.observations.source,
            "data_digest": _NOTHING,
            "train_start_time": _utc(0),
            "train_end_time": _utc(0),
            "recipe": recipe.document(),
            "threads": 1,
            "code_version": "not trained yet",
            "packages": {},
        },
    )


def _create(
    recipe: Recipe,
    seen: Mapping[str, Seen],
    onnx: OnnxReport,
    *,
    training: Mapping[str, Any],
    **evidence: Any,  # noqa: ANN401 - the contract checks them
) -> ModelMetadata:
    """Put what a model declares and needs to its evidence, whether it is trained or not."""
    plan = recipe.blueprint
    quantiles = tuple(
        Quantile(name=quantile.name, output=output.name, probability=quantile.probability)
        for output in plan.outputs
        for quantile in output.quantiles
    )
    names = [*(output.name for output in plan.outputs), *(item.name for item in quantiles)]
    stated = {item.field: getattr(recipe, key) for key, item in Recipe.declares().items()}
    found = {
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
        "artifacts": _artifacts(onnx),
        "tolerance": {
            name: Tolerance(absolute=TOLERANCE[0], relative=TOLERANCE[1]) for name in names
        },
        **declared_domain(recipe, seen).declared,
        "training": Training(seed=recipe.seed, synthetic=recipe.observations.synthetic, **training),
    }
    return create_metadata(**{**stated, **found, **evidence})


def _artifacts(report: OnnxReport) -> tuple[Artifact, Artifact]:
    """Every form of the model, the canonical one first."""
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
