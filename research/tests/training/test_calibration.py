"""How far a network is trusted, and how wide its bands are made."""

from __future__ import annotations

import numpy as np
import pytest

from fairweather_research.training.calibration import shrinkage, widening

ROWS, LEADS, DAY = 600, 72, 24


@pytest.fixture
def target() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(ROWS, LEADS))


@pytest.fixture
def block() -> np.ndarray:
    return np.repeat(np.arange(ROWS) // 100, LEADS).reshape(ROWS, LEADS)


def test_a_perfect_forecast_is_trusted_whole(target: np.ndarray, block: np.ndarray) -> None:
    assert shrinkage(target, target, block, steps_a_day=DAY).min() == 1.0


def test_noise_is_not_trusted_at_all(target: np.ndarray, block: np.ndarray) -> None:
    noise = np.random.default_rng(2).normal(size=target.shape)
    assert shrinkage(noise, target, block, steps_a_day=DAY).max() == 0.0


def test_a_forecast_twice_too_bold_is_halved(target: np.ndarray, block: np.ndarray) -> None:
    found = shrinkage(2 * target, target, block, steps_a_day=DAY)
    np.testing.assert_allclose(found, 0.5)


def test_trust_never_grows_with_the_lead(target: np.ndarray, block: np.ndarray) -> None:
    noise = np.random.default_rng(3).normal(size=target.shape)
    later_is_better = np.where(np.arange(LEADS) < DAY, 0.5 * target + 0.3 * noise, target)
    found = shrinkage(later_is_better, target, block, steps_a_day=DAY)
    assert (np.diff(found) <= 0).all()
    assert found[0] < 1.0 or found[-1] == found[0]


def test_trust_falls_in_straight_lines_between_the_middles_of_days(
    target: np.ndarray, block: np.ndarray
) -> None:
    noise = np.random.default_rng(4).normal(size=target.shape)
    first_day_only = np.where(np.arange(LEADS) < DAY, target, noise)
    found = shrinkage(first_day_only, target, block, steps_a_day=DAY)
    assert found[0] == found[11] == 1.0
    assert found[-1] == 0.0
    assert len(set(np.round(np.diff(found[12:36]), 9))) == 1


def test_without_evidence_climatology_speaks(target: np.ndarray, block: np.ndarray) -> None:
    nothing = np.full_like(target, np.nan)
    assert shrinkage(target, nothing, block, steps_a_day=DAY).max() == 0.0


def test_one_block_alone_decides_by_its_best(target: np.ndarray) -> None:
    one = np.zeros(target.shape, dtype=np.int64)
    assert shrinkage(target, target, one, steps_a_day=DAY).min() == 1.0


@pytest.fixture
def hours() -> np.ndarray:
    """The time of every value: forecasts start an hour apart."""
    return 3600 * (np.arange(ROWS)[:, None] + np.arange(1, LEADS + 1))


def widened(
    error: np.ndarray, time: np.ndarray, *, beyond: float = 0.1, unseen: np.ndarray | None = None
) -> np.ndarray:
    return widening(
        error,
        np.ones_like(error),
        time,
        np.zeros(error.shape, dtype=np.bool_) if unseen is None else unseen,
        beyond=beyond,
        steps_a_day=DAY,
    )


def test_an_edge_is_moved_until_no_more_than_the_declared_share_lies_beyond(
    target: np.ndarray, hours: np.ndarray
) -> None:
    draws = 13  # of two days each, in 25 days and two of reach
    beyond = (target > widened(target, hours)).mean()
    assert beyond == pytest.approx(0.1 - 0.9 / draws, abs=0.01)


def test_an_edge_that_was_too_far_is_moved_in_and_never_past_the_forecast(
    target: np.ndarray, hours: np.ndarray
) -> None:
    assert (widened(0.2 * target, hours) < 0.4).all()
    assert (widened(target - 50.0, hours) == 0.0).all()


def test_the_fewer_the_draws_the_wider_the_band(target: np.ndarray, hours: np.ndarray) -> None:
    short = np.where(hours < 10 * 86_400, target, np.nan)
    within = target[hours < 10 * 86_400]
    assert widened(short, hours).mean() > np.quantile(within, 0.95)
    assert (widened(target, hours, beyond=0.001) == widened(target, hours, beyond=1e-6)).all()


def test_time_that_was_not_learned_must_be_held_by_itself(
    target: np.ndarray, hours: np.ndarray
) -> None:
    unseen = np.zeros(target.shape, dtype=np.bool_)
    unseen[::10] = True
    worse = np.where(unseen, 3.0 * target, target)
    factors = widened(worse, hours, unseen=unseen)
    assert (worse[unseen] > np.broadcast_to(factors, worse.shape)[unseen]).mean() <= 0.11
    assert (factors > widened(worse, hours)).all()


def test_without_evidence_an_edge_stays_where_it_is(target: np.ndarray, hours: np.ndarray) -> None:
    assert (widened(np.full_like(target, np.nan), hours) == 1.0).all()


def test_where_persistence_rivals_a_climatology_that_did_not_know_the_weather_trust_is_kept() -> (
    None
):
    """Weather that keeps: the climatology that was fitted to it seems better than it will be."""
    rng = np.random.default_rng(5)

    def of_blocks() -> np.ndarray:
        return np.repeat(rng.normal(size=8), 24 * 24).reshape(-1, 24)

    block, weather = np.repeat(np.arange(8), 24 * 24).reshape(-1, 24), of_blocks()
    target = 0.1 * weather + 0.3 * rng.normal(size=weather.shape)  # usual is the rest of it
    forecast, unseen = 0.1 * weather + 0.3 * of_blocks(), -0.9 * weather
    kept = target + 0.5 * rng.normal(size=weather.shape)
    assert shrinkage(forecast, target, block, steps_a_day=DAY).max() == 0.0
    found = shrinkage(forecast, target, block, steps_a_day=DAY, unseen=unseen, kept=kept)
    assert found.min() >= 0.8
    far = shrinkage(forecast, target, block, steps_a_day=DAY, unseen=unseen, kept=target + 9)
    assert far.max() == 0.0
