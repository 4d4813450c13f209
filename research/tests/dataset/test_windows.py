"""How observations become windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairweather_research.dataset.windows import SampledSeries, coarsen, region_mean, sample
from fairweather_research.observations.series import Series
from one_window import window

if TYPE_CHECKING:
    from fairweather_interface.testing import GoldenWindow

NAN = math.nan


def series(*pairs: tuple[int, float]) -> Series:
    times, values = zip(*pairs, strict=True)
    return Series(np.array(times, dtype=np.int64), np.array(values, dtype=np.float64))


def test_golden_series_give_golden_windows(golden_window: GoldenWindow) -> None:
    members = [
        Series(
            np.array([int(time.timestamp()) for time, _ in golden_window.series[area]], np.int64),
            np.array([value for _, value in golden_window.series[area]], np.float64),
        )
        for area in golden_window.areas
    ]
    found = window(
        members,
        reference_time=int(golden_window.reference_time.timestamp()),
        period=int(golden_window.period.total_seconds()),
        sample_rate=int(golden_window.sample_rate.total_seconds()),
    )
    expected = [NAN if value is None else value for value in golden_window.expected]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_an_observation_on_the_edge_belongs_to_the_sample_that_ends_there() -> None:
    found = sample(series((60, 1.0), (61, 2.0), (120, 4.0)), start=60, rate=60, count=2)
    np.testing.assert_array_equal(found.value, [1.0, 3.0])


def test_a_region_has_a_value_where_half_of_its_members_do() -> None:
    found = region_mean([np.array([1.0, 1.0, NAN]), np.array([3.0, NAN, NAN])])
    np.testing.assert_array_equal(found, [2.0, 1.0, NAN])
    found = region_mean([np.array([1.0]), np.array([NAN]), np.array([NAN])])
    np.testing.assert_array_equal(found, [NAN])


def test_windows_reach_beyond_the_record_as_missing() -> None:
    sampled = SampledSeries(0, 10, np.array([1.0, 2.0, 3.0]))
    found = sampled.windows(np.array([0, 20, 30]), 3)
    np.testing.assert_array_equal(found, [[NAN, NAN, 1], [1, 2, 3], [2, 3, NAN]])


def test_coarsening_averages_what_is_present() -> None:
    found = coarsen(np.array([[1.0, 3.0, NAN, 5.0, NAN, NAN]]), 2)
    np.testing.assert_array_equal(found, [[2.0, 5.0, NAN]])


@given(
    st.lists(
        st.tuples(st.integers(0, 7200), st.floats(-50, 50) | st.just(NAN)), min_size=1, max_size=40
    ),
    st.integers(1, 6),
    st.sampled_from([60, 300, 600]),
    st.integers(600, 7200),
)
def test_a_window_is_the_mean_over_each_interval_by_its_definition(
    pairs: list[tuple[int, float]], count: int, rate: int, reference: int
) -> None:
    found = window(
        [series(*pairs)], reference_time=reference, period=count * rate, sample_rate=rate
    )
    for k in range(1, count + 1):
        end = reference - (count - k) * rate
        inside = [v for t, v in pairs if end - rate < t <= end and not math.isnan(v)]
        if inside:
            assert math.isclose(found[k - 1], sum(inside) / len(inside), abs_tol=1e-9)
        else:
            assert math.isnan(found[k - 1])


@given(st.integers(0, 20), st.integers(1, 8))
def test_windows_of_a_sampled_series_are_windows_of_its_observations(
    position: int, samples: int
) -> None:
    rng = np.random.default_rng(position)
    raw = Series(np.sort(rng.integers(0, 12_000, 60)), rng.normal(size=60))
    sampled = sample(raw, start=0, rate=600, count=21)
    reference = position * 600
    direct = window([raw], reference_time=reference, period=samples * 600, sample_rate=600)
    cut = sampled.windows(np.array([reference]), samples)[0]
    inside = np.arange(position - samples + 1, position + 1) >= 0
    np.testing.assert_allclose(cut[inside], direct[inside])
