"""At which times a model learns, so that it may be asked at any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairweather_research import Recipe
from fairweather_research.dataset.climatology import usual_at
from fairweather_research.dataset.split import DAY, Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.observations.loading import Observations
from fairweather_research.observations.series import Archive
from fairweather_research.training.fitting import _measure
from one_window import window

HOUR = 3600


def with_input(document: dict[str, Any], sample_rate: str) -> dict[str, Any]:
    required = [{"temperature": {"period": "3 days", "sample_rate": sample_rate}}]
    return {**document["definitions"], "training": {"required_inputs": required}}


@pytest.fixture(scope="module")
def archive(new_york: Observations) -> Archive:
    table = new_york.archive.table
    summer = (table["time"] >= "2013-06-01") & (table["time"] < "2013-08-01")
    return Archive(table[summer & (table["area"] != "LGA")].reset_index(drop=True))


@pytest.fixture
def coarse(tiny: Callable[..., Recipe], tiny_document: dict[str, Any]) -> Callable[..., Recipe]:
    def make(step: str, sample_rate: str = "1 hour") -> Recipe:
        definitions = with_input(tiny_document, sample_rate)
        return tiny(step=step, definitions=definitions, variables=["temperature"])

    return make


def at_hours(archive: Archive, *hours: int) -> Archive:
    return Archive(archive.table[archive.table["time"].dt.hour.isin(hours)])


@pytest.mark.parametrize("step", ["2 hours", "6 hours", "8 hours", "12 hours", "1 day"])
def test_windows_begin_at_every_hour_whatever_the_step(
    coarse: Callable[..., Recipe], archive: Archive, step: str
) -> None:
    windows = WindowSet.choose(coarse(step), archive)
    assert set((windows.reference % DAY // HOUR).tolist()) == set(range(24))
    assert windows.a_day == 24


@pytest.mark.parametrize("step", ["30 minutes", "1 hour"])
def test_windows_begin_on_every_step_of_an_hour_or_less(
    coarse: Callable[..., Recipe], archive: Archive, step: str
) -> None:
    recipe = coarse(step, "30 minutes").model_copy(update={"max_missing": 0.6})
    windows = WindowSet.choose(recipe, archive)
    assert np.gcd.reduce(np.diff(windows.reference)) == windows.plan.step_seconds
    assert not windows.delay.any()


@pytest.mark.parametrize("sample_rate", ["1 hour", "3 hours", "6 hours", "12 hours"])
def test_a_window_between_two_steps_is_that_of_its_definition(
    coarse: Callable[..., Recipe], archive: Archive, sample_rate: str
) -> None:
    recipe = coarse("12 hours", sample_rate)
    windows = WindowSet.choose(recipe, archive)
    rate = int(recipe.blueprint.inputs[0].sample_rate.total_seconds())
    for row in (5, 100, 313):
        one = windows.rows(np.array([row]))
        (area,) = (list(windows.plan.areas)[number] for number in one.area)
        series, time = archive.series(area, "temperature"), int(one.reference[0])
        expected = window([series], reference_time=time, period=3 * DAY, sample_rate=rate)
        np.testing.assert_allclose(one.inputs()["temperature"][0], expected, rtol=1e-6)
        ahead = window(
            [series], reference_time=time + 2 * DAY, period=2 * DAY, sample_rate=12 * HOUR
        )
        np.testing.assert_allclose(one.targets()[0, 0], ahead)
        coarse_series = windows.coarse_input(0, int(one.area[0]))
        runs = expected.reshape(6, -1)
        found = coarse_series.windows(one.reference, 6)[0]
        np.testing.assert_allclose(found, np.nanmean(runs, axis=1))


def errors_by_hour(windows: WindowSet, hours: tuple[int, ...]) -> list[float]:
    """The mean error of what is usual, outside held-out time, at each hour of the day."""
    usual, truth = _measure(windows)["output_usual"][0, 0], windows.truths[0, 0]
    error = np.where(windows.split.part(truth.time) == Part.HELD_OUT, np.nan, truth.value)
    error -= usual_at(truth.time, usual)
    return [float(np.nanmean(error[truth.time % DAY == hour * HOUR])) for hour in hours]


@pytest.mark.parametrize(("step", "swing"), [("6 hours", 4.0), ("12 hours", 2.5), ("1 day", 0.0)])
def test_the_usual_of_a_mean_is_that_of_its_own_hours(
    coarse: Callable[..., Recipe], archive: Archive, step: str, swing: float
) -> None:
    """A mean ends in the early morning or in the evening: the usual is another one."""
    windows = WindowSet.choose(coarse(step), archive)
    usual = _measure(windows)["output_usual"][0, 0]
    day = int(windows.reference[0]) // DAY * DAY + 20 * DAY
    assert np.ptp(usual_at(day + HOUR * np.arange(24), usual)) >= swing
    assert np.abs(errors_by_hour(windows, tuple(range(24)))).max() < 0.3


def test_a_forecast_of_days_is_of_the_same_usual_whatever_the_hour(
    coarse: Callable[..., Recipe], archive: Archive
) -> None:
    windows = WindowSet.choose(coarse("1 day"), archive)
    usual = _measure(windows)["output_usual"][0, 0]
    day = int(windows.reference[0]) // DAY * DAY + 20 * DAY
    assert np.ptp(usual_at(day + HOUR * np.arange(24), usual)) < 0.5


@pytest.mark.parametrize("hours", [(12,), (0, 12), (3, 9, 15, 21)])
def test_hours_at_which_nothing_is_observed_begin_no_window(
    coarse: Callable[..., Recipe], archive: Archive, hours: tuple[int, ...]
) -> None:
    step = f"{24 // len(hours)} hours"
    windows = WindowSet.choose(coarse(step, step), at_hours(archive, *hours))
    assert set((windows.reference % DAY // HOUR).tolist()) == set(hours)
    since = [min((hour - seen) % 24 for seen in hours) for hour in range(24)]
    assert (windows.delay // HOUR).tolist() == since
    assert np.abs(errors_by_hour(windows, hours)).max() < 0.3


def test_a_seldom_observed_hour_is_none_to_begin_at(
    coarse: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    special = (table["time"].dt.hour == 5) & (table["time"].dt.day == 3)
    synoptic = table["time"].dt.hour % 6 == 0
    windows = WindowSet.choose(coarse("6 hours", "6 hours"), Archive(table[special | synoptic]))
    assert set((windows.reference % DAY // HOUR).tolist()) == {0, 6, 12, 18}


def test_a_window_as_of_its_newest_value_begins_whole_steps_earlier(
    coarse: Callable[..., Recipe], archive: Archive
) -> None:
    windows = WindowSet.choose(coarse("6 hours").model_copy(update={"max_missing": 0.2}), archive)
    series = windows.sources[0, 0]
    asked = int(windows.reference[windows.area == 0][401])
    value = series.value.copy()
    lost = (series.time > asked - 6 * HOUR) & (series.time <= asked)
    value[lost] = np.nan
    late = replace(windows, sources={**windows.sources, (0, 0): series._replace(value=value)})
    at = np.flatnonzero((late.area == 0) & (late.reference == asked))
    assert late.rows(at).as_of_newest().reference.tolist() == [asked - 6 * HOUR]
    assert pd.Timestamp(asked, unit="s").hour % 6 != 0
