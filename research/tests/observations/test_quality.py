"""Quality control: what it catches in a real year, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.variables import VARIABLES
from hypothesis import given, settings
from hypothesis import strategies as st

from fairweather_research.observations.quality import CHECKS, SeriesReport, control

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairweather_research.observations.loading import Observations

START = pd.Timestamp("2013-05-01T00:00Z")


def table(
    values: Sequence[float | None],
    *,
    variable: str = "temperature",
    every: str = "1h",
    times: Sequence[pd.Timestamp] | None = None,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area": "JFK",
            "time": pd.DatetimeIndex(
                list(times or pd.date_range(START, periods=len(values), freq=every))
            ).as_unit("s"),
            "variable": variable,
            "unit": "degC",
            "value": np.array(values, dtype=np.float64),
        }
    )


def controlled(frame: pd.DataFrame) -> tuple[list[float], SeriesReport]:
    archive, report = control(frame, VARIABLES)
    return archive.table["value"].tolist(), report.series[0]


def of(new_york: Observations, area: str, variable: str) -> SeriesReport:
    return next(
        one for one in new_york.report.series if (one.area, one.variable) == (area, variable)
    )


def test_the_wind_of_1048_miles_an_hour_is_caught(new_york: Observations) -> None:
    report = of(new_york, "EWR", "wind_speed")
    assert report.dropped["range"] == 1
    assert report.worst is not None
    assert "468.659 m s-1 at 2013-02-12 08:00 UTC" in report.worst


@pytest.mark.parametrize(("area", "missing"), [("EWR", 28), ("JFK", 24), ("LGA", 24)])
def test_the_missing_hours_of_each_station_are_counted(
    new_york: Observations, area: str, missing: int
) -> None:
    report = of(new_york, area, "humidity")
    assert report.cadence == timedelta(hours=1)
    assert report.missing == missing
    assert report.gaps[0].missing == 5
    assert report.gaps[0].after == datetime(2013, 10, 25, 23, tzinfo=UTC)


def test_a_real_spike_at_jfk_is_caught_and_real_fronts_are_kept(new_york: Observations) -> None:
    dropped = {
        (one.area, one.variable): one.dropped.get("step", 0) for one in new_york.report.series
    }
    assert dropped.pop(("JFK", "temperature")) == 1  # -10.5 degC in a night of May
    assert dropped.pop(("JFK", "dew_point")) == 1
    assert set(dropped.values()) == {0}


def test_the_report_tells_people_what_was_dropped_and_what_is_missing(
    new_york: Observations,
) -> None:
    text = new_york.report.text()
    assert text.startswith("Quality control kept 127,836 of 130,575 rows.")
    assert "EWR wind_speed: 8,701 of 8,703 rows kept" in text
    assert "dropped 1 by range" in text
    assert "the longest lacks 5 after 2013-10-25 23:00 UTC" in text


@pytest.mark.parametrize("value", [-80.1, 60.1, 1e9, -1e9])
def test_impossible_values_are_dropped(value: float) -> None:
    values, report = controlled(table([10, value, 11]))
    assert values == [10, 11]
    assert report.dropped == {"range": 1}


def test_a_lone_spike_is_dropped_and_a_front_is_kept() -> None:
    values, report = controlled(table([20, 20.5, 38, 21, 20]))
    assert values == [20, 20.5, 21, 20]
    assert report.dropped == {"step": 1}
    values, report = controlled(table([20, 20.5, 6, 5.5, 5]))
    assert report.dropped == {}


def test_what_is_a_spike_depends_on_the_time_between_neighbours() -> None:
    five_degrees = [20.0, 20.1, 25.0, 20.0, 19.9]
    assert controlled(table(five_degrees, every="1min"))[1].dropped == {"step": 1}
    assert controlled(table(five_degrees, every="1h"))[1].dropped == {}
    assert controlled(table([20.0, 45.0, 20.0], every="6h"))[1].dropped == {}


def test_a_stuck_sensor_keeps_its_first_reading_only() -> None:
    values, report = controlled(table([10, 11, *[12] * 30, 13]))
    assert values == [10, 11, 12, 13]
    assert report.dropped == {"persistence": 29}


def test_one_day_on_one_value_is_not_yet_stuck() -> None:
    assert controlled(table([12] * 25))[1].dropped == {}


def test_saturated_air_and_calm_wind_may_stand_still() -> None:
    assert controlled(table([100] * 60, variable="humidity"))[1].dropped == {}
    assert controlled(table([0] * 60, variable="wind_speed"))[1].dropped == {}
    assert controlled(table([50] * 60, variable="humidity"))[1].dropped == {"persistence": 59}


def test_a_row_that_stands_twice_is_kept_once() -> None:
    twice = [START, START, START + pd.Timedelta("1h")]
    values, report = controlled(table([10, 10, 11], times=twice))
    assert values == [10, 11]
    assert report.dropped == {"repeated": 1}


def test_rows_that_contradict_each_other_are_all_dropped() -> None:
    twice = [START, START, START + pd.Timedelta("1h")]
    values, report = controlled(table([10, 12, 11], times=twice))
    assert values == [11]
    assert report.dropped == {"repeated": 2}


def test_rows_out_of_order_are_sorted_and_reported() -> None:
    times = list(pd.date_range(START, periods=3, freq="1h"))
    values, report = controlled(table([12, 11, 10], times=times[::-1]))
    assert values == [10, 11, 12]
    assert report.unsorted
    assert "rows were not in order of time; sorted" in "\n".join(report.sentences())


def test_a_series_of_nothing_is_reported_as_empty() -> None:
    values, report = controlled(table([None, None]))
    assert values == []
    assert report.kept == 0
    assert report.start is None
    assert report.sentences() == ("JFK temperature: 0 of 2 rows kept", "  dropped 2 by empty")


def test_a_report_can_speak_of_a_part_alone(new_york: Observations) -> None:
    part = new_york.report.select(areas=("JFK",), variables=("humidity", "pressure"))
    assert [(one.area, one.variable) for one in part.series] == [
        ("JFK", "humidity"),
        ("JFK", "pressure"),
    ]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([10.0, 10.5, 11.0, 12.0, 40.0, 99.0, float("nan")]), min_size=1),
)
def test_control_drops_and_counts_every_row_and_finds_nothing_left_out_of_range(
    values: list[float],
) -> None:
    frame = table(values).sample(frac=1, random_state=len(values))
    archive, report = control(frame, VARIABLES)
    series = report.series[0]
    assert series.kept + sum(series.dropped.values()) == series.rows == len(values)
    assert set(series.dropped) <= set(CHECKS)
    assert archive.table["value"].between(-80, 60).all()
    again, second = control(archive.table, VARIABLES)
    assert "range" not in {check for one in second.series for check in one.dropped}
    assert len(again.table) <= len(archive.table)
