"""Data that nobody wants: each gives a clear refusal or the right behaviour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pandas as pd
import pytest
from fairweather_interface.archive import COLUMNS
from fairweather_interface.variables import VARIABLES

from conftest import domain_verdict
from fairweather_research import Recipe, UnfitDataError, load_observations, train, write_archive
from fairweather_research.cli.progress import show_skill
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.observations.quality import control
from fairweather_research.observations.series import Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairweather_interface.delivery import Delivery

    from conftest import Trained

HOUR = 3600
COLD = -70.0  # degC, far below 0 and yet possible


def hourly(area: str, variable: str, unit: str, values: Any, start: str) -> pd.DataFrame:
    time = pd.date_range(start, periods=len(values), freq="h", tz="UTC").as_unit("s")
    columns = {"area": area, "time": time, "variable": variable, "unit": unit, "value": values}
    return pd.DataFrame(columns)[list(COLUMNS)]


def world(start: str = "2024-02-01", days: int = 60) -> pd.DataFrame:
    """One area over a leap day and the days clocks change: bitterly cold, always saturated."""
    hours = np.arange(24 * days)
    wave = 9 * np.sin(hours * (2 * np.pi / 24)) + 4 * np.sin(hours * (2 * np.pi / 111))
    cold = np.random.default_rng(5).normal(scale=0.5, size=len(hours)) + wave + COLD + 8
    return pd.concat(
        [
            hourly("Jerusalem", "temperature", "degC", np.clip(cold, -80.0, None), start),
            hourly("Jerusalem", "humidity", "%", np.full(len(hours), 100.0), start),
        ],
        ignore_index=True,
    )


def document(path: Path, **changes: object) -> dict[str, Any]:
    """A small recipe for one area: three days of past, two days ahead."""
    return {
        "topic": "bad data",
        "author": "the tests",
        "model_type": "TinyPredictor",
        "areas": ["Jerusalem"],
        "variables": ["temperature", "humidity"],
        "season": [2, 3],
        "definitions": {
            "application": {
                "area": "Hills",
                "areas": {
                    "Jerusalem": {
                        "latitude": 31.78,
                        "longitude": 35.22,
                        "timezone": "Asia/Jerusalem",
                    }
                },
            },
            "training": {
                "required_inputs": [
                    {"humidity": {"period": "3 days", "sample_rate": "1 hour"}},
                    {"temperature": {"area": "Hills", "period": "3 days", "sample_rate": "1 hour"}},
                ]
            },
        },
        "observations": {"source": str(path), "synthetic": True},
        "horizon": "2 days",
        "quantiles": [0.1, 0.9],
        "fit": {"epochs": 2},
        "split": {"every": "12 days", "held_out": "3 days", "calibration": "2 days"},
        **changes,
    }


def recipe(path: Path, **changes: object) -> Recipe:
    return Recipe.parse(document(path, **changes), source="bad.yaml")


def stored(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "bad.parquet"
    write_archive(Archive(table), path)
    return path


def problems(table: pd.DataFrame, folder: Path, **changes: object) -> list[str]:
    path = stored(table, folder)
    with pytest.raises(UnfitDataError) as refused:
        WindowSet.choose(recipe(path, **changes), load_observations(str(path)).archive)
    return list(refused.value.problems)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """What comes of the strange world: one area, a constant series, bitter cold."""
    folder = tmp_path_factory.mktemp("strange")
    return train(recipe(stored(world(), folder)), folder / "store")


def test_a_series_that_never_moves_is_forecast_as_it_is_and_has_no_skill(
    delivery: Delivery,
) -> None:
    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    still = next(one for one in metrics["judgements"] if one["variable"] == "humidity")
    assert still["mae"] < 0.01
    assert still["skill"] is None or still["skill"] <= 0
    declared = {one.variable: one for one in delivery.metadata.performance}
    assert declared["humidity"].skill == still["skill"]
    with np.load(delivery.path / "examples.npz") as examples:
        serve = examples["expect"] == "serve"
        np.testing.assert_allclose(examples["output/humidity_forecast"][serve], 100.0, atol=0.1)


def test_a_sensor_that_is_stuck_leaves_too_little_to_learn_and_says_so(tmp_path: Path) -> None:
    table = world()
    table.loc[table["variable"] == "humidity", "value"] = 57.0  # no saturated air: a stuck sensor
    _, report = control(table, VARIABLES)
    (stuck,) = (series for series in report.series if series.variable == "humidity")
    assert stuck.dropped == {"persistence": 24 * 60 - 1}
    (problem,) = problems(table, tmp_path)
    assert problem.startswith("`max_missing`: no window of Jerusalem in the season has at most 10%")


def test_values_far_below_zero_and_at_the_edge_of_the_possible_are_learned_and_served(
    delivery: Delivery,
) -> None:
    metadata = delivery.metadata
    (bounds,) = (metadata.applicability_domain or {}).values()
    assert bounds.maximum is not None
    assert bounds.maximum < 0
    onnx = onnxruntime.InferenceSession(delivery.path / "model.onnx")
    with np.load(delivery.path / "examples.npz") as examples:
        inputs = {i.name: examples[f"input/{i.name}"] for i in metadata.inputs}
        names = [output.name for output in onnx.get_outputs()]
        answers = dict(zip(names, onnx.run(names, inputs), strict=True))
        verdicts = [
            domain_verdict(metadata, examples, row, 3.0) for row in range(len(examples["expect"]))
        ]
        assert verdicts == examples["expect"].tolist()
    assert all(np.isfinite(values).all() for values in answers.values())
    assert answers["temperature_forecast"].min() >= -80.0
    assert answers["temperature_forecast"].max() < 0.0


def test_made_up_data_are_called_so_in_the_metadata_and_on_the_card(delivery: Delivery) -> None:
    assert delivery.metadata.training.synthetic
    card = (delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    assert "Synthetic: this model was trained on generated data" in card


def test_figures_of_made_up_data_are_called_so_where_they_are_shown(
    delivery: Delivery, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    show_skill(delivery)
    assert "Synthetic: trained and evaluated on generated data" in capsys.readouterr().err
    show_skill(trained.delivery)
    assert "ynthetic" not in capsys.readouterr().err
    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["synthetic"] is True


def test_training_ends_with_the_observations_not_with_the_leads_beyond(delivery: Delivery) -> None:
    last = world()["time"].max().to_pydatetime()
    assert delivery.metadata.training.train_end_time <= last


def test_one_area_is_a_region_of_its_own(delivery: Delivery) -> None:
    (region,) = (item for item in delivery.metadata.required_inputs if item.areas)
    assert region.name == "temperature_hills"
    assert region.areas == ("Jerusalem",)
    assert list(delivery.metadata.areas) == ["Jerusalem"]


@pytest.mark.parametrize(
    ("day", "what"), [("2024-02-29", "the leap day"), ("2024-03-29", "the day clocks change")]
)
def test_a_day_that_calendars_treat_otherwise_is_a_day_of_24_reference_times(
    tmp_path: Path, day: str, what: str
) -> None:
    path = stored(world(), tmp_path)
    windows = WindowSet.choose(recipe(path), load_observations(str(path)).archive)
    start = int(pd.Timestamp(day, tz="UTC").timestamp())
    inside = (windows.reference >= start) & (windows.reference < start + 24 * HOUR)
    assert inside.sum() == 24, what
    assert set(np.diff(windows.reference[inside])) == {HOUR}
    assert np.isfinite(windows.rows(inside).targets()).any(axis=2).all()
    window = windows.rows(inside).inputs()["temperature_hills"]
    assert window.shape == (24, 72)
    assert np.isfinite(window).all()


def test_a_month_of_the_season_that_is_missing_whole_is_refused_by_name(tmp_path: Path) -> None:
    table = world(days=120)  # February to May
    april = table["time"].dt.month == 4
    table.loc[april, "value"] = np.nan
    (problem,) = problems(table, tmp_path, season=[2, 3, 4, 5])
    assert problem.startswith("`season`: fewer than 24 windows of Jerusalem in April;")
    assert problem.endswith("take this month out or bring more observations")


def test_beside_a_missing_month_the_others_are_trained(tmp_path: Path) -> None:
    table = world(days=120)
    path = stored(table[table["time"].dt.month != 4], tmp_path)
    windows = WindowSet.choose(recipe(path, season=[2, 3, 5]), load_observations(str(path)).archive)
    times = pd.to_datetime(windows.reference, unit="s", utc=True).tz_convert("Asia/Jerusalem")
    assert set(times.month) == {2, 3, 5}
    in_may = windows.rows(np.flatnonzero(times.month == 5))
    lost = np.isnan(in_may.inputs()["temperature_hills"]).mean(axis=1)
    assert lost.max() <= 0.1  # no window of May reaches far into the month that is missing


def test_a_recipe_that_asks_for_more_history_than_there_is_is_told_how_much(
    tmp_path: Path,
) -> None:
    table = world(days=20)
    asked = document(tmp_path / "bad.parquet")["definitions"]
    asked["training"]["required_inputs"][0]["humidity"]["period"] = "30 days"
    (problem,) = problems(table, tmp_path, definitions=asked)
    assert problem.startswith("`observations`: too short a record: 20 days from 2024-02-01")
    assert "need 32 days (period 30 days, horizon 2 days)" in problem
    assert problem.endswith("bring more observations or shorten either")


def test_what_cannot_be_real_never_reaches_a_window(tmp_path: Path) -> None:
    table = world()
    table.loc[[100, 200, 300], "value"] = [-300.0, 61.0, 1e9]
    path = stored(table, tmp_path)
    found = load_observations(str(path))
    (series,) = (series for series in found.report.series if series.variable == "temperature")
    assert series.dropped == {"range": 3}
    windows = WindowSet.choose(recipe(path), found.archive)
    values = windows.inputs()["temperature_hills"]
    assert np.nanmin(values) >= -80.0
    assert np.nanmax(values) <= 60.0
    assert np.isnan(values).any()


def test_observations_without_a_single_value_are_refused(
    tmp_path: Path, tiny: Callable[..., Recipe]
) -> None:
    table = world()
    table["value"] = np.nan
    path = stored(table, tmp_path)
    found = load_observations(str(path))
    assert found.report.kept == 0
    with pytest.raises(UnfitDataError, match=r"no observations at EWR; .* holds Jerusalem;"):
        WindowSet.choose(tiny(observations={"source": str(path)}), found.archive)


def test_what_was_dropped_stands_in_the_refusal_with_its_check_and_an_example(
    tmp_path: Path,
) -> None:
    table = world()
    table.loc[table["variable"] == "temperature", "value"] += 273.15 + 70  # kelvin, said to be degC
    (problem,) = problems(table, tmp_path)
    assert problem.startswith(
        "`observations`: no temperature at Jerusalem can be used: quality control dropped 1,440 of "
        "1,440 rows of temperature at Jerusalem (1,440 by range); for example "
    )
    assert "looks like K, not degC" in problem


def test_what_was_dropped_stands_in_a_refusal_for_another_reason_too(tmp_path: Path) -> None:
    table = world()
    humid = table["variable"] == "humidity"
    table.loc[humid & (table["time"] >= "2024-02-10T00:00Z"), "value"] = 57.0
    (problem,) = problems(table, tmp_path, season=[3])
    assert problem.startswith("`max_missing`: no window of Jerusalem")
    assert "quality control dropped 1,223 of 1,440 rows of humidity at Jerusalem" in problem
    assert "(1,223 by persistence); for example 57 % at" in problem


def test_an_input_that_was_observed_more_rarely_than_it_is_read_says_what_to_write(
    tmp_path: Path,
) -> None:
    table = world()
    rare = table[(table["time"].dt.hour % 3 == 0) | (table["variable"] == "temperature")]
    (problem,) = problems(rare, tmp_path)
    assert problem == (
        "`max_missing`: no window of Jerusalem in the season has at most 10% of its values "
        "missing; there is humidity every 3 hours, less often than the sample rate says; write "
        "`sample_rate: 3 hours` for what comes so seldom, and `step: 3 hours`"
    )
    asked = document(tmp_path / "bad.parquet")["definitions"]
    asked["training"]["required_inputs"][0]["humidity"]["sample_rate"] = "3 hours"
    written = recipe(stored(rare, tmp_path), definitions=asked, step="3 hours")
    assert len(WindowSet.choose(written, observations_of(written).archive))


def test_names_in_a_refusal_are_those_of_the_whole_source_and_like_ones_first(
    tmp_path: Path,
) -> None:
    table = world()
    others = [table.assign(area=f"Area {number:02}") for number in range(15)]
    path = stored(pd.concat([table.assign(area="jerusalem"), *others]), tmp_path)
    asked = recipe(path)
    with pytest.raises(UnfitDataError) as refused:
        WindowSet.choose(asked, observations_of(asked).archive)
    (problem,) = refused.value.problems
    shown = ", ".join(["jerusalem", *(f"Area {number:02}" for number in range(9))])
    assert f"no observations at Jerusalem; {path} holds {shown} and 6 more; choose" in problem
