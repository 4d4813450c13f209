"""Windows that are cut out of series when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fairweather_research.dataset.split import Part
from fairweather_research.dataset.stacked_windows import StackedWindows
from fairweather_research.dataset.windows import SampledSeries

if TYPE_CHECKING:
    from fairweather_research.dataset.window_set import WindowSet

HOUR = 3600


def stacked(**changes: object) -> StackedWindows:
    """Two series at each of two areas: 0 to 9, and the same times 10; area 1 lies 100 higher."""
    hours = np.arange(10.0)
    hours[4] = np.nan
    series = {
        (number, area): SampledSeries(0, HOUR, hours * 10**number + 100 * area)
        for number in range(2)
        for area in range(2)
    }
    end = HOUR * np.array([2, 5, 9])
    settings = {"series": series, "area": np.array([0, 1, 0]), "end": end, "samples": 3}
    return StackedWindows(**(settings | changes))  # type: ignore[arg-type]


def test_every_row_reads_the_windows_of_its_area_and_time() -> None:
    windows = stacked()
    assert (len(windows), windows.shape) == (3, (3, 2, 3))
    values = np.asarray(windows)
    assert values.dtype == np.float32
    assert values[0].tolist() == [[0, 1, 2], [0, 10, 20]]
    np.testing.assert_array_equal(values[1], [[103, np.nan, 105], [130, np.nan, 150]])
    assert values[2].tolist() == [[7, 8, 9], [70, 80, 90]]


def test_an_index_chooses_rows_and_reads_nothing() -> None:
    windows = stacked()
    assert isinstance(windows[:2], StackedWindows)
    for rows in (slice(1, 3), np.array([2, 0]), np.array([True, False, True])):
        np.testing.assert_array_equal(np.asarray(windows[rows]), np.asarray(windows)[rows])


def test_what_is_not_there_and_what_comes_before_a_series_begins_is_read_as_missing() -> None:
    values = np.asarray(stacked(missing=0.0, begins=[0, 2]))
    assert values[1].tolist() == [[103, 0, 105], [0, 0, 150]]


def test_values_that_are_there_are_counted_without_reading_windows() -> None:
    assert stacked().counts().tolist() == [[3, 3], [2, 2], [3, 3]]


@pytest.mark.parametrize("part", Part)
def test_targets_of_a_part_are_those_of_all_with_the_others_left_out(
    tiny_windows: WindowSet, part: Part
) -> None:
    outside = tiny_windows.parts()[:, None] != part
    expected = np.where(outside, np.nan, tiny_windows.targets()).astype(np.float32)
    found = tiny_windows.observed(part)
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal(found.counts(), np.isfinite(expected).sum(axis=2))
    reaching = ~outside[:, 0]
    np.testing.assert_array_equal(tiny_windows.reaching(part), reaching.any(axis=1))
    np.testing.assert_array_equal(tiny_windows.reaching(part, 5), reaching[:, :5].any(axis=1))
