"""Several networks in one graph: each row gets the answer of its own, in every runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pytest
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
from fairweather_interface.metadata import ONNX, SAVED_MODEL, Area, dump_metadata, read_metadata
from fairweather_interface.testing import assert_delivery_conforms

from fairweather_research.dataset.branches import ByMonth
from fairweather_research.dataset.climatology import TERMS, terms
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.export import artifacts
from fairweather_research.export.graph import Bands, Constants, ForecastGraph, Multiplexed
from fairweather_research.export.saved_model import Conversion, serialize_model
from fairweather_research.recipes.blueprint import Blueprint, InputPlan, OutputPlan, QuantilePlan
from switches import by_humidity

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

    import numpy.typing as npt

    from conftest import Trained
    from fairweather_research.dataset.branches import Switch

HOUR = 3600
NEW_YEAR = 1_388_534_400  # of 2014
PLAN = Blueprint(
    areas={"A": Area(latitude=0.0, longitude=0.0, timezone="UTC")},
    inputs=(
        InputPlan(
            name="humidity",
            variable="humidity",
            unit="%",
            minimum=0.0,
            maximum=100.0,
            period=timedelta(hours=6),
            sample_rate=timedelta(minutes=30),
            max_missing=0.5,
            members=None,
        ),
    ),
    outputs=(
        OutputPlan(
            name="humidity_forecast", variable="humidity", unit="%", minimum=0.0, maximum=100.0
        ),
    ),
    step=timedelta(hours=1),
    leads=2,
)
SUMMER = ByMonth(branch_of=(1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1))


class Says:
    """A network that always says the same."""

    variables: tuple[Any, ...] = ()

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:
        assert not training
        return tf.fill([tf.shape(inputs[0])[0], 1, PLAN.leads], self.value)


humid = partial(by_humidity, steps=3, areas=1)


def graph(switch: Switch, *said: float, usual: Any = None, **more: Any) -> ForecastGraph:
    constants = Constants(
        input_usual=np.zeros((1, 1, TERMS)) if usual is None else usual,
        input_spread=np.ones((1, 1)),
        output_usual=np.zeros((1, 1, TERMS)),
        output_spread=np.ones((1, 1)),
        shrinkage=np.ones((1, PLAN.leads)),
    )
    return ForecastGraph(
        more.pop("plan", PLAN), Multiplexed([Says(v) for v in said], switch), constants, **more
    )


def ask(made: ForecastGraph, humidity: Any, time: Any = NEW_YEAR) -> dict[str, Any]:
    rows = max(np.ndim(time) and len(time), len(humidity) if np.ndim(humidity) == 2 else 1)
    window = np.broadcast_to(np.asarray(humidity, np.float32), (rows, 12))
    answer = made.forecast(
        humidity=tf.constant(window),
        reference_time=tf.constant(np.broadcast_to(np.asarray(time, np.int64), rows)),
        area_index=tf.constant(np.zeros(rows, np.int64)),
    )
    return {name: np.asarray(values) for name, values in answer.items()}


def first(made: ForecastGraph, humidity: Any, time: Any = NEW_YEAR) -> list[float]:
    return [float(value) for value in ask(made, humidity, time)["humidity_forecast"][:, 0]]


def windows_of(*levels: float) -> npt.NDArray[np.float32]:
    return np.repeat(np.array(levels, np.float32)[:, None], 12, axis=1)


def test_every_row_of_a_batch_gets_the_answer_of_its_own_branch() -> None:
    made = graph(humid(at=(40.0, 60.0)), 1.0, 2.0, 3.0)
    levels = windows_of(10.0, 70.0, 50.0, 39.99, 40.0, 59.99, 60.0)
    assert first(made, levels) == [1.0, 3.0, 2.0, 1.0, 2.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("statistic", "branch"), [("mean", 1.0), ("minimum", 1.0), ("maximum", 2.0)]
)
def test_the_statistic_is_of_the_newest_steps(statistic: str, branch: float) -> None:
    window = np.full(12, 99.0)
    window[6:] = [10.0, 12.0, 70.0, 72.0, 20.0, 20.0]
    assert first(graph(humid(statistic=statistic), 1.0, 2.0), window) == [branch]


def test_missing_steps_count_as_usual_and_no_window_is_without_an_answer() -> None:
    coefficients = np.random.default_rng(2).normal(size=TERMS)
    coefficients[0] = 60.0
    made = graph(humid(), 1.0, 2.0, usual=coefficients[None, None])
    for day in range(0, 360, 30):
        time = NEW_YEAR + 86_400 * day
        usual = terms(time + HOUR * np.arange(-2, 1)) @ coefficients
        expected = 2.0 if usual.mean() >= 60 else 1.0
        assert first(made, np.full(12, np.nan), time) == [expected]
        some = np.full(12, np.nan)
        some[-3] = 40.0  # half of a step is enough
        expected = 2.0 if (usual.sum() - usual[1] + 40.0) / 3 >= 60 else 1.0
        assert first(made, some, time) == [expected]


def test_a_branch_that_is_not_chosen_does_not_speak_whatever_it_says() -> None:
    made = graph(humid(), float("nan"), 2.0)
    assert first(made, windows_of(90.0)) == [2.0]


def test_months_turn_in_utc_in_leap_years_and_long_ago() -> None:
    moments = ["2013-04-30T23", "2013-05-01T00", "2012-02-29T12", "2100-09-30T23", "2100-10-01T00"]
    moments += ["1969-07-01T00", "1899-12-31T23", "2400-05-01T00"]
    times = np.array(moments, "datetime64[s]").astype(np.int64)
    expected = [2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0]
    assert first(graph(SUMMER, 1.0, 2.0), 50.0, times) == expected


def test_bands_go_by_the_branch() -> None:
    quantiles = (
        QuantilePlan(name="q10", probability=0.1),
        QuantilePlan(name="q90", probability=0.9),
    )
    plan = replace(PLAN, outputs=(replace(PLAN.outputs[0], quantiles=quantiles),))
    kernel = np.zeros((TERMS - 1 + 1 + 2, 2 * PLAN.leads))
    kernel[-2:] = [[1.0], [5.0]]
    bands = Bands(
        kernel=kernel, bias=np.zeros(2 * PLAN.leads), widening=np.ones((1, 2, PLAN.leads))
    )
    found = ask(graph(humid(), 50.0, 50.0, plan=plan, bands=bands), windows_of(10.0, 90.0))
    reach = np.log1p(np.exp([1.0, 5.0]))
    np.testing.assert_allclose(found["q90"][:, 0] - 50.0, reach, rtol=1e-4)
    np.testing.assert_allclose(50.0 - found["q10"][:, 0], reach, rtol=1e-4)


@pytest.mark.parametrize("switch", [SUMMER, humid(at=(40.0, 60.0))], ids=["month", "humidity"])
def test_onnx_switches_where_the_saved_model_does(
    switch: Switch,
    tmp_path: Path,
    fresh_processes: ForkServerContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifacts, "TOLERANCE", (0.0, 0.0))
    made = graph(switch, *(10.0 * number for number in range(1, switch.branches + 1)))
    serialize_model(made, tmp_path)
    hours = NEW_YEAR + HOUR * np.arange(-24 * 366, 24 * 366, 11)
    times = np.r_[hours, -hours, NEW_YEAR, 1_367_366_399, 1_367_366_400]  # the last two: May begins
    random = np.random.default_rng(3)
    levels = random.uniform(0.0, 100.0, (len(times), 12)).astype(np.float32)
    levels[:40] = random.integers(0, 101, (40, 1))
    levels[40:44] = np.array([40.0, 60.0, 0.0, 100.0])[:, None]
    levels[random.random(levels.shape) < 0.2] = np.nan
    levels[44:46] = np.nan
    with Conversion(fresh_processes) as conversion:
        conversion.start(tmp_path)
        expected = ask(made, levels, times)
        inputs = {
            "humidity": levels,
            "reference_time": times,
            "area_index": np.zeros(len(times), np.int64),
        }
        report = conversion.finish(inputs, expected)
    assert report.omitted is None
    assert len(np.unique(expected["humidity_forecast"])) == switch.branches
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (alone,) = session.run(None, {name: values[:1] for name, values in inputs.items()})
    np.testing.assert_array_equal(alone, expected["humidity_forecast"][:1])


def test_a_model_that_switches_is_delivered_like_any_other(switched: Trained) -> None:
    delivery = switched.delivery
    assert_delivery_conforms(delivery.path)
    metadata = delivery.metadata
    older = read_metadata(dump_metadata(metadata, schema="0.4"))
    assert older.min_reader == "0.1"
    assert [artifact.format for artifact in metadata.artifacts] == [SAVED_MODEL, ONNX]
    assert Provenance.of(metadata).recipe["switch"] == {
        "by": "humidity",
        "statistic": "mean",
        "period": "1 day",
        "at_quantile": [0.5],
    }


def test_a_delivery_says_what_training_found_of_its_switch(switched: Trained) -> None:
    metrics = json.loads((switched.delivery.path / "card" / "metrics.json").read_text())
    (threshold,) = metrics["thresholds"]
    assert 50 < threshold < 80
    dry, humid = metrics["branches"]
    assert dry["condition"] == f"mean humidity of the last 1 day below {threshold:.6g} %"
    assert humid["condition"].endswith(f"at or above {threshold:.6g} %")
    assert dry["windows"] + humid["windows"] == metrics["windows"]
    assert min(dry["judged"], humid["judged"]) >= 24
    assert 0 < dry["best_epoch"] < humid["best_epoch"] <= len(metrics["epochs"])
    card = (switched.delivery.path / "card" / "index.html").read_text()
    assert "holds 2 networks" in card
    assert dry["condition"] in card


def test_the_examples_of_a_delivery_stand_on_both_sides_and_onnx_answers_them(
    switched: Trained,
) -> None:
    path = switched.delivery.path
    metrics = json.loads((path / "card" / "metrics.json").read_text())
    with np.load(path / "examples.npz") as held:
        examples = {name: held[name] for name in held.files}
    newest = examples["input/humidity"][:, -24:]
    level = newest[~np.isnan(newest).any(axis=1)].mean(axis=1)
    beside = level - metrics["thresholds"][0]
    assert -1 < beside[beside < 0].max() < 0 < beside[beside > 0].min() < 1
    assert beside.min() < -10 < 10 < beside.max()
    session = onnxruntime.InferenceSession(str(path / "model.onnx"))
    inputs = {name: values for name, values in examples.items() if name.startswith("input/")}
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, {name.removeprefix("input/"): v for name, v in inputs.items()})
    for name, values in zip(names, found, strict=True):
        np.testing.assert_allclose(values, examples[f"output/{name}"], atol=0.01)


def test_each_network_has_its_own_passes_and_they_are_numbered_through(switched: Trained) -> None:
    metrics = json.loads((switched.delivery.path / "card" / "metrics.json").read_text())
    numbers = [epoch["number"] for epoch in metrics["epochs"]]
    assert numbers == list(range(1, len(numbers) + 1))
    told = [step for step in switched.progress if step.stage == "fit" and step.epoch]
    assert len(told) == len(numbers)
    assert all(step.epochs == 2 * switched.recipe.fit.epochs for step in told)
