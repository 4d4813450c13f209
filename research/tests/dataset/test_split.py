"""How time is divided."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_research.dataset.split import DAY, Part, Span, TimeSplit
from fairweather_research.recipes.recipe import SplitPlan

HOUR = 3600
PLAN = SplitPlan()


def days(part: Part, plan: SplitPlan = PLAN) -> list[int]:
    """The days of the first cycle that belong to a part."""
    split = TimeSplit(plan)
    noon = np.arange(plan.every.days) * DAY + DAY // 2
    return np.flatnonzero(split.part(noon) == part).tolist()


def test_of_every_48_days_the_last_12_are_held_out() -> None:
    assert days(Part.HELD_OUT) == list(range(36, 48))


def test_calibration_is_two_blocks_of_five_days_apart_from_held_out_time() -> None:
    found = days(Part.CALIBRATION)
    assert len(found) == 10
    assert found == [*range(found[0], found[0] + 5), *range(found[5], found[5] + 5)]
    assert max(found) < 35


def test_the_rest_is_for_training() -> None:
    assert len(days(Part.TRAINING)) == 26


def test_a_value_at_midnight_belongs_to_the_day_that_ends() -> None:
    split = TimeSplit(PLAN)
    before, after = split.part(np.array([36 * DAY, 36 * DAY + HOUR]))
    assert (before, after) == (Part.TRAINING, Part.HELD_OUT)


def test_blocks_do_not_move_when_there_is_more_data() -> None:
    split = TimeSplit(PLAN)
    times = np.arange(0, 400 * DAY, HOUR)
    np.testing.assert_array_equal(split.part(times)[5000:], split.part(times[5000:]))


def test_held_out_blocks_are_given_whole_and_in_order() -> None:
    found = TimeSplit(PLAN).held_out(40 * DAY, 90 * DAY)
    assert found == (Span(36 * DAY, 48 * DAY), Span(84 * DAY, 96 * DAY))


def test_times_share_a_block_exactly_when_they_share_an_unbroken_part() -> None:
    split = TimeSplit(PLAN)
    times = np.arange(HOUR, 120 * DAY, HOUR)
    part, block = split.part(times), split.block(times)
    np.testing.assert_array_equal(np.diff(block) != 0, np.diff(part) != 0)
    assert (np.diff(block) >= 0).all()


@given(st.integers(-(10**9), 4 * 10**9), st.integers(2, 60), st.data())
def test_every_moment_has_one_part_and_cycles_repeat(
    time: int, every: int, data: st.DataObject
) -> None:
    held_out = data.draw(st.integers(1, max(1, every // 4)))
    plan = SplitPlan(every=f"{every + 4} days", held_out=f"{held_out} days", calibration="2 days")
    split = TimeSplit(plan)
    here = split.part(np.array([time]))
    there = split.part(np.array([time + plan.every // timedelta(seconds=1)]))
    assert here == there
    assert len(days(Part.HELD_OUT, plan)) == held_out
    assert len(days(Part.CALIBRATION, plan)) == 2


@given(
    st.integers(8, 60),
    st.integers(1, 14),
    st.sampled_from([2, 4, 6]),
    st.integers(0, 20_000),
)
def test_no_day_is_both_learned_and_judged_or_calibrated_whatever_the_plan(
    every: int, held_out: int, calibration: int, first: int
) -> None:
    try:
        plan = SplitPlan(
            every=f"{every} days",
            held_out=f"{held_out} days",
            calibration=f"{calibration} days",
        )
    except ValueError:
        return  # it leaves too little to train on
    times = first * DAY + np.arange(HOUR, 3 * every * DAY, HOUR)
    part = TimeSplit(plan).part(times)
    by_day = {part_of: set(((times - 1) // DAY)[part == part_of].tolist()) for part_of in Part}
    assert not by_day[Part.TRAINING] & by_day[Part.HELD_OUT]
    assert not by_day[Part.TRAINING] & by_day[Part.CALIBRATION]
    assert not by_day[Part.CALIBRATION] & by_day[Part.HELD_OUT]
    assert all(by_day.values())


def test_the_last_days_of_a_record_are_held_out_whole_and_no_day_before_them() -> None:
    newest = 1000 * DAY + 7 * HOUR
    split = TimeSplit(SplitPlan(last="1 year"), newest)
    times = np.arange(HOUR, newest + 1, HOUR)
    part = split.part(times)
    first = 1001 - 365  # the number of the first day that is held out
    np.testing.assert_array_equal(part == Part.HELD_OUT, times > first * DAY)
    assert split.held_out(HOUR, newest) == (Span(first * DAY, 1001 * DAY),)
    assert split.held_out(HOUR, first * DAY) == ()
    by_day = {each: set(((times - 1) // DAY)[part == each].tolist()) for each in Part}
    assert not by_day[Part.TRAINING] & by_day[Part.CALIBRATION]
    assert len(by_day[Part.CALIBRATION]) == pytest.approx(first * 10 / 48, abs=5)


def test_every_cycle_is_left_out_once_where_there_are_enough() -> None:
    split = TimeSplit(PLAN)
    times = np.arange(HOUR, 8 * 48 * DAY, HOUR)
    part = split.part(times)
    seen = np.zeros(len(times), dtype=np.int64)
    for there, other in split.folds(times):
        seen += there
        np.testing.assert_array_equal(other.part(times), np.where(there, Part.HELD_OUT, part))
    assert set(seen.tolist()) == {1}
    assert split.folds(times[times < 7 * 48 * DAY]) == []
