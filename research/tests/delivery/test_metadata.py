"""Blueprint and metadata: one source of names, shapes and units; the bounds that are declared."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fairweather_interface.metadata import (
    ONNX,
    Bounds,
    ModelMetadata,
    dump_metadata,
    read_metadata,
)

from fairweather_research import Recipe, load_observations, load_recipe
from fairweather_research.dataset.window_set import InputRange, WindowSet
from fairweather_research.delivery.metadata import (
    _widest_ranges,
    create_model_metadata,
    declared_domain,
    expected_metadata,
)
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.evaluation.scores import evaluate
from fairweather_research.export.artifacts import OnnxReport
from fairweather_research.networks.base import EpochRecord
from schemas import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable

from conftest import RECIPES

ID = "0b95678a-d565-4f80-924c-b172f778e790"
ISRAEL = {
    "topic": "weather",
    "author": "someone",
    "model_type": "WinterPredictor",
    "areas": ["Beit-Shemesh", "Jerusalem"],
    "variables": ["humidity", "temperature"],
    "season": [12, 1],
    "definitions": "israel",
    "observations": {"source": "generated.parquet", "synthetic": True},
}


@pytest.fixture
def described(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet, summer: Path, tmp_path: Path
) -> Callable[..., ModelMetadata]:
    """Metadata of a training that never was, with changes to its result."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"model")

    def describe(
        recipe: Recipe | None = None, *, schema: str = NEWEST, **changes: Any
    ) -> ModelMetadata:
        result = TrainingResult(
            windows=10,
            train_start=1_370_000_000,
            train_end=1_375_000_000,
            seen={
                "humidity": InputRange(lowest=20.0, highest=97.0, missing=0.05),
                "temperature": InputRange(lowest=11.5, highest=31.5, missing=0.0),
            },
            epochs=(EpochRecord(number=1, training=1.0, calibration=1.0),),
            best_epoch=1,
            shrinkage={"temperature_forecast": (1.0,)},
            widening={},
            judgements=evaluate(tiny_windows, tiny_windows.targets() + 1.0),
            portraits={},
            onnx=OnnxReport(opset=17, ir_version=8),
            origin={},
            threads=1,
            platform="Linux",
        )
        recipe = recipe or tiny()
        return create_model_metadata(
            recipe,
            expected_metadata(recipe),
            result.model_copy(update=changes),
            data={
                "data_source": summer.name,
                "data_location": summer.name,
                "data_digest": load_observations(str(summer)).archive.digest(),
            },
            delivery_id=ID,
            folder=tmp_path,
            schema=schema,
        )

    return describe


def test_the_talks_example_is_a_blueprint() -> None:
    plan = Recipe.parse(ISRAEL, source="israel.yaml").blueprint
    humidity, temperature = plan.inputs
    assert list(plan.areas) == ["Beit-Shemesh", "Jerusalem"]
    assert (humidity.name, humidity.samples, humidity.members) == ("humidity", 43_200, None)
    assert (temperature.name, temperature.samples) == ("temperature_israel", 8_640)
    assert temperature.members == ("Jerusalem", "Beit-Shemesh")
    assert temperature.areas_read("Jerusalem") == temperature.members
    assert humidity.areas_read("Jerusalem") == ("Jerusalem",)
    assert (plan.steps, plan.leads, plan.steps_a_day) == (720, 168, 24)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_output_of_our_recipes_is_named_like_an_input(path: Path) -> None:
    plan = load_recipe(path).blueprint
    names = [item.name for item in plan.inputs] + [item.name for item in plan.outputs]
    assert len(set(names)) == len(names)


def test_the_limits_of_an_output_are_those_of_the_contract() -> None:
    (output, *_) = Recipe.parse(ISRAEL, source="israel.yaml").blueprint.outputs
    assert (output.unit, output.minimum, output.maximum) == ("%", 0, 100)


def test_metadata_name_roles_units_and_durations(
    described: Callable[..., ModelMetadata],
) -> None:
    metadata = described()
    assert metadata.delivery_id == ID
    assert [item.role for item in metadata.inputs] == [
        "observations",
        "observations",
        "reference_time",
        "area_index",
    ]
    assert metadata.required_inputs[0].sample_rate == timedelta(hours=1)
    assert metadata.required_inputs[0].max_missing == 0.1
    assert metadata.horizon == timedelta(days=2)
    assert set(metadata.tolerance) == {output.name for output in metadata.outputs}
    assert (metadata.schema_version, metadata.min_reader) == (NEWEST, NEWEST)
    assert metadata.applicability_domain == {"temperature": Bounds(maximum=31.5)}
    assert metadata.uncertainty is None


def of_schema(metadata: ModelMetadata, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dump_metadata(metadata, schema=schema))
    return document


def test_bounds_are_those_that_the_recipe_asks_for_and_older_words_say_them_too(
    described: Callable[..., ModelMetadata], tiny: Callable[..., Recipe]
) -> None:
    older = ("max_humidity_seen", "max_temperature_seen", "min_reader")
    whole = described(tiny(applicability_domain=["minimum", "maximum", "max_missing"]))
    assert whole.applicability_domain == {
        "humidity": Bounds(minimum=20.0, maximum=97.0, max_missing=0.05),
        "temperature": Bounds(minimum=11.5, maximum=31.5, max_missing=0.0),
    }
    assert [of_schema(whole, "0.4")[name] for name in older] == [97.0, 31.5, "0.3"]

    highest_asked = tiny(applicability_domain=["maximum"], max_temperature_seen=False)
    document = of_schema(described(highest_asked, schema="0.2"), "0.2")
    assert [document[name] for name in older] == [97.0, 31.5, "0.2"]
    assert "applicability_domain" not in document


def test_quantiles_are_declared_beside_the_outputs_with_a_tolerance_of_their_own(
    described: Callable[..., ModelMetadata], tiny: Callable[..., Recipe]
) -> None:
    metadata = described(tiny(quantiles=[0.025, 0.9]))
    assert [output.name for output in metadata.outputs] == [
        "temperature_forecast",
        "humidity_forecast",
    ]
    assert [(q.name, q.probability) for q in metadata.quantiles("humidity_forecast")] == [
        ("humidity_forecast_q2_5", 0.025),
        ("humidity_forecast_q90", 0.9),
    ]
    assert set(metadata.tolerance) == {
        name
        for output in metadata.outputs
        for name in (output.name, *(q.name for q in metadata.quantiles(output.name)))
    }
    assert of_schema(metadata, "0.4")["min_reader"] == "0.1"


def test_what_is_expected_before_training_is_what_training_declares(
    described: Callable[..., ModelMetadata], tiny: Callable[..., Recipe]
) -> None:
    recipe = tiny(quantiles=[0.1, 0.9], applicability_domain=["minimum", "maximum"])
    expected, trained = expected_metadata(recipe), described(recipe)
    for field in ("areas", "inputs", "outputs", "artifacts", "tolerance", "uncertainty"):
        assert getattr(expected, field) == getattr(trained, field), field
    for metadata in (expected, trained):
        assert of_schema(metadata, "0.4")["min_reader"] == "0.3"


def test_an_onnx_artifact_that_was_left_out_says_why(
    described: Callable[..., ModelMetadata],
) -> None:
    metadata = described(onnx=OnnxReport(omitted="it answers otherwise"))
    onnx = next(artifact for artifact in metadata.artifacts if artifact.format == ONNX)
    assert onnx.path is None
    assert onnx.omitted == "it answers otherwise"
    assert metadata.canonical.path == "model"


def test_synthetic_observations_are_declared(
    described: Callable[..., ModelMetadata], tiny: Callable[..., Recipe], summer: Path
) -> None:
    recipe = tiny(observations={"source": str(summer), "synthetic": True})
    assert described(recipe).training.synthetic
    assert not described().training.synthetic


def test_a_performance_without_skill_has_none_and_no_number_is_invented(
    described: Callable[..., ModelMetadata], tiny_windows: WindowSet
) -> None:
    evaluated = evaluate(tiny_windows, tiny_windows.targets())
    perfect = tuple(
        one.model_copy(update={"skill": None, "skill_interval": None}) for one in evaluated
    )
    for one in described(judgements=perfect).performance:
        assert one.skill is None
        assert one.skill_interval is None
        assert one.count is not None
        assert one.count > 0


def test_the_scores_by_day_end_before_a_day_that_nobody_observed(
    described: Callable[..., ModelMetadata], tiny_windows: WindowSet
) -> None:
    (one, *_) = evaluate(tiny_windows, tiny_windows.targets() + 1.0)

    def days(*kept: int) -> list[int] | None:
        scores = tuple(one.days[0].model_copy(update={"day": day}) for day in kept)
        found = described(judgements=(one.model_copy(update={"days": scores}),))
        by_day = found.performance[0].by_lead_day
        return None if by_day is None else [day.day for day in by_day]

    assert days(1, 2, 3) == [1, 2, 3]
    assert days(1, 2, 4) == [1, 2]
    assert days(2, 3) is None


@pytest.mark.parametrize(("schema", "has_days"), [("0.2", False), ("0.3", False), (NEWEST, True)])
def test_an_older_schema_gets_no_scores_by_day_and_can_be_written(
    described: Callable[..., ModelMetadata], schema: str, *, has_days: bool
) -> None:
    written = read_metadata(dump_metadata(described(schema=schema), schema=schema))
    assert all((one.by_lead_day is not None) is has_days for one in written.performance)
    assert all(one.skill is not None for one in written.performance)


def test_a_limit_on_age_holds_for_every_input_of_observations(
    described: Callable[..., ModelMetadata], tiny: Callable[..., Recipe]
) -> None:
    stated = tiny(max_age="3 hours")
    found = described(stated, max_age=timedelta(hours=3))
    for metadata in (expected_metadata(stated), found):
        ages = [item.max_age for item in metadata.inputs]
        assert ages == [timedelta(hours=3)] * 2 + [None] * 2
        assert of_schema(metadata, "0.4")["min_reader"] == "0.4"
    measured = tiny(max_age="measured", quantiles=[0.1, 0.9])
    assert of_schema(expected_metadata(measured), "0.4")["min_reader"] == "0.4"
    assert described(measured, max_age=timedelta(hours=6)).inputs[0].max_age == timedelta(hours=6)


SEEN = {
    "humidity": InputRange(lowest=20.0, highest=97.0, missing=0.05),
    "temperature": InputRange(lowest=-4.0, highest=31.5, missing=0.0),
}


def test_nothing_is_declared_that_was_not_asked_for(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny(max_temperature_seen=False)
    assert declared_domain(recipe, SEEN) is None


def test_a_key_of_one_variable_bounds_its_inputs_alone(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny(applicability_domain=["minimum"])
    assert declared_domain(recipe, SEEN) == {
        "humidity": Bounds(minimum=20.0),
        "temperature": Bounds(minimum=-4.0, maximum=31.5),
    }


def test_a_maximum_of_all_inputs_goes_before_the_keys_of_their_variables(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(applicability_domain=["maximum"], max_temperature_seen=False)
    assert declared_domain(recipe, SEEN) == {
        "humidity": Bounds(maximum=97.0),
        "temperature": Bounds(maximum=31.5),
    }


PLAIN: dict[str, Any] = {"max_temperature_seen": False}
TWICE = [
    {"temperature": {"period": "3 days", "sample_rate": "1 hour"}},
    {"temperature": {"area": "Airports", "period": "3 days", "sample_rate": "1 hour"}},
]


@pytest.mark.parametrize(
    ("changes", "min_reader"),
    [
        ({}, "0.1"),
        ({"quantiles": [0.1, 0.9]}, "0.1"),
        ({"max_temperature_seen": True}, "0.1"),
        ({"max_humidity_seen": True}, "0.2"),
        ({"applicability_domain": ["maximum"]}, "0.2"),  # humidity: 0.2's max_humidity_seen
        ({"applicability_domain": ["minimum"]}, "0.3"),
        ({"applicability_domain": ["max_missing"]}, "0.3"),
        ({"applicability_domain": ["max_missing"], "max_missing": 0}, "0.1"),
        ({"max_age": "3 hours"}, "0.4"),
    ],
)
def test_the_handbook_is_right_about_who_can_still_read_a_bound(
    tiny: Callable[..., Recipe], changes: dict[str, Any], min_reader: str
) -> None:
    expected = expected_metadata(tiny(**{**PLAIN, **changes}))
    assert of_schema(expected, "0.4")["min_reader"] == min_reader


def test_a_maximum_of_each_of_two_inputs_of_a_variable_needs_a_reader_of_the_newest(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any]
) -> None:
    def expected(*inputs: object) -> str:
        definitions = {**tiny_document["definitions"], "training": {"required_inputs": inputs}}
        recipe = tiny(definitions=definitions, applicability_domain=["maximum"])
        return str(of_schema(expected_metadata(recipe), "0.4")["min_reader"])

    assert expected(TWICE[0]) == "0.1"
    assert expected(*TWICE) == "0.3"


def test_the_worst_that_training_could_see_is_real_and_differs_between_inputs(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any]
) -> None:
    definitions = {**tiny_document["definitions"], "training": {"required_inputs": TWICE}}
    one, other = _widest_ranges(tiny(definitions=definitions).blueprint).values()
    assert -80 <= one.lowest < one.highest <= 60
    assert one.highest != other.highest
