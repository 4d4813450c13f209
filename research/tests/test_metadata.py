"""Blueprint and metadata: one source of names, shapes and units."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fairweather_interface.metadata import ONNX, ModelMetadata

from fairweather_research import Recipe, load_observations, load_recipe
from fairweather_research._metadata import create_model_metadata
from fairweather_research.blueprint import blueprint_of
from fairweather_research.dataset import WindowSet
from fairweather_research.evaluation import judge
from fairweather_research.results import EpochRecord, OnnxReport, TrainingResult

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

    def describe(recipe: Recipe | None = None, **changes: Any) -> ModelMetadata:
        result = TrainingResult(
            windows=10,
            train_start=1_370_000_000,
            train_end=1_375_000_000,
            max_temperature_seen=31.5,
            max_humidity_seen=97.0,
            epochs=(EpochRecord(number=1, training=1.0, calibration=1.0),),
            best_epoch=1,
            shrinkage={"temperature_forecast": (1.0,)},
            judgements=judge(tiny_windows, tiny_windows.targets() + 1.0),
            onnx=OnnxReport(opset=17, ir_version=8),
            threads=1,
            platform="Linux",
        )
        return create_model_metadata(
            recipe or tiny(),
            load_observations(str(summer)),
            result.model_copy(update=changes),
            delivery_id=ID,
            folder=tmp_path,
        )

    return describe


def test_the_talks_example_is_a_blueprint() -> None:
    plan = blueprint_of(Recipe.parse(ISRAEL, source="israel.yaml"))
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
    plan = blueprint_of(load_recipe(path))
    names = [item.name for item in plan.inputs] + [item.name for item in plan.outputs]
    assert len(set(names)) == len(names)


def test_the_limits_of_an_output_are_those_of_the_contract() -> None:
    (output, *_) = blueprint_of(Recipe.parse(ISRAEL, source="israel.yaml")).outputs
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
    assert metadata.max_temperature_seen == 31.5
    assert metadata.max_humidity_seen == 97.0
    assert metadata.min_reader == "0.2"


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
    judged = judge(tiny_windows, tiny_windows.targets())
    perfect = tuple(
        one.model_copy(update={"skill": None, "skill_interval": None}) for one in judged
    )
    for one in described(judgements=perfect).performance:
        assert one.skill is None
        assert one.skill_interval is None
        assert one.count > 0
