"""When one delivery is worse than another, not worse, or neither is sure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from fairweather_app.rollout.evidence import BLOCK_DAYS, Comparison, Rule, compare, interval

HOUR = 3_600_000_000
RULE = Rule()
Errors = npt.NDArray[np.float64]


def hours(count: int, first: int = 0) -> npt.NDArray[np.int64]:
    return (first + np.arange(count, dtype=np.int64)) * HOUR


def weather(count: int, seed: int = 0) -> Errors:
    """Errors around 2 that keep for days, as those of weather do."""
    daily = np.random.default_rng(seed).normal(2.0, 0.6, count // 36 + 3)
    return np.interp(np.arange(count), 36 * np.arange(len(daily)), daily)


def compared(own: Errors, other: Errors, rule: Rule = RULE) -> Comparison:
    times = hours(len(own))
    found = compare(
        "JFK", "temperature", own=("new", (times, own)), other=("old", (times, other)), rule=rule
    )
    assert found is not None
    return found


def test_one_that_is_worse_all_the_time_is_worse() -> None:
    found = compared(weather(240) + 0.3, weather(240))
    assert found.verdict == "worse"
    assert found.low == pytest.approx(0.3)
    assert found.mae - found.other_mae == pytest.approx(0.3)
    assert str(found).startswith("temperature on day 1: mean error ")
    assert "beside" in str(found)
    assert "(+0.30, 95 % between +0.30 and +0.30) over 240 forecasts in 10.0 days" in str(found)


def test_the_same_forecasts_are_not_worse() -> None:
    found = compared(weather(240), weather(240))
    assert (found.low, found.high, found.verdict) == (0.0, 0.0, "not-worse")


def test_a_better_one_is_not_worse() -> None:
    assert compared(weather(240) - 0.3, weather(240)).verdict == "not-worse"


def test_easy_weather_for_both_is_no_evidence_for_either() -> None:
    """What differs from day to day is the same for both; only the difference counts."""
    noise = np.random.default_rng(1).normal(0.0, 0.02, 480)
    found = compared(weather(480) + noise, weather(480))
    assert found.verdict == "not-worse"
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.05


def test_what_swings_from_day_to_day_decides_nothing() -> None:
    swing = np.where(np.arange(240) // 48 % 2, 1.0, -1.0)
    assert compared(weather(240) + swing, weather(240)).verdict == "undecided"


@pytest.mark.parametrize(("count", "rule"), [(99, Rule()), (120, Rule(days=6))])
def test_too_few_forecasts_or_days_decide_nothing(count: int, rule: Rule) -> None:
    found = compared(weather(count) + 5.0, weather(count), rule)
    assert (found.enough, found.verdict) == (False, "undecided")


def test_only_the_hours_of_both_are_compared() -> None:
    own, other = (hours(200), np.ones(200)), (hours(200, first=150), np.full(200, 3.0))
    found = compare("JFK", "humidity", own=("new", own), other=("old", other), rule=RULE)
    assert found is not None
    assert (found.count, found.mae, found.other_mae) == (50, 1.0, 3.0)
    apart = (hours(10, first=500), np.ones(10))
    assert compare("JFK", "humidity", own=("new", own), other=("old", apart), rule=RULE) is None


def test_within_one_block_there_is_no_interval() -> None:
    times = hours(24 * BLOCK_DAYS)
    assert interval(times, np.ones(len(times))) is None


def test_few_blocks_give_a_wider_interval_than_many() -> None:
    wave = np.where(np.arange(2400) // 48 % 2, 1.0, -1.0)
    widths = []
    for days in (6, 12, 50, 100):
        low, high = interval(hours(24 * days), wave[: 24 * days]) or (0.0, 0.0)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 5.0  # three blocks: hardly anything is known
    assert widths[-1] == pytest.approx(2 * 2.01 / np.sqrt(50), rel=0.1)


def test_the_same_forecasts_give_the_same_interval_in_every_process() -> None:
    first, second = (compared(weather(300, 1), weather(300, 2)) for _ in range(2))
    assert first == second


def test_at_most_one_in_twenty_of_the_worse_is_ever_taken_for_no_worse() -> None:
    """Looked at once a day for a month, as the app does."""
    wrong = decided = 0
    for seed in range(100):
        errors = weather(720, seed)
        noise = weather(720, seed + 1000) - 2.0
        for day in range(4, 31):
            verdict = compared((errors + noise + 0.5)[: 24 * day], errors[: 24 * day]).verdict
            if verdict != "undecided":
                decided += 1
                wrong += verdict == "not-worse"
                break
    assert decided > 60
    assert wrong <= 5
