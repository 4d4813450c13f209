"""What every network must be, and what the linear one makes of the past."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fairweather_research.networks import NETWORKS, NetworkInputs, NetworkShape, load_network
from fairweather_research.networks.recent_anomalies import _FadingMemories, _LastDay

SHAPE = NetworkShape(inputs=2, steps=60, steps_a_day=24, areas=3, outputs=2, leads=30)


def inputs(rows: int = 16, *, seed: int = 1) -> NetworkInputs:
    rng = np.random.default_rng(seed)
    present = (rng.random((rows, SHAPE.inputs, SHAPE.steps)) > 0.2).astype(np.float32)
    anomalies = rng.normal(size=present.shape).astype(np.float32) * present
    area = np.eye(SHAPE.areas, dtype=np.float32)[rng.integers(0, SHAPE.areas, rows)]
    return NetworkInputs(anomalies=anomalies, present=present, area=area)


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> Any:
    return load_network(request.param)(SHAPE, inputs())


def answer(network: Any, shown: NetworkInputs) -> Any:
    return np.asarray(network(shown.arrays(), training=False))


def test_every_network_maps_the_past_of_any_batch_to_all_leads(network: Any) -> None:
    for rows in (1, 5):
        assert answer(network, inputs(rows)).shape == (rows, SHAPE.outputs, SHAPE.leads)


def test_every_network_says_the_same_of_the_same_past(network: Any) -> None:
    np.testing.assert_array_equal(answer(network, inputs()), answer(network, inputs()))


def test_every_network_says_a_number_when_nothing_is_present(network: Any) -> None:
    nothing = np.zeros((2, SHAPE.inputs, SHAPE.steps), np.float32)
    area = np.eye(SHAPE.areas, dtype=np.float32)[:2]
    said = answer(network, NetworkInputs(anomalies=nothing, present=nothing, area=area))
    assert np.isfinite(said).all()


def test_every_network_starts_from_climatology(network: Any) -> None:
    assert np.abs(answer(network, inputs())).max() == 0


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
    assert memories[-1] == pytest.approx(5.3, abs=0.5)
    assert (np.diff(memories) >= -1e-6).all()


def test_a_memory_counts_hours_whatever_the_step() -> None:
    halves = NetworkShape(inputs=1, steps=120, steps_a_day=48, areas=1, outputs=1, leads=1)
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
