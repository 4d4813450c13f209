"""The metadata of a delivery: what research knows, in the words of the contract."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

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
    Tolerance,
    Training,
    create_metadata,
)

from fairweather_research.blueprint import blueprint_of
from fairweather_research.results import TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    from fairweather_research.blueprint import Blueprint
    from fairweather_research.evaluation import Judgement
    from fairweather_research.observations import Observations
    from fairweather_research.recipe import Recipe
    from fairweather_research.results import OnnxReport, TrainingResult

__all__ = ["create_model_metadata"]

_SAVED_MODEL_PATH = "model"
_ONNX_PATH = "model.onnx"
_PACKAGES = (
    "fairweather-interface",
    "keras",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "tensorflow",
    "tf2onnx",
)


def create_model_metadata(
    recipe: Recipe,
    observations: Observations,
    result: TrainingResult,
    *,
    delivery_id: str,
    folder: Path,
) -> ModelMetadata:
    """Say everything about a trained model whose artifacts lie in ``folder``.

    Args:
        recipe: the resolved recipe; it becomes part of provenance, its file without the folder.
        observations: exactly what was trained on.
        result: what the training process reported.
        delivery_id: the delivery's name.
        folder: where ``model/`` and, when there is one, ``model.onnx`` lie.

    Raises:
        MetadataError: the contract does not allow what would be said.
    """
    plan = blueprint_of(recipe)
    document = recipe.document()
    document["observations"]["source"] = (
        observations.source
    )  # a folder of ours is no news to others
    return create_metadata(
        delivery_id=delivery_id,
        created_at=datetime.now(UTC).replace(microsecond=0),
        topic=recipe.topic,
        author=recipe.author,
        model_type=recipe.model_type,
        areas=plan.areas,
        inputs=_inputs(plan),
        outputs=tuple(
            Output(
                name=output.name,
                variable=output.variable,
                unit=output.unit,
                step=plan.step,
                shape=(-1, plan.leads),
            )
            for output in plan.outputs
        ),
        artifacts=(
            Artifact(
                format=SAVED_MODEL,
                path=_SAVED_MODEL_PATH,
                canonical=True,
                needs=ArtifactNeeds(tensorflow=version("tensorflow")),
            ),
            _onnx_artifact(result.onnx),
        ),
        model_digest=artifact_digest(folder, _SAVED_MODEL_PATH),
        tolerance={
            output.name: Tolerance(absolute=TOLERANCE[0], relative=TOLERANCE[1])
            for output in plan.outputs
        },
        performance=tuple(_performance(judgement) for judgement in result.judgements),
        valid_months=recipe.season,
        max_temperature_seen=result.max_temperature_seen,
        max_humidity_seen=result.max_humidity_seen,
        training=Training(
            data_source=observations.source,
            data_location=observations.location,
            data_digest=observations.archive.digest(),
            train_start_time=_utc(result.train_start),
            train_end_time=_utc(result.train_end),
            recipe=document,
            seed=recipe.seed,
            threads=result.threads,
            code_version=f"fairweather-research {version('fairweather-research')}",
            packages={
                "python": platform.python_version(),
                **{name: version(name) for name in _PACKAGES},
            },
            synthetic=recipe.observations.synthetic,
        ),
    )


def _inputs(plan: Blueprint) -> tuple[Input, ...]:
    observed = (
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
    )
    return (
        *observed,
        Input(name="reference_time", dtype="int64", shape=(-1,), role=REFERENCE_TIME),
        Input(name="area_index", dtype="int64", shape=(-1,), role=AREA_INDEX),
    )


def _onnx_artifact(report: OnnxReport) -> Artifact:
    if report.omitted is not None:
        return Artifact(format=ONNX, omitted=report.omitted)
    needs = ArtifactNeeds(opset=report.opset, ir_version=report.ir_version)
    return Artifact(format=ONNX, path=_ONNX_PATH, needs=needs)


def _performance(judgement: Judgement) -> Performance:
    return Performance(
        area=judgement.area,
        variable=judgement.variable,
        mae=judgement.mae,
        rmse=judgement.rmse,
        bias=judgement.bias,
        count=judgement.count,
        held_out=tuple(
            Block(start=_utc(span.start), end=_utc(span.end)) for span in judgement.held_out
        ),
        evaluation_id=judgement.evaluation_id,
        skill=judgement.skill,
        skill_interval=judgement.skill_interval,
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
