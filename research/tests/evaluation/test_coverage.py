"""What share of the observed values lies inside the band."""

from __future__ import annotations

import numpy as np
import pytest

from fairweather_research.evaluation.bootstrap import block_numbers, interval
from fairweather_research.evaluation.coverage import Coverage, measure_coverage

ROWS, LEADS = 960, 48
DAYS = [slice(0, 24), slice(24, 48)]
TIMES = 3600 * (np.arange(ROWS)[:, None] + np.arange(1, LEADS + 1))
TRUTH = np.random.default_rng(1).uniform(size=(ROWS, LEADS))


def covered(low: float, high: float, truth: np.ndarray = TRUTH) -> Coverage:
    edges = np.stack([np.full(truth.shape, low), np.full(truth.shape, high)])
    return measure_coverage(truth, edges, TIMES, probabilities=(0.1, 0.9), lead_days=DAYS)


def test_a_band_that_holds_what_it_declares_is_as_declared() -> None:
    found = covered(0.1, 0.9)
    assert found.declared == 0.8
    assert found.whole.inside == pytest.approx(0.8, abs=0.01)
    assert found.whole.below == pytest.approx((0.1, 0.9), abs=0.01)
    assert found.whole.interval is not None
    assert found.whole.interval[0] <= found.whole.inside <= found.whole.interval[1]
    assert found.whole.verdict == "as declared"
    assert [day.day for day in found.days] == [1, 2]
    assert found.whole.count == ROWS * LEADS == sum(day.count for day in found.days)


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.2, 0.8, "too narrow"), (0.01, 0.99, "too wide")]
)
def test_a_band_that_is_off_is_called_so(low: float, high: float, verdict: str) -> None:
    found = covered(low, high)
    assert {found.whole.verdict, *(day.verdict for day in found.days)} == {verdict}


def test_a_lead_day_that_is_off_is_found_among_others() -> None:
    truth = TRUTH.copy()
    truth[:, :24] *= 2.0
    first, second = covered(0.1, 0.9, truth).days
    assert (first.verdict, second.verdict) == ("too narrow", "as declared")
    assert first.below[1] == pytest.approx(0.45, abs=0.01)


def test_a_value_on_an_edge_lies_inside() -> None:
    found = covered(100.0, 100.0, np.full_like(TRUTH, 100.0))
    assert (found.whole.inside, found.whole.below) == (1.0, (1.0, 1.0))


def test_what_is_not_evaluated_does_not_count() -> None:
    truth = np.where(np.arange(LEADS) < 24, np.nan, TRUTH)
    found = covered(0.1, 0.9, truth)
    assert [day.day for day in found.days] == [2]
    assert found.whole.count == ROWS * 24


def test_one_block_alone_leaves_the_verdict_open() -> None:
    truth = np.full_like(TRUTH, np.nan)
    truth[:10, :24] = 7.0
    found = covered(0.1, 0.9, truth)
    assert (found.whole.interval, found.whole.verdict) == (None, "not known")
    assert found.whole.inside == 0.0


def test_hours_of_one_block_count_as_one_piece_of_evidence() -> None:
    times = TIMES[:, 0]
    once = np.random.default_rng(2).integers(2, size=ROWS // 96 + 2).astype(np.float64)
    kept = once[(times - 1) // (4 * 86_400)]
    hourly = np.random.default_rng(3).permutation(kept)
    block = block_numbers(times)
    lasting, fleeting = (
        interval(np.array([np.bincount(block, part), np.bincount(block)]), lambda s: s[0] / s[1])
        for part in (kept, hourly)
    )
    assert lasting is not None
    assert fleeting is not None
    assert lasting[1] - lasting[0] > 3 * (fleeting[1] - fleeting[0])
