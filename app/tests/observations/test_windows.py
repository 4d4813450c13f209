from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fairweather_interface.applicability import Observed
from fairweather_interface.metadata import Input
from fairweather_interface.testing import GoldenWindow
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.common.times import to_microseconds
from fairweather_app.errors import UnsuppliedInputError
from fairweather_app.observations import Archive, ObservationStore, Window, WindowCache, get_inputs
from fairweather_app.observations.windows import (
    LONGEST_PERIOD,
    WindowSpec,
    read_window,
    region_mean,
    sample_means,
)

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAN = float("nan")


def an_input(**changes: object) -> Input:
    fields: dict[str, object] = {
        "name": "temperature",
        "dtype": "float32",
        "shape": (-1, 3),
        "role": "observations",
        "variable": "temperature",
        "unit": "degC",
        "period": 3 * HOUR,
        "sample_rate": HOUR,
        "max_missing": 0.0,
    }
    return Input.model_validate(fields | changes)


def a_window(*values: float) -> Window:
    return Window(values=np.array(values, dtype=np.float32), reference_time=NOON, sample_rate=HOUR)


def test_golden_windows_come_out_exactly_through_the_real_store(
    golden_window: GoldenWindow, observations: ObservationStore
) -> None:
    for area, series in golden_window.series.items():
        known = sorted((to_microseconds(time), v) for time, v in series if not math.isnan(v))
        times = np.array([time for time, _ in known], dtype=np.int64)
        values = np.array([value for _, value in known], dtype=np.float64)
        archive = Archive(path=Path("golden"), series={(area, "temperature"): (times, values)})
        observations.add(archive)
    wanted = WindowSpec(
        areas=golden_window.areas,
        variable="temperature",
        reference_time=golden_window.reference_time,
        period=golden_window.period,
        sample_rate=golden_window.sample_rate,
    )
    found = read_window(observations.series, wanted)
    expected = [NAN if value is None else value for value in golden_window.expected]
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, np.array(expected, dtype=np.float32))


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=-600_000_000, max_value=60_000_000),
            st.floats(min_value=-50, max_value=50) | st.just(NAN),
        ),
        max_size=40,
    )
)
def test_every_sample_is_the_mean_of_its_own_observations(
    series: list[tuple[int, float]],
) -> None:
    samples, rate = 5, timedelta(minutes=1)
    t0 = to_microseconds(NOON)
    times = np.array([t0 + offset for offset, _ in series], dtype=np.int64)
    values = np.array([value for _, value in series], dtype=np.float64)
    found = sample_means(times, values, reference_time=NOON, samples=samples, sample_rate=rate)
    for k in range(1, samples + 1):
        end = t0 - (samples - k) * 60_000_000
        own = [
            value
            for time, value in zip(times.tolist(), values.tolist(), strict=True)
            if end - 60_000_000 < time <= end and not math.isnan(value)
        ]
        if own:
            assert found[k - 1] == pytest.approx(sum(own) / len(own))
        else:
            assert math.isnan(found[k - 1])


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([[1.0], [3.0]], 2.0),
        ([[1.0], [NAN]], 1.0),
        ([[1.0], [NAN], [NAN]], NAN),
        ([[1.0], [3.0], [NAN]], 2.0),
        ([[NAN], [NAN]], NAN),
    ],
)
def test_a_region_is_the_mean_of_the_members_present_if_at_least_half_are(
    members: list[list[float]], expected: float
) -> None:
    np.testing.assert_array_equal(region_mean(np.array(members)), [expected])


def test_an_input_is_read_for_the_requested_area_unless_it_lists_members(
    windows: WindowCache, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    observe("LGA", [3.0, 4.0, 5.0])
    own = an_input()
    region = an_input(name="region", areas=("JFK", "LGA"))
    found = get_inputs([own, region], "LGA", NOON, windows.window)
    assert found["temperature"].values.tolist() == [3.0, 4.0, 5.0]
    assert found["region"].values.tolist() == [2.0, 3.0, 4.0]


def test_what_is_given_is_not_read(windows: WindowCache) -> None:
    mine = a_window(7.0, 8.0, 9.0)
    found = get_inputs([an_input()], "JFK", NOON, windows.window, given={"temperature": mine})
    assert found["temperature"] is mine


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variable": "solar_radiation", "unit": "W m-2"}, "keeps no observations of 'solar_rad"),
        ({"unit": "K"}, "wants temperature in 'K', observations are in 'degC'"),
        (
            {"period": LONGEST_PERIOD + HOUR, "shape": (-1, 366 * 24 + 1)},
            "period is longer than 366 days",
        ),
        (
            {"period": timedelta(seconds=3), "sample_rate": timedelta(seconds=1)},
            "sample rate is shorter than 1 minute",
        ),
    ],
)
def test_an_input_that_no_observations_can_feed_says_why(
    windows: WindowCache, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnsuppliedInputError, match=reason):
        get_inputs([an_input(**changes)], "JFK", NOON, windows.window)


def test_a_window_knows_its_extremes_and_how_many_values_are_missing() -> None:
    window = a_window(NAN, 1.0, -2.5, 4.0, NAN)
    assert window.observed == Observed(lowest=-2.5, highest=4.0, missing=2, age=HOUR)
    assert a_window(NAN).observed == Observed(lowest=None, highest=None, missing=1)


@pytest.mark.parametrize(
    ("values", "hours"),
    [((1, 2, 3), 0), ((1, NAN, 3), 0), ((1, 2, NAN), 1), ((1, NAN, NAN), 2), ((NAN, NAN), None)],
)
def test_a_window_is_as_old_as_its_newest_value(
    values: tuple[float, ...], hours: int | None
) -> None:
    assert a_window(*values).observed.age == (None if hours is None else hours * HOUR)


def test_gaps_reach_from_when_to_when_the_longest_first() -> None:
    window = a_window(NAN, 1.0, NAN, NAN, 2.0)
    assert window.gaps() == (
        (NOON - 3 * HOUR, NOON - HOUR),
        (NOON - 5 * HOUR, NOON - 4 * HOUR),
    )
    assert a_window(1.0).gaps() == ()


def test_gaps_are_told_in_utc_and_only_the_longest() -> None:
    window = a_window(NAN, 1.0, NAN, 1.0, NAN, 1.0, NAN, NAN)
    assert window.describe_gaps() == (
        "from 2013-06-20T10:00Z to 2013-06-20T12:00Z, from 2013-06-20T04:00Z to "
        "2013-06-20T05:00Z, from 2013-06-20T06:00Z to 2013-06-20T07:00Z and 1 shorter gaps"
    )
