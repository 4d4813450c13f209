"""What every network must be, and what the linear one makes of the past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fairweather_research.dataset.climatology import terms
from fairweather_research.networks.base import (
    HOURS,
    NETWORKS,
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
)
from fairweather_research.networks.external import build_network, validate_network
from fairweather_research.networks.recent_anomalies import (
    RecentAnomalies,
    _FadingMemories,
    _LastDay,
)
from shapes import SHAPE, inputs


def seed(number: int) -> None:
    """Start everything random from a number."""
    import keras  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    keras.utils.set_random_seed(number)


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> Any:
    seed(1)  # where a network starts decides how far few passes take it
    return build_network(request.param, SHAPE, inputs())


def answer(network: Any, shown: NetworkInputs) -> Any:
    return np.asarray(network.model(shown.arrays(), training=False))


def lessons(rows: int = 120, *, seed: int = 1) -> Lessons:
    """Targets that fade from the newest anomaly of the first input, and gaps among them."""
    shown = inputs(rows, seed=seed)
    fading = np.exp(-np.arange(SHAPE.leads) / 10)
    targets = np.repeat((shown.anomalies[:, :1, -1:] * fading), SHAPE.outputs, axis=1)
    targets[::7, :, 5] = np.nan
    return Lessons(shown, targets.astype(np.float32))


def test_every_network_maps_the_past_of_any_batch_to_all_leads(network: Any) -> None:
    for rows in (1, 5):
        assert answer(network, inputs(rows)).shape == (rows, SHAPE.outputs, SHAPE.leads)


def test_every_network_says_the_same_of_the_same_past(network: Any) -> None:
    np.testing.assert_array_equal(answer(network, inputs()), answer(network, inputs()))


def test_every_network_says_a_number_when_nothing_is_present(network: Any) -> None:
    nothing = np.zeros((2, SHAPE.inputs, SHAPE.steps), np.float32)
    some = inputs(2)
    empty = NetworkInputs(
        anomalies=nothing, present=nothing, area=some.area, calendar=some.calendar
    )
    assert np.isfinite(answer(network, empty)).all()


def test_every_network_starts_from_climatology(network: Any) -> None:
    assert np.abs(answer(network, inputs())).max() == 0


def test_every_network_learns_keeps_its_promises_and_tells_its_passes(network: Any) -> None:
    teaching, checking = lessons(), lessons(seed=2)
    before = np.nanmean(np.abs(checking.targets))
    told: list[EpochRecord] = []
    network.fit(teaching, checking, FitPlan(epochs=40, learning_rate=0.01), told.append)
    after = np.nanmean(np.abs(network.predict(checking.inputs) - checking.targets))
    assert after < 0.8 * before
    assert [each.number for each in told] == list(range(1, len(told) + 1))
    validate_network("ours", network.predict, SHAPE, checking.inputs)
    np.testing.assert_allclose(
        network.predict(checking.inputs), answer(network, checking.inputs), atol=1e-5
    )


def test_every_network_is_the_same_when_it_is_fitted_again() -> None:
    def fitted(name: str) -> Any:
        seed(5)
        network = build_network(name, SHAPE, inputs())
        network.fit(lessons(), lessons(seed=2), FitPlan(epochs=2), lambda _: None)
        return network.predict(inputs(seed=3))

    for name in NETWORKS:
        np.testing.assert_array_equal(fitted(name), fitted(name))


def test_the_hours_of_the_calendar_are_waves_of_one_and_two_a_day() -> None:
    day = terms(3600 * np.arange(24))[:, 1:][:, HOURS]
    angle = 2 * np.pi * np.arange(24) / 24
    expected = [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    np.testing.assert_allclose(day, np.stack(expected, axis=1), atol=1e-12)


def test_the_regression_finds_a_linear_law_through_gaps_and_wild_values() -> None:
    teaching, checking = lessons(rows=600), lessons(seed=2)
    teaching.targets[3] = 50.0  # one window gone wild: the least absolute error does not mind
    network = RecentAnomalies(SHAPE, teaching.inputs)
    network.fit(teaching, checking, FitPlan(), lambda _: None)
    said = network.predict(checking.inputs)
    there = checking.inputs.present[:, 0, -1] == 1
    error = np.abs(said[there] - checking.targets[there])
    assert np.nanmedian(error) < 0.05


def test_a_lead_that_nothing_teaches_stays_with_climatology() -> None:
    teaching, checking = lessons(), lessons(seed=2)
    teaching.targets[:, :, 4] = np.nan
    network = RecentAnomalies(SHAPE, teaching.inputs)
    network.fit(teaching, checking, FitPlan(), lambda _: None)
    assert np.abs(network.predict(checking.inputs)[:, :, 4]).max() == 0


def test_memories_are_means_over_what_is_present() -> None:
    present = np.ones((1, 1, SHAPE.steps), np.float32)
    present[0, 0, ::2] = 0
    found = np.asarray(_FadingMemories(SHAPE)(3.0 * present, present))
    np.testing.assert_allclose(found, 3.0, rtol=1e-5)


def test_the_shortest_memory_is_the_newest_value_there_is() -> None:
    anomalies = np.zeros((1, 1, SHAPE.steps), np.float32)
    present = np.zeros_like(anomalies)
    anomalies[0, 0, [3, 40]] = [9.0, 2.0]
    present[0, 0, [3, 40]] = 1.0
    memories = np.asarray(_FadingMemories(SHAPE)(anomalies, present))[0, 0]
    assert memories[0] == pytest.approx(2.0)
    assert 2.0 < memories[-1] < 9.0


def test_a_memory_counts_hours_whatever_the_step() -> None:
    halves = replace(SHAPE, steps=120, steps_a_day=48)
    hourly = _FadingMemories(SHAPE).weights_of_age
    half_hourly = _FadingMemories(halves).weights_of_age
    np.testing.assert_allclose(half_hourly[::-1][::2], hourly[::-1], rtol=1e-5)


def test_an_hour_missing_in_the_last_day_is_the_newest_value() -> None:
    anomalies = np.zeros((1, 1, SHAPE.steps), np.float32)
    anomalies[0, 0, -2] = 4.0
    present = np.ones_like(anomalies)
    present[0, 0, -1] = 0.0
    newest = np.full((1, 1, 1), 4.0, np.float32)
    last_day = np.asarray(_LastDay(SHAPE)(anomalies, present, newest))[0, 0]
    assert last_day.shape == (24,)
    assert last_day[-2:].tolist() == [4.0, 4.0]
    assert last_day[0] == 0.0


def test_a_long_record_is_thinned_to_windows_of_every_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairweather_research.networks.recent_anomalies._MOST_ROWS", 40)
    many = lessons(24 * 40)  # a stride of 24 would be one hour of the day
    shown: list[NetworkInputs] = []
    built = RecentAnomalies(SHAPE, many.inputs)
    design = built._design

    def watched(inputs: NetworkInputs) -> Any:
        shown.append(inputs)
        return design(inputs)

    monkeypatch.setattr(built, "_design", watched)
    built.fit(many, lessons(30), FitPlan(epochs=1), lambda _: None)
    assert len(shown[0]) == 40
    hours = {tuple(row) for row in shown[0].calendar[:, HOURS].round(3)}
    assert len(hours) > 15
