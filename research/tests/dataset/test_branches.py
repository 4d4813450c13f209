"""Which network answers which window: by numbers that can be told by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fairweather_research import Recipe, UnfitDataError
from fairweather_research.dataset.branches import ByInput, ByMonth, find_switch, month_of_day
from fairweather_research.dataset.climatology import TERMS, terms
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.delivery.examples import choose_examples
from switches import by_humidity

if TYPE_CHECKING:
    from collections.abc import Callable

SUMMER = ByMonth(branch_of=(1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1))
a_day_of_humidity = partial(
    by_humidity, steps=24, areas=2, described=("mean humidity of the last 1 day", "%")
)
HUMID = {"by": "humidity", "statistic": "mean", "period": "1 day", "at_quantile": 0.5}


def seconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def at(windows: WindowSet, *times: int) -> WindowSet:
    """Windows of the first area at other times."""
    return replace(windows, reference=np.array(times), area=np.zeros(len(times), np.int64))


def holding(windows: WindowSet, humidity: Any) -> WindowSet:
    """Windows whose series of humidity are others."""
    sources = {
        (number, area): series._replace(value=np.broadcast_to(humidity, series.value.shape))
        if number == 0
        else series
        for (number, area), series in windows.sources.items()
    }
    return replace(windows, sources=sources)


@pytest.mark.parametrize("day", [-1, 0, 59, 11_016, 16_070, 146_096, 146_097])
def test_the_calendar_knows_the_month_of_every_day(day: int) -> None:
    month = (np.datetime64("1970-01-01") + day).astype("datetime64[M]").astype(int) % 12
    assert month_of_day()[day % 146_097] == month


def test_a_month_begins_and_ends_in_utc(tiny_windows: WindowSet) -> None:
    moments = [
        seconds(2013, 4, 30, 23, 59, 59),
        seconds(2013, 5, 1),
        seconds(2013, 9, 30, 23, 59, 59),
        seconds(2013, 10, 1),
    ]
    windows = at(tiny_windows, *moments)
    assert SUMMER.of(windows).tolist() == [1, 0, 0, 1]
    assert SUMMER.distance(windows).tolist() == [1, 1, 1, 1]
    assert SUMMER.distance(at(windows, seconds(2013, 7, 16))).tolist() == [77]


def test_what_is_at_a_threshold_belongs_to_the_branch_above(tiny_windows: WindowSet) -> None:
    windows = tiny_windows.rows(np.arange(len(tiny_windows)) > len(tiny_windows) // 2)
    switch = a_day_of_humidity(at=(50.0, 60.0))
    for humidity, branch in ((49.99, 0), (50.0, 1), (59.99, 1), (60.0, 2), (100.0, 2)):
        assert set(switch.of(holding(windows, humidity)).tolist()) == {branch}
    np.testing.assert_allclose(switch.distance(holding(windows, 52.5)), 2.5)
    np.testing.assert_allclose(switch.distance(holding(windows, 57.5)), 2.5)


@pytest.mark.parametrize(("statistic", "expected"), [("mean", 40.0), ("minimum", 1.0)])
def test_only_the_newest_steps_are_looked_at(
    tiny_windows: WindowSet, statistic: str, expected: float
) -> None:
    series = tiny_windows.sources[0, 0]
    row = at(tiny_windows, int(series.time[100]))
    values = np.full(len(series.value), 99.0)
    values[77:101] = 40.0
    if statistic == "minimum":
        values[77] = 1.0
    values[76] = 0.0
    switch = a_day_of_humidity(statistic=statistic)
    assert switch.level(holding(row, values)) == [expected]


def test_a_missing_step_counts_as_what_is_usual_there_and_then(tiny_windows: WindowSet) -> None:
    usual = np.random.default_rng(1).normal(size=(2, TERMS))
    switch = a_day_of_humidity(usual=usual)
    series = tiny_windows.sources[0, 0]
    time = series.time
    values = np.full(len(time), 50.0)
    values[90:101] = np.nan
    expected = terms(time[90:101]) @ usual[0]
    found = switch.level(holding(at(tiny_windows, int(time[100])), values))
    np.testing.assert_allclose(found, (13 * 50.0 + expected.sum()) / 24)
    nothing = switch.level(holding(at(tiny_windows, int(time[0]), int(time[100])), np.nan))
    hours = 3600 * np.arange(-23, 1)
    for row, moment in enumerate((time[0], time[100])):  # the first reaches before the record
        np.testing.assert_allclose(nothing[row], (terms(moment + hours) @ usual[0]).mean())


def test_a_quantile_is_of_training_windows_and_the_usual_of_time_that_is_not_held_out(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet
) -> None:
    switch = find_switch(tiny(switch=HUMID), tiny_windows)
    assert isinstance(switch, ByInput)
    taught = tiny_windows.rows((tiny_windows.parts() == Part.TRAINING).any(axis=1))
    share = np.bincount(switch.of(taught)) / len(taught)
    np.testing.assert_allclose(share, 0.5, atol=0.001)
    series = {
        key: each._replace(
            value=np.where(tiny_windows.split.part(each.time) == Part.HELD_OUT, 1.0, each.value)
        )
        for key, each in tiny_windows.sources.items()
    }
    blinded = find_switch(tiny(switch=HUMID), replace(tiny_windows, sources=series))
    assert isinstance(blinded, ByInput)
    np.testing.assert_array_equal(blinded.usual, switch.usual)


def test_a_branch_with_too_few_windows_is_refused_with_its_numbers(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet
) -> None:
    with pytest.raises(UnfitDataError) as refused:
        find_switch(tiny(switch={**HUMID, "at_quantile": None, "at": 97}), tiny_windows)
    told = refused.value.problems[0]
    assert told.startswith(
        "`switch`: branch 2 (mean humidity of the last 1 day at or above 97 %) has "
    )
    assert "training windows of EWR, expected at least 168; move the condition, or" in told


def test_people_can_read_what_chooses_a_branch() -> None:
    assert a_day_of_humidity(at=(30.0, 60.5)).conditions == (
        "mean humidity of the last 1 day below 30 %",
        "mean humidity of the last 1 day from 30 % to 60.5 %",
        "mean humidity of the last 1 day at or above 60.5 %",
    )
    assert SUMMER.conditions[0] == "reference time in May, Jun, Jul, Aug, Sep (UTC)"


def test_examples_stand_on_both_sides_of_a_switch_and_near_it(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet
) -> None:
    held_out = tiny_windows.rows((tiny_windows.parts() == Part.HELD_OUT).any(axis=1))
    for switch in (find_switch(tiny(switch=HUMID), tiny_windows), june_and_july()):
        assert switch is not None
        examples = choose_examples(held_out, {}, switch)
        shown = replace(
            held_out,
            reference=examples["reference_time"],
            area=examples["input/area_index"],
        )
        assert set(switch.of(shown).tolist()) == {0, 1}
        nearest = switch.distance(held_out)
        nearest = nearest[nearest > 1e-3]
        for number in (0, 1):
            side = switch.distance(shown)[switch.of(shown) == number]
            assert side.min() < np.quantile(nearest, 0.02) + 2
            assert side.max() == switch.distance(held_out)[switch.of(held_out) == number].max()


def test_no_example_stands_where_rounding_may_decide(tiny_windows: WindowSet) -> None:
    held_out = tiny_windows.rows((tiny_windows.parts() == Part.HELD_OUT).any(axis=1))
    levels = a_day_of_humidity().level(held_out)
    switch = a_day_of_humidity(at=(float(levels[0]) + 1e-5,))  # the first is always an example
    assert switch.distance(held_out).min() < 1e-4
    shown = choose_examples(held_out, {}, switch)
    found = replace(held_out, reference=shown["reference_time"], area=shown["input/area_index"])
    assert switch.distance(found).min() > 1e-3
    assert set(switch.of(found).tolist()) == {0, 1}


def test_a_branch_of_windows_at_its_threshold_alone_keeps_its_examples(
    tiny_windows: WindowSet,
) -> None:
    held_out = tiny_windows.rows((tiny_windows.parts() == Part.HELD_OUT).any(axis=1))
    whole = holding(held_out, 60.0)
    assert a_day_of_humidity().distance(whole).min() == 0
    assert len(choose_examples(whole, {}, a_day_of_humidity())["expect"]) >= 8


def june_and_july() -> ByMonth:
    return ByMonth(branch_of=(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1))
