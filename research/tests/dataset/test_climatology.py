"""What is usual, and the same terms in the graph."""

from __future__ import annotations

import numpy as np
import pytest

from fairweather_research.dataset.climatology import (
    TERMS,
    YEAR,
    fit_climatology,
    shifted,
    terms,
    usual_at,
)
from fairweather_research.export import graph

HOUR = 3600


def test_a_harmonic_series_is_recovered() -> None:
    time = np.arange(0, YEAR, HOUR)
    truth = np.random.default_rng(1).normal(size=TERMS)
    value = terms(time) @ truth
    found = terms(time) @ fit_climatology(time, value)
    assert np.abs(found - value).max() < 0.02


def test_missing_values_do_not_count() -> None:
    time = np.arange(0, YEAR, HOUR)
    value = 10 + terms(time) @ np.eye(TERMS)[3]
    gappy = value.copy()
    gappy[::3] = np.nan
    np.testing.assert_allclose(
        fit_climatology(time, gappy), fit_climatology(time, value), atol=0.01
    )


def test_one_season_does_not_invent_the_other() -> None:
    rng = np.random.default_rng(2)
    time = np.arange(150 * 86400, 210 * 86400, HOUR)
    value = 25 + 4 * np.sin(time * 2 * np.pi / 86400) + rng.normal(size=len(time))
    opposite = time + YEAR // 2
    usual = terms(opposite) @ fit_climatology(time, value)
    assert np.abs(usual - 25).max() < 15


@pytest.mark.parametrize("start", ["1960-03-01", "2013-12-30", "2099-07-01"])
def test_the_graph_computes_the_same_terms_in_any_decade(start: str) -> None:
    time = np.datetime64(start, "s").astype(np.int64) + HOUR * np.arange(24 * 9)
    np.testing.assert_allclose(np.asarray(graph.waves(time)), terms(time)[:, 1:], atol=2e-6)


@pytest.mark.parametrize("offset", [0, HOUR, -720 * HOUR, 7 * 86_400, 400 * 86_400 + 61])
def test_shifted_coefficients_give_what_is_usual_at_the_shifted_time(offset: int) -> None:
    time = np.datetime64("2013-12-30", "s").astype(np.int64) + HOUR * np.arange(50)
    coefficients = np.random.default_rng(3).normal(size=(2, TERMS))
    found = terms(time) @ shifted(coefficients, np.array([offset]))[:, 0].T
    np.testing.assert_allclose(found, terms(time + offset) @ coefficients.T, atol=1e-9)


@pytest.mark.parametrize(("years", "waves"), [(0.2, 1), (1.0, 1), (1.5, 1), (2.0, 2), (5.0, 3)])
def test_a_longer_record_tells_finer_waves_of_the_year(years: float, waves: int) -> None:
    time = np.arange(0, int(years * YEAR), 6 * HOUR)
    year = time * 2 * np.pi / YEAR
    value = 10 + 8 * np.sin(year) + 2 * np.cos(2 * year) + np.sin(3 * year)
    found = fit_climatology(time, value, years)
    assert len(found) == TERMS + 2 * (waves - 1)
    if waves > 1:
        left = [0.0, 0.0, 1.0, 0.0][waves]  # the wave that is too fine
        assert np.abs(usual_at(time, found) - value).max() == pytest.approx(left, abs=0.1)


def test_finer_waves_are_shifted_and_computed_by_the_graph_as_well() -> None:
    time = np.datetime64("2013-12-30", "s").astype(np.int64) + HOUR * np.arange(50)
    count = TERMS + 4
    coefficients = np.random.default_rng(3).normal(size=(2, count))
    found = terms(time, count) @ shifted(coefficients, np.array([7 * 86_400]))[:, 0].T
    expected = terms(time + 7 * 86_400, count) @ coefficients.T
    np.testing.assert_allclose(found, expected, atol=1e-9)
    computed = np.asarray(graph.waves(time, count))
    np.testing.assert_allclose(computed, terms(time, count)[:, 1:], atol=2e-6)
