"""The graph's batteries, held against plain arithmetic on the same numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
from fairweather_interface.metadata import Area

from fairweather_research.dataset.climatology import TERMS, terms, usual_at
from fairweather_research.dataset.windows import coarsen
from fairweather_research.export.graph import Bands, Constants, ForecastGraph
from fairweather_research.recipes.blueprint import Blueprint, InputPlan, OutputPlan, QuantilePlan

if TYPE_CHECKING:
    import numpy.typing as npt

HOUR = 3600
NEW_YEAR_2014 = 1_388_534_400
PLACE = Area(latitude=0.0, longitude=0.0, timezone="UTC")


def an_input(name: str, *, hours: int, minutes: int) -> InputPlan:
    return InputPlan(
        name=name,
        variable="temperature",
        unit="degC",
        minimum=-80.0,
        maximum=60.0,
        period=timedelta(hours=hours),
        sample_rate=timedelta(minutes=minutes),
        max_missing=0.5,
        members=None,
    )


PLAN = Blueprint(
    areas={"A": PLACE, "B": PLACE},
    inputs=(an_input("fine", hours=4, minutes=20), an_input("long", hours=6, minutes=60)),
    outputs=(
        OutputPlan(
            name="t_forecast", variable="temperature", unit="degC", minimum=-80.0, maximum=60.0
        ),
    ),
    step=timedelta(hours=1),
    leads=5,
)


class Echo:
    """A network that answers with one number a row, made of what it was shown."""

    variables: tuple[Any, ...] = ()

    def __init__(self, of: str) -> None:
        self.of = of

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:
        assert not training
        anomalies, present, area, _ = inputs
        shown = {
            "anomalies": tf.reduce_sum(anomalies, axis=(1, 2)),
            "fine": tf.reduce_sum(anomalies[:, 0], axis=1),
            "present": tf.reduce_sum(present, axis=(1, 2)),
            "early": tf.reduce_sum(present[:, 0, :2], axis=1),
            "area": tf.reduce_sum(area * tf.constant([[1.0, 10.0]]), axis=1),
        }[self.of]
        return tf.tile(shown[:, None, None], [1, 1, PLAN.leads])


def constants(**changes: npt.NDArray[Any]) -> Constants:
    nothing = {
        "input_usual": np.zeros((2, 2, TERMS)),
        "input_spread": np.ones((2, 2)),
        "output_usual": np.zeros((2, 1, TERMS)),
        "output_spread": np.ones((2, 1)),
        "shrinkage": np.ones((1, PLAN.leads)),
    }
    return Constants(**{**nothing, **changes})


def answers(
    graph: ForecastGraph,
    *,
    fine: object = 0.0,
    long: object = 0.0,
    time: int = NEW_YEAR_2014,
    area: int = 0,
) -> dict[str, npt.NDArray[np.float32]]:
    answer = graph.forecast(
        fine=tf.constant(np.broadcast_to(np.asarray(fine, np.float32), (1, 12))),
        long=tf.constant(np.broadcast_to(np.asarray(long, np.float32), (1, 6))),
        reference_time=tf.constant([time], tf.int64),
        area_index=tf.constant([area], tf.int64),
    )
    return {name: np.asarray(values)[0] for name, values in answer.items()}


def forecast(graph: ForecastGraph, **inputs: Any) -> npt.NDArray[np.float32]:
    found = answers(graph, **inputs)
    assert list(found) == ["t_forecast"]
    return found["t_forecast"]


def test_inputs_are_brought_to_the_step_over_the_values_that_are_there() -> None:
    fine = np.arange(12.0)
    fine[[0, 1, 2, 4, 11]] = np.nan
    expected = np.nansum(coarsen(fine, 3))
    found = forecast(ForecastGraph(PLAN, Echo("fine"), constants()), fine=fine)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_missing_is_shown_as_absent_and_as_no_anomaly() -> None:
    fine = np.full(12, np.nan)
    fine[3] = 7.0
    graph = ForecastGraph(PLAN, Echo("present"), constants())
    assert forecast(graph, fine=fine)[0] == 1 + 6
    usual = np.zeros((2, 2, TERMS))
    usual[:, :, 0] = 5.0
    graph = ForecastGraph(PLAN, Echo("anomalies"), constants(input_usual=usual))
    np.testing.assert_allclose(forecast(graph, fine=fine, long=np.nan), 7.0 - 5.0)


def test_an_input_shorter_than_the_longest_is_absent_before_it_begins() -> None:
    graph = ForecastGraph(PLAN, Echo("early"), constants())
    assert forecast(graph)[0] == 0


def test_the_area_chooses_its_own_climatology_and_spread() -> None:
    usual, spread = np.zeros((2, 1, TERMS)), np.array([[2.0], [3.0]])
    usual[1, 0, 0] = 20.0
    graph = ForecastGraph(PLAN, Echo("area"), constants(output_usual=usual, output_spread=spread))
    np.testing.assert_allclose(forecast(graph, area=0), 1.0 * 2.0)
    np.testing.assert_allclose(forecast(graph, area=1), 20.0 + 10.0 * 3.0)


@pytest.mark.parametrize("time", [NEW_YEAR_2014, -86_400 * 365 + 7_200, 4_102_444_800 + 3_600])
def test_climatology_is_that_of_the_hours_the_forecast_speaks_of(time: int) -> None:
    coefficients = np.random.default_rng(1).normal(size=TERMS)
    graph = ForecastGraph(
        PLAN,
        Echo("anomalies"),
        constants(
            output_usual=np.broadcast_to(coefficients, (2, 1, TERMS)),
            shrinkage=np.zeros((1, PLAN.leads)),
        ),
    )
    expected = terms(time + HOUR * np.arange(1, PLAN.leads + 1)) @ coefficients
    np.testing.assert_allclose(forecast(graph, fine=9.0, time=time), expected, atol=1e-4)


def test_finer_waves_of_the_year_are_in_the_forecast_and_hidden_from_the_network() -> None:
    coefficients = np.random.default_rng(4).normal(size=TERMS + 4)
    shown: list[int] = []

    class Shown(Echo):
        def __call__(self, inputs: list[Any], *, training: bool) -> Any:
            shown.append(inputs[3].shape[1])
            return super().__call__(inputs, training=training)

    graph = ForecastGraph(
        PLAN,
        Shown("anomalies"),
        constants(
            input_usual=np.zeros((2, 2, TERMS + 4)),
            output_usual=np.broadcast_to(coefficients, (2, 1, TERMS + 4)),
            shrinkage=np.zeros((1, PLAN.leads)),
        ),
    )
    valid = NEW_YEAR_2014 + HOUR * np.arange(1, PLAN.leads + 1)
    np.testing.assert_allclose(forecast(graph), usual_at(valid, coefficients), atol=1e-4)
    assert set(shown) == {TERMS - 1}


@pytest.mark.parametrize("day", [NEW_YEAR_2014, -86_400 * 365])
def test_a_time_between_two_observed_hours_is_taken_as_of_the_earlier(day: int) -> None:
    coefficients = np.random.default_rng(1).normal(size=TERMS)
    since = HOUR * np.array([6, 7, 8, 9, 10, 11, *range(12), *range(6)])  # 06Z and 18Z
    graph = ForecastGraph(
        PLAN,
        Echo("anomalies"),
        constants(
            output_usual=np.broadcast_to(coefficients, (2, 1, TERMS)),
            shrinkage=np.zeros((1, PLAN.leads)),
            delay=since,
        ),
    )
    for asked, taken in ((6, 6), (6.5, 6), (17.99, 6), (18, 18), (23, 18), (29, 18), (30, 30)):
        valid = day + HOUR * (taken + np.arange(1, PLAN.leads + 1))
        found = forecast(graph, time=day + int(asked * HOUR))
        np.testing.assert_allclose(found, usual_at(valid, coefficients), atol=1e-4)


def test_the_past_is_compared_with_the_climatology_of_its_own_hours() -> None:
    coefficients = np.random.default_rng(2).normal(size=TERMS)
    past = terms(NEW_YEAR_2014 + HOUR * np.arange(-5, 1)) @ coefficients
    graph = ForecastGraph(
        PLAN,
        Echo("anomalies"),
        constants(input_usual=np.broadcast_to(coefficients, (2, 2, TERMS))),
    )
    found = forecast(graph, fine=np.nan, long=past)
    np.testing.assert_allclose(found, 0.0, atol=1e-4)


def test_shrinkage_weighs_each_lead() -> None:
    weights = np.array([[1.0, 0.75, 0.5, 0.25, 0.0]])
    graph = ForecastGraph(PLAN, Echo("area"), constants(shrinkage=weights))
    np.testing.assert_allclose(forecast(graph, area=1), 10.0 * weights[0])


@pytest.mark.parametrize(("value", "limit"), [(1e6, 60.0), (-1e6, -80.0)])
def test_a_forecast_stays_within_the_limits_of_the_real(value: float, limit: float) -> None:
    graph = ForecastGraph(PLAN, Echo("anomalies"), constants())
    np.testing.assert_array_equal(forecast(graph, long=value), limit)


def test_nothing_observed_gives_climatology_and_no_nan() -> None:
    usual = np.zeros((2, 1, TERMS))
    usual[:, :, 0] = 11.0
    graph = ForecastGraph(PLAN, Echo("anomalies"), constants(output_usual=usual))
    np.testing.assert_allclose(forecast(graph, fine=np.nan, long=np.nan), 11.0)


QUANTILES = {"t_forecast_q5": 0.05, "t_forecast_q20": 0.2, "t_forecast_q90": 0.9}
BANDED = replace(
    PLAN,
    outputs=(
        replace(
            PLAN.outputs[0],
            quantiles=tuple(QuantilePlan(name=n, probability=p) for n, p in QUANTILES.items()),
        ),
    ),
)


def bands(*, bias: float = 1.0, **changes: npt.NDArray[np.float64]) -> Bands:
    size = len(QUANTILES) * PLAN.leads
    plain = {
        "kernel": np.zeros((TERMS - 1 + 2, size)),
        "bias": np.full(size, bias),
        "widening": np.ones((1, len(QUANTILES), PLAN.leads)),
    }
    return Bands(**{**plain, **changes})


def banded(given: Bands, **changes: npt.NDArray[np.float64]) -> ForecastGraph:
    return ForecastGraph(BANDED, Echo("area"), constants(**changes), given)


def test_a_band_lies_around_the_forecast_in_the_unit_of_the_area() -> None:
    widening = np.ones((1, 3, PLAN.leads)) * np.array([3.0, 2.0, 4.0])[:, None]
    graph = banded(bands(widening=widening), output_spread=np.array([[1.0], [5.0]]))
    found = answers(graph, area=1)
    reach = 5.0 * np.log1p(np.e)
    np.testing.assert_allclose(found["t_forecast"], 50.0)
    np.testing.assert_allclose(found["t_forecast_q5"], 50.0 - 3 * reach, rtol=1e-5)
    np.testing.assert_allclose(found["t_forecast_q20"], 50.0 - 2 * reach, rtol=1e-5)
    np.testing.assert_allclose(found["t_forecast_q90"], 60.0)  # 50 + 4 reaches, and no further


def test_an_outer_quantile_is_never_nearer_to_the_forecast_than_an_inner_one() -> None:
    widening = np.ones((1, 3, PLAN.leads))
    widening[0, 0, ::2] = 0.1
    found = answers(banded(bands(widening=widening)))
    assert (found["t_forecast_q5"] <= found["t_forecast_q20"]).all()
    assert (found["t_forecast_q5"] == found["t_forecast_q20"])[::2].all()


@pytest.mark.parametrize("bias", [-90.0, 0.0, 90.0])
def test_whatever_was_learned_the_forecast_lies_inside_and_all_is_real(bias: float) -> None:
    found = answers(banded(bands(bias=bias)), fine=np.nan, long=np.nan)
    middle = found["t_forecast"]
    for name, probability in QUANTILES.items():
        side = found[name] <= middle if probability < 0.5 else found[name] >= middle
        assert side.all()
        assert ((found[name] >= -80) & (found[name] <= 60)).all()


def test_a_band_goes_by_the_calendar_and_the_area() -> None:
    kernel = np.random.default_rng(4).normal(size=(TERMS - 1 + 2, 3 * PLAN.leads))
    graph = banded(bands(kernel=kernel))
    for area, time in ((0, NEW_YEAR_2014), (1, NEW_YEAR_2014 + 40 * 86_400 + 7_200)):
        shown = np.r_[terms(np.array(time))[1:], np.eye(2)[area]]
        reach = np.log1p(np.exp(shown @ kernel + 1.0)).reshape(3, -1)
        found = answers(graph, area=area, time=time)
        np.testing.assert_allclose(
            found["t_forecast_q90"] - found["t_forecast"], reach[2], rtol=1e-4
        )


class Shows:
    """A network that answers with what it was shown of an input, newest first, one step a lead."""

    variables: tuple[Any, ...] = ()

    def __init__(self, of: str, outputs: int, leads: int) -> None:
        self.of, self.outputs, self.leads = of, outputs, leads

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:
        assert not training
        anomalies, present, _, calendar = inputs
        shown = {
            "long": anomalies[:, 1, ::-1],
            "present": present[:, 1, ::-1],
            "lead": tf.ones_like(anomalies[:, 0]) * tf.range(1.0, 7.0),
            "calendar": calendar[:, :6],
        }[self.of]
        padded = tf.pad(shown, [[0, 0], [0, self.leads - 6]])
        return tf.stack([padded, padded][: self.outputs], axis=1)


OLDEST = 3


def aging(of: str, plan: Blueprint = PLAN, given: Bands | None = None) -> ForecastGraph:
    """A graph whose network forecasts three leads more than are wanted, and tells what it sees."""
    leads = plan.leads + OLDEST
    said = constants(
        shrinkage=np.ones((len(plan.outputs), leads)),
        output_usual=np.zeros((2, len(plan.outputs), TERMS)),
        output_spread=np.ones((2, len(plan.outputs))),
    )
    return ForecastGraph(plan, Shows(of, len(plan.outputs), leads), said, given)


@pytest.mark.parametrize("age", [0, 1, 3])
def test_leads_are_counted_from_the_newest_value(age: int) -> None:
    fine, long = np.arange(12.0), np.arange(6.0)
    fine[12 - 3 * age :] = np.nan
    long[6 - age :] = np.nan
    found = forecast(aging("lead"), fine=fine, long=long)
    expected = np.arange(1, 6) + age
    np.testing.assert_allclose(found, np.where(expected <= 6, expected, 0.0))


def test_a_window_is_shown_as_of_its_newest_value_and_nothing_newer() -> None:
    fine, long = np.zeros(12), np.arange(1.0, 7.0)
    fine[-3:] = np.nan  # an hour old, so that the newest of the other is not looked at
    found = forecast(aging("long"), fine=fine, long=long)
    assert found.tolist() == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert forecast(aging("present"), fine=fine, long=long).tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_the_calendar_is_that_of_the_newest_value() -> None:
    long = np.zeros(6)
    long[-2:] = np.nan
    found = forecast(aging("calendar"), long=long, time=NEW_YEAR_2014 + 7200)
    expected = terms(np.array([NEW_YEAR_2014]))[0, 1:7]
    np.testing.assert_allclose(found[:4], expected[2:], atol=1e-5)


def test_no_value_is_taken_to_be_older_than_is_admitted() -> None:
    assert forecast(aging("lead"), long=np.nan)[0] == 1 + OLDEST


def test_an_output_goes_by_the_inputs_of_its_own_variable() -> None:
    fine, long = PLAN.inputs
    wet = replace(PLAN.outputs[0], name="h_forecast", variable="humidity")
    plan = replace(
        PLAN, inputs=(fine, replace(long, variable="humidity")), outputs=(*PLAN.outputs, wet)
    )
    graph = aging("lead", plan)
    assert graph.views == [[0], [1]]
    late = np.zeros(6)
    late[-2:] = np.nan
    found = answers(graph, long=late)
    assert (found["t_forecast"][0], found["h_forecast"][0]) == (1.0, 3.0)


@pytest.mark.parametrize(("hours", "wider"), [(0, 0.0), (1, 1 / 24), (3, 3 / 24)])
def test_a_band_is_wider_where_another_variable_is_late(hours: int, wider: float) -> None:
    fine, long = PLAN.inputs
    plan = replace(BANDED, inputs=(fine, replace(long, variable="humidity")))
    size = len(QUANTILES) * (plan.leads + OLDEST)
    kernel = np.zeros((TERMS - 1 + 2 + 1, size))
    kernel[-1] = 6.0
    widening = np.ones((1, len(QUANTILES), plan.leads + OLDEST))
    graph = aging("lead", plan, Bands(kernel=kernel, bias=np.zeros(size), widening=widening))
    late = np.zeros(6)
    late[6 - hours :] = np.nan
    found = answers(graph, long=late)
    np.testing.assert_allclose(
        found["t_forecast_q90"] - found["t_forecast"], np.log1p(np.exp(6.0 * wider)), rtol=1e-4
    )
    assert (found["t_forecast"] == np.arange(1, 6)).all()


def test_rows_of_a_batch_have_each_its_age() -> None:
    long = np.zeros((3, 6), np.float32)
    long[1, -2:] = long[2, -1:] = np.nan
    said = aging("lead").forecast(
        fine=tf.zeros([3, 12]),
        long=tf.constant(long),
        reference_time=tf.constant([NEW_YEAR_2014] * 3, tf.int64),
        area_index=tf.zeros([3], tf.int64),
    )
    assert np.asarray(said["t_forecast"])[:, 0].tolist() == [1.0, 3.0, 2.0]
