"""The metadata of a delivery, in two stages: as expected of a recipe, and as training found it.

``expected_metadata`` states everything that a recipe decides, with stand-ins for the rest;
``create_model_metadata`` puts what a training found in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from fairweather_interface.delivery import artifact_digest
from fairweather_interface.metadata import (
    AREA_INDEX,
    OBSERVATIONS,
    ONNX,
    REFERENCE_TIME,
    SAVED_MODEL,
    AgeScore,
    Artifact,
    ArtifactNeeds,
    Block,
    Bounds,
    DayScore,
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
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion
from pydantic import JsonValue

from fairweather_research.dataset.window_set import InputRange
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.environment import packages
from fairweather_research.errors import RecipeError
from fairweather_research.evaluation.scores import Evaluation
from fairweather_research.export.artifacts import (
    IR_VERSION,
    ONNX_FILE,
    OPSET,
    SAVED_MODEL_FOLDER,
    TOLERANCE,
    OnnxReport,
)
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.recipes.recipe import Recipe

_MOST_OF_RANGE = 0.01  # of a variable's range, that apps admit as a tolerance

_NO_DIGEST = f"sha256:{0:064d}"

# What metadata say in the words of an evaluation.
_EVALUATED = set(Performance.model_fields) & set(Evaluation.model_fields) - {"held_out"}

# Variable -> the key of a recipe that asks for its highest value.
_HIGHEST = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}


class Provenance(Training):
    """The record of a training: whole, as our own deliveries have it, and schema 1.0 asks no more.

    Raises:
        ValidationError: something of it is absent.
    """

    data_source: str
    data_location: str
    data_digest: str
    train_start_time: datetime
    recipe: Mapping[str, JsonValue]
    seed: int
    threads: int
    code_version: str
    packages: Mapping[str, str]

    @classmethod
    def of(cls, metadata: ModelMetadata) -> Self:
        """Return the record of a delivery that this package made."""
        return cls.model_validate(dict(metadata.training))


def expected_metadata(recipe: Recipe) -> ModelMetadata:
    """Describe the delivery of a recipe before it is trained.

    What only training finds has stand-ins: bounds that ask the most of a reader, an ONNX artifact
    as if the conversion had gone well, and empty evidence and provenance.

    Raises:
        MetadataError: the contract does not allow what the recipe declares.
        RecipeError: apps do not, since the examples of such a delivery would prove nothing.
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
                    max_age=plan.least_age if isinstance(recipe.max_age, str) else recipe.max_age,
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
    if narrow := [
        f"`variables`: found {name} in {row.unit} from {row.minimum:g} to {row.maximum:g}, of "
        f"which the tolerance of every artifact, {TOLERANCE[0]:g}, is more than "
        f"{_MOST_OF_RANGE:.0%}; define it in a smaller unit"
        for name, row in recipe.defined.variable_table.items()
        if name in recipe.variables and TOLERANCE[0] > _MOST_OF_RANGE * (row.maximum - row.minimum)
    ]:
        raise RecipeError(recipe.model_type, narrow)
    stand_ins: dict[str, Any] = {
        "applicability_domain": declared_domain(recipe, _widest_ranges(plan)),
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


def optional_parts(recipe: Recipe) -> Iterator[tuple[str, str, ModelMetadata]]:
    """Yield what needs more than the oldest schema: the key, its meaning, metadata of it alone."""
    optional = {key: item for key, item in Recipe.declares().items() if item.meaning}
    bare = recipe.model_copy(update={key: item.without for key, item in optional.items()})
    if declared := (least := expected_metadata(bare)).declared_variables:
        yield "`variables` of the `definitions`", f"the rows of {', '.join(declared)}", least
    for key, item in optional.items():
        value = getattr(recipe, key)
        if isinstance(item.meaning, str):
            asked = {f"`{key}`": (item.meaning, value)} if value != item.without else {}
        else:
            asked = {f"`{one}` of `{key}`": (item.meaning[one], (one,)) for one in value}
        for name, (meaning, alone) in asked.items():
            expected = expected_metadata(bare.model_copy(update={key: alone}))
            yield name, meaning, expected.model_copy(update={"declared_variables": None})


def create_model_metadata(
    recipe: Recipe,
    expected: ModelMetadata,
    result: TrainingResult,
    *,
    data: Mapping[str, str],
    delivery_id: str,
    folder: Path,
    schema: str = SCHEMA_VERSION,
) -> ModelMetadata:
    """Return the metadata of a trained model: what was expected, with what training found.

    Args:
        recipe: becomes part of provenance.
        expected: of the recipe.
        result: of the training process.
        data: ``data_source``, ``data_location`` and ``data_digest`` of what was trained on.
        delivery_id: the delivery's name.
        folder: of the model's artifacts.
        schema: in which it will be written. The scores by lead day and by age are for people; a
            schema that has no words for them gets none, and the model card has them all the same.

    Raises:
        MetadataError: the contract does not allow what was found.
    """
    document = recipe.document()
    # the name of the file, without the folder of this machine
    document["observations"]["source"] = data["data_source"]
    canonical = ONNX_FILE if result.onnx.canonical else SAVED_MODEL_FOLDER
    derived = {"schema_version", "min_reader"}
    kept = {name: getattr(expected, name) for name in expected.model_fields_set - derived}
    has_days = SchemaVersion.parse(schema) >= SchemaVersion.parse("0.4")
    found: dict[str, Any] = {
        "applicability_domain": declared_domain(recipe, result.seen),
        "inputs": tuple(
            item.model_copy(update={"max_age": result.max_age})
            if item.role == OBSERVATIONS
            else item
            for item in expected.inputs
        ),
        "artifacts": _artifacts(result.onnx),
        "delivery_id": delivery_id,
        "created_at": datetime.now(UTC).replace(microsecond=0),
        "model_digest": artifact_digest(folder, canonical),
        "performance": tuple(_performance(one, has_days=has_days) for one in result.judgements),
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


def _performance(one: Evaluation, *, has_days: bool) -> Performance:
    """Describe an evaluation; by lead day up to the first day without observations."""
    inside = {day.day: day.inside for day in one.coverage.days} if one.coverage else {}
    days = [
        DayScore(day=day.day, mae=day.mae, baselines=day.baselines, coverage=inside.get(day.day))
        for place, day in enumerate(one.days, start=1)
        if day.day == place
    ]
    ages = [
        AgeScore(age=each.age, mae=each.mae, baselines=each.baselines, coverage=each.inside)
        for each in one.ages
    ]
    return Performance(
        **one.model_dump(include=_EVALUATED),
        held_out=tuple(Block(start=_utc(start), end=_utc(end)) for start, end in one.held_out),
        by_lead_day=(tuple(days) or None) if has_days else None,
        by_age=(tuple(ages) or None) if has_days else None,
    )


def declared_domain(recipe: Recipe, ranges: Mapping[str, InputRange]) -> dict[str, Bounds] | None:
    """Return the bounds of a recipe's inputs, from the range of every input in training.

    A bound is the observed extreme of the training windows, without a margin; a reader adds its
    own. A key for the highest value of a variable bounds all its inputs alike, as schema 0.1 does.
    """
    asked = recipe.applicability_domain
    bounds = {}
    for item in recipe.blueprint.inputs:
        one, highest = ranges[item.name], None
        if "maximum" in asked:
            highest = one.highest
        elif getattr(recipe, _HIGHEST.get(item.variable, ""), False):
            alike = [each for each in recipe.blueprint.inputs if each.variable == item.variable]
            highest = max(ranges[each.name].highest for each in alike)
        found = Bounds(
            minimum=one.lowest if "minimum" in asked else None,
            maximum=highest,
            max_missing=one.missing if "max_missing" in asked else None,
        )
        if asked or highest is not None:
            bounds[item.name] = found
    return bounds or None


def _widest_ranges(plan: Blueprint) -> dict[str, InputRange]:
    """Return ranges that demand the most of a reader; they stand in until training is done.

    No two inputs of one variable have the same highest value, so that the older fields, one for all
    of them, do not express the bound of each; and no window lacks a value.
    """
    return {
        item.name: InputRange(
            lowest=item.minimum,
            highest=item.maximum - position,
            missing=0.0,
        )
        for position, item in enumerate(plan.inputs)
    }


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
            Artifact(format=ONNX, path=ONNX_FILE, canonical=True, needs=needs),
            Artifact(format=SAVED_MODEL, omitted="its network is not in TensorFlow"),
        )
    onnx: dict[str, Any] = {"path": ONNX_FILE, "needs": needs}
    if report.omitted is not None:
        onnx = {"omitted": report.omitted}
    needs = ArtifactNeeds(tensorflow=version("tensorflow"))
    return (
        Artifact(format=SAVED_MODEL, path=SAVED_MODEL_FOLDER, canonical=True, needs=needs),
        Artifact(format=ONNX, **onnx),
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
