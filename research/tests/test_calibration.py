"""How far a network is trusted."""

from __future__ import annotations

import numpy as np
import pytest

from fairweather_research.calibration import shrinkage

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
