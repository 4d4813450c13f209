"""From a recipe to a delivery, or to nothing at all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pytest
from fairweather_interface.delivery import list_deliveries
from fairweather_interface.errors import (
    CorruptDeliveryError,
    MetadataError,
    NotExpressibleError,
)
from fairweather_interface.metadata import ONNX, SAVED_MODEL
from fairweather_interface.testing import assert_delivery_conforms

from conftest import domain_verdict, result_of
from fairweather_research import (
    ObservationsError,
    Recipe,
    RecipeError,
    TrainingError,
    UnfitDataError,
    train,
)
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.training import train as training
from fairweather_research.training.forkserver import ForkServer
from schemas import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Commanded, Trained


@pytest.fixture(scope="module")
def limited(tiny_document: dict[str, Any], train_once: Callable[[Recipe], Trained]) -> Trained:
    """The small recipe with a measured limit on the age of the newest value."""
    asked = {
        "quantiles": [0.1, 0.9],
        "max_age": "measured",
        "intended_use": "Planning a picnic.",
        "licence": "CC-BY-4.0",
    }
    return train_once(Recipe.parse({**tiny_document, **asked}, source="tiny.yaml"))


def left_in(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir()) if store.exists() else []


def delivering_nothing(trained: Trained) -> Callable[..., TrainingResult]:
    """A training that finds what another one did, and leaves no model."""

    def run(_server: object, _prepared: object, folder: Path, _report: object) -> TrainingResult:
        (folder / "model").mkdir()
        (folder / "model" / "saved_model.pb").write_bytes(b"not a model")
        return result_of(trained)

    return run


def test_a_training_ends_in_a_delivery_without_any_problem(
    trained: Trained, banded: Trained, commanded: Commanded
) -> None:
    for delivery in (trained.delivery, banded.delivery, commanded.delivery):
        assert_delivery_conforms(delivery.path)
    assert list_deliveries(trained.delivery.path.parent) == (trained.delivery.path,)


def test_a_delivery_holds_just_what_the_contract_names(trained: Trained) -> None:
    path = trained.delivery.path
    files = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    assert files == [
        "card/index.html",
        "card/metrics.json",
        "examples.npz",
        "manifest.json",
        "metadata.json",
        "model.onnx",
        "model/saved_model.pb",
        "model/variables/variables.data-00000-of-00001",
        "model/variables/variables.index",
    ]


def test_one_recipe_trained_twice_gives_one_model_and_two_deliveries(
    trained: Trained, commanded: Commanded
) -> None:
    first, second = trained.delivery, commanded.delivery
    assert first.metadata.model_digest == second.metadata.model_digest
    assert first.metadata.delivery_id != second.metadata.delivery_id
    for one, other in zip(first.metadata.performance, second.metadata.performance, strict=True):
        assert one.model_copy(update={"by_lead_day": None, "by_age": None}) == other


def test_metadata_say_what_the_recipe_asked_for(trained: Trained) -> None:
    metadata = trained.delivery.metadata
    assert (metadata.schema_version, metadata.min_reader) == (NEWEST, NEWEST)
    assert list(metadata.areas) == ["EWR", "JFK"]
    assert metadata.variables == ("temperature", "humidity")
    assert metadata.valid_months == (6, 7)
    assert [(i.name, i.variable, i.shape) for i in metadata.required_inputs] == [
        ("humidity", "humidity", (-1, 72)),
        ("temperature", "temperature", (-1, 72)),
    ]
    assert [(o.name, o.unit, o.shape) for o in metadata.outputs] == [
        ("temperature_forecast", "degC", (-1, 48)),
        ("humidity_forecast", "%", (-1, 48)),
    ]
    bounds = metadata.applicability_domain or {}
    assert list(bounds) == ["temperature"]
    assert bounds["temperature"].maximum == pytest.approx(36.1, abs=2)


def test_no_folder_of_this_machine_stands_in_a_delivery(trained: Trained, summer: Path) -> None:
    told = Provenance.of(trained.delivery.metadata)
    assert told.data_source == told.data_location == "summer.parquet"
    assert told.recipe["observations"] == {
        "source": "summer.parquet",
        "location": None,
        "synthetic": False,
    }
    private = {str(summer.parent).encode(), str(trained.delivery.path.parent).encode()}
    for path in trained.delivery.path.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert not [folder for folder in private if folder in held], path


def test_a_recipe_may_say_where_its_file_can_be_had_again(
    tiny: Callable[..., Recipe], summer: Path
) -> None:
    there = "https://example.org/summer.parquet"
    recipe = tiny(observations={"source": str(summer), "location": there})
    assert observations_of(recipe).location == there
    assert observations_of(tiny()).location == "summer.parquet"


def test_provenance_is_enough_to_train_again(trained: Trained, summer: Path) -> None:
    told = Provenance.of(trained.delivery.metadata)
    again = Recipe.parse(dict(told.recipe), source="metadata.json", folder=summer.parent)
    assert again == trained.recipe
    assert told.seed == trained.recipe.seed
    assert told.threads == 1
    assert not told.synthetic
    assert told.data_digest.startswith("sha256:")
    assert told.packages["tensorflow"]
    assert told.train_start_time < told.train_end_time
    assert f"{told.train_start_time:%Y-%m}" == "2013-06"


def test_every_area_and_variable_has_its_performance(trained: Trained) -> None:
    found = [(one.area, one.variable) for one in trained.delivery.metadata.performance]
    assert found == [
        ("EWR", "temperature"),
        ("EWR", "humidity"),
        ("JFK", "temperature"),
        ("JFK", "humidity"),
    ]
    for one in trained.delivery.metadata.performance:
        assert one.skill is not None
        assert one.skill_interval is not None
        assert one.skill_interval[0] <= one.skill <= one.skill_interval[1]
        assert one.held_out
        assert all((b.end - b.start).days == 3 for b in one.held_out)


def test_onnx_reproduces_the_saved_model_on_every_example(trained: Trained) -> None:
    metadata = trained.delivery.metadata
    artifacts = {artifact.format: artifact for artifact in metadata.artifacts}
    assert artifacts[SAVED_MODEL].canonical
    needs = artifacts[ONNX].needs
    assert needs is not None
    assert (needs.opset, needs.ir_version) == (17, 8)
    session = onnxruntime.InferenceSession(str(trained.delivery.path / "model.onnx"))
    with np.load(trained.delivery.path / "examples.npz") as examples:
        feed = {item.name: examples[f"input/{item.name}"] for item in metadata.inputs}
        names = [output.name for output in metadata.outputs]
        for name, found in zip(names, session.run(names, feed), strict=True):
            expected = examples[f"output/{name}"]
            assert np.isfinite(expected).all()
            np.testing.assert_allclose(found, expected, atol=metadata.tolerance[name].absolute)


def test_a_model_takes_any_batch_and_stays_within_the_limits_of_the_real(
    trained: Trained,
) -> None:
    session = onnxruntime.InferenceSession(str(trained.delivery.path / "model.onnx"))
    for humidity in (np.nan, -1e4, 1e4):
        temperature, found = session.run(
            ["temperature_forecast", "humidity_forecast"],
            {
                "humidity": np.full((3, 72), humidity, np.float32),
                "temperature": np.full((3, 72), np.nan, np.float32),
                "reference_time": np.full(3, 1_372_000_000, np.int64),
                "area_index": np.array([0, 1, 0], np.int64),
            },
        )
        assert temperature.shape == found.shape == (3, 48)
        assert np.isfinite(temperature).all()
        assert ((found >= 0) & (found <= 100)).all()


def test_a_recipe_with_bands_forecasts_what_it_forecasts_without(
    trained: Trained, banded: Trained
) -> None:
    with (
        np.load(trained.delivery.path / "examples.npz") as plain,
        np.load(banded.delivery.path / "examples.npz") as with_bands,
    ):
        same = [
            row
            for row in range(10)
            if all(
                np.array_equal(plain[name][row], with_bands[name][row], equal_nan=True)
                for name in ("input/temperature", "input/humidity")
            )
        ]
        assert same
        for name in ("output/temperature_forecast", "output/humidity_forecast"):
            np.testing.assert_array_equal(plain[name][same], with_bands[name][same])


def test_a_recipe_with_bands_trained_twice_gives_one_model_to_the_byte(
    banded: Trained, tmp_path: Path, server: ForkServer
) -> None:
    again = train(banded.recipe, tmp_path / "store", server=server)
    assert again.metadata.model_digest == banded.delivery.metadata.model_digest


def test_onnx_reproduces_the_bands_and_they_hold_the_forecast(banded: Trained) -> None:
    metadata = banded.delivery.metadata
    session = onnxruntime.InferenceSession(str(banded.delivery.path / "model.onnx"))
    with np.load(banded.delivery.path / "examples.npz") as examples:
        feed = {item.name: examples[f"input/{item.name}"] for item in metadata.inputs}
        for output in metadata.outputs:
            names = [quantile.name for quantile in metadata.quantiles(output.name)]
            assert names == [f"{output.name}_q{percent}" for percent in ("2_5", "10", "90")]
            found = session.run([*names, output.name], feed)
            for name, values in zip(names, found, strict=False):
                tolerance = metadata.tolerance[name].absolute
                np.testing.assert_allclose(values, examples[f"output/{name}"], atol=tolerance)
            lowest, low, high, middle = found
            assert (lowest <= low).all()
            assert (low <= middle).all()
            assert (middle <= high).all()
            assert (high - low).min() > 0


def test_examples_get_from_the_contract_the_very_verdict_they_expect(banded: Trained) -> None:
    metadata = banded.delivery.metadata
    assert metadata.min_reader == NEWEST
    with np.load(banded.delivery.path / "examples.npz") as examples:
        found: list[str] = []
        for row in range(len(examples["expect"])):
            codes = {domain_verdict(metadata, examples, row, margin) for margin in (0.0, 3.0)}
            assert len(codes) == 1
            found += codes
        assert found == examples["expect"].tolist()
        assert "out-of-domain" in found


def test_a_model_that_may_not_be_late_says_so_and_its_examples_show_it(limited: Trained) -> None:
    metadata = limited.delivery.metadata
    result = result_of(limited)
    ages = {item.max_age for item in metadata.required_inputs}
    assert ages == {result.max_age}
    assert ages <= {timedelta(minutes=30), timedelta(hours=3), timedelta(hours=6)}
    assert [item.max_age for item in metadata.inputs[2:]] == [None, None]
    assert metadata.min_reader == NEWEST
    assert (metadata.intended_use, metadata.licence) == ("Planning a picnic.", "CC-BY-4.0")
    with np.load(limited.delivery.path / "examples.npz") as examples:
        found = [
            domain_verdict(metadata, examples, row, 3.0) for row in range(len(examples["expect"]))
        ]
        assert found == examples["expect"].tolist()
        assert set(found) == {"serve", "out-of-domain", "observations-stale"}


def test_metadata_say_how_good_each_day_is_and_day_1_by_age(
    trained: Trained, banded: Trained
) -> None:
    for each in (trained, banded):
        for one, judged in zip(
            each.delivery.metadata.performance, result_of(each).judgements, strict=True
        ):
            days, ages = one.by_lead_day or (), one.by_age or ()
            assert [day.day for day in days] == [1, 2]
            assert [age.age for age in ages] == [timedelta(hours=3), timedelta(hours=6)]
            assert [day.skill for day in days] == pytest.approx([day.skill for day in judged.days])
            assert [age.skill for age in ages] == pytest.approx([age.skill for age in judged.ages])
            coverage = judged.coverage
            assert (coverage is None) is (each is trained)
            inside = [day.inside for day in coverage.days] if coverage else [None, None]
            assert [day.coverage for day in days] == inside
            assert [age.coverage for age in ages] == [age.inside for age in judged.ages]
            mae, better = (
                sum(day.mae for day in days),
                sum(min(day.baselines.values()) for day in days),
            )
            assert one.skill == pytest.approx(1 - mae / better)


def test_a_delivery_in_an_older_schema_says_so_and_is_the_same_model(
    trained: Trained, commanded: Commanded
) -> None:
    older, newest = commanded.delivery.metadata, trained.delivery.metadata
    assert (older.schema_version, newest.schema_version) == ("0.2", NEWEST)
    assert json.loads((commanded.delivery.path / "metadata.json").read_text())[
        "schema_version"
    ] == ("0.2")
    assert older.model_digest == newest.model_digest
    page = (commanded.delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    assert "0.2, for readers from 0.1" in page


def test_what_an_older_schema_cannot_say_is_refused_before_a_process_starts(
    banded_recipe: Recipe, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "observations_of", lambda *_: pytest.fail("something was read"))
    with pytest.raises(NotExpressibleError, match="take out `quantiles`"):
        train(banded_recipe, store, schema="0.2")
    with pytest.raises(MetadataError, match="found the schema"):
        train(banded_recipe, store, schema="9.9")
    assert left_in(store) == []


def test_a_meaning_that_only_training_reveals_is_not_lost_either(
    banded: Trained, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairweather_research.delivery.compatibility._written", lambda one, _: one)
    monkeypatch.setattr(training, "run_training", delivering_nothing(banded))
    with pytest.raises(NotExpressibleError, match="uncertainty"):
        train(banded.recipe, store, schema="0.2")
    assert left_in(store) == []


def test_progress_tells_every_stage_once_and_every_epoch(trained: Trained) -> None:
    stages = [one.stage for one in trained.progress if one.epoch is None]
    assert stages == [stage for stage in training.STAGES if stage != "bands"]
    epochs = [one.epoch.number for one in trained.progress if one.epoch]
    assert epochs == [1, 2, 3]


def test_bands_are_a_stage_of_their_own_with_its_epochs(banded: Trained) -> None:
    stages = [one.stage for one in banded.progress if one.epoch is None]
    assert stages == list(training.STAGES)
    fitted = [one.epoch.number for one in banded.progress if one.epoch and one.stage == "bands"]
    assert fitted[:1] == [1]


def test_a_region_at_another_rate_is_trained_and_served_from_one_graph(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any], store: Path, server: ForkServer
) -> None:
    definitions = {
        **tiny_document["definitions"],
        "training": {
            "required_inputs": [
                {"humidity": {"period": "1 day", "sample_rate": "30 minutes"}},
                {"temperature": {"area": "Airports", "period": "3 days", "sample_rate": "1 hour"}},
            ]
        },
    }
    recipe = tiny(
        definitions=definitions,
        areas=["JFK"],
        variables=["humidity"],
        max_missing=0.5,
        max_temperature_seen=False,
        max_humidity_seen=True,
        fit={"epochs": 1},
    )
    metadata = train(recipe, store, server=server).metadata
    assert [item.name for item in metadata.required_inputs] == ["humidity", "temperature_airports"]
    assert metadata.required_inputs[1].areas == ("EWR", "JFK")
    bounds = metadata.applicability_domain or {}
    assert list(bounds) == ["humidity"]
    assert 80 < (bounds["humidity"].maximum or 0) <= 100
    assert (metadata.schema_version, metadata.min_reader) == (NEWEST, NEWEST)
    assert all(artifact.omitted is None for artifact in metadata.artifacts)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"season": [1]}, UnfitDataError),
        ({"variables": ["pressure"]}, UnfitDataError),
        ({"observations": {"source": "none.parquet"}}, ObservationsError),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_process_starts(
    tiny: Callable[..., Recipe],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    error: type[Exception],
) -> None:
    monkeypatch.setattr(ForkServer, "start", lambda *_: pytest.fail("a process was started"))
    with pytest.raises(error):
        train(tiny(**changes), store)
    assert left_in(store) == []


def test_a_recipe_may_be_a_path_and_is_checked_all_the_same(tmp_path: Path, store: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("topic: nothing else", encoding="utf-8")
    with pytest.raises(RecipeError, match="`season`: missing"):
        train(tmp_path / "recipe.yaml", store)


def test_what_does_not_conform_is_not_delivered(
    tiny: Callable[..., Recipe],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Trained,
) -> None:
    monkeypatch.setattr(training, "run_training", delivering_nothing(trained))
    with pytest.raises(CorruptDeliveryError, match=r"examples\.npz: not found"):
        train(tiny(), store)
    assert left_in(store) == []


def test_a_store_that_is_a_file_is_refused(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot be used as a store"):
        train(tiny(), tmp_path / "file" / "store")
