"""Quality control: what it catches in a real year, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.variables import VARIABLES, Conversion, LargestStep, Variable
from hypothesis import given, settings
from hypothesis import strategies as st

from fairweather_research.observations.quality import CHECKS, control
from fairweather_research.observations.report import SeriesReport

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


def rows(frame: pd.DataFrame, variable: Variable, *, unit: str = "") -> SeriesReport:
    """Control one series of a variable, its values in the declared unit and read in ``unit``."""
    frame = frame.assign(variable=variable.name, unit=unit or variable.unit)
    return control(frame, {variable.name: variable})[1].series[0]


def wave(hours: int, *, middle: float = 10.0, step: float = 0.1, every: int = 1) -> list[float]:
    """Return a daily course, read every so many hours in steps of so much."""
    time = np.arange(0, hours, every)
    course = 6 * np.sin(time * np.pi / 12) + 3 * np.sin(time * np.pi / 80) + middle
    return [float(value) for value in np.round(np.round(course / step) * step, 6)]


def test_equal_values_on_both_sides_of_a_gap_are_kept() -> None:
    times = [START, *(START + pd.Timedelta(hours=h) for h in (1, 97, 98))]
    values, report = controlled(table([10, 12, 12, 13], times=times))
    assert values == [10, 12, 12, 13]
    assert report.dropped == {}


def test_a_stuck_sensor_that_skips_readings_is_still_stuck() -> None:
    times = [START + pd.Timedelta(hours=h) for h in range(60) if h % 5]
    assert controlled(table([12] * len(times), times=times))[1].dropped == {"persistence": 47}


@pytest.mark.parametrize(
    ("every", "readings"), [("1D", 4), ("6h", 8), ("3h", 12)], ids=["daily", "6 hours", "3 hours"]
)
def test_rare_readings_may_repeat_for_longer_than_a_day(every: str, readings: int) -> None:
    hours = int(pd.Timedelta(every).total_seconds()) // 3600
    course = [value + i / 100 for i, value in enumerate(wave(1500, every=hours))]
    values = [*course, *[4.0] * readings, *course]
    assert controlled(table(values, every=every))[1].dropped == {}
    broken = [*course, *[4.0] * 60, *course]
    assert controlled(table(broken, every=every))[1].dropped == {"persistence": 59}


def test_whole_degrees_repeat_for_longer_than_tenths() -> None:
    still = [4.0] * 30
    whole, tenths = wave(500, middle=4.0, step=1.0), wave(500, middle=4.0)
    assert controlled(table([*whole, *still, *whole]))[1].dropped == {}
    assert set(controlled(table([*tenths, *still, *tenths]))[1].dropped) == {"persistence"}
    week = [4.0] * 168
    assert set(controlled(table([*whole, *week, *whole]))[1].dropped) == {"persistence"}


RAIN = Variable(
    name="precipitation",
    unit="mm",
    minimum=0.0,
    maximum=500.0,
    stuck=timedelta(days=1),
    largest_step=LargestStep(minute=20.0, hour=100.0),
)
CLOUDS = Variable(
    name="cloud_cover",
    unit="1",
    minimum=0.0,
    maximum=1.0,
    still=(0.9, 1.0),
    conversions=(Conversion(unit="%", factor=0.01),),
)


def test_a_declared_variable_may_stay_at_its_limit() -> None:
    dry = table([0.0] * 200 + [3.0, 1.0] + [0.0] * 200)
    assert rows(dry, RAIN).dropped == {}
    assert rows(table([0.0] * 20 + [3.0] * 60), RAIN).dropped == {"persistence": 59}


def test_values_a_little_beyond_a_limit_where_the_variable_stays_are_clipped_and_counted() -> None:
    values, report = controlled(table([98, 100.5, 103, 103.1, 101], variable="humidity"))
    assert values == [98, 100, 100, 100]
    assert (report.clipped, report.dropped) == (3, {"range": 1})
    assert "  clipped 3 to the possible range, left by 3 % or less" in report.sentences()
    cloudy = rows(table([0.5, 1.02, 1.04, -0.01]), CLOUDS)
    assert (cloudy.clipped, cloudy.dropped) == (1, {"range": 2})
    assert rows(table([0.0, -0.1, 1.0]), RAIN).dropped == {"range": 1}
    assert controlled(table([59.0, 60.5]))[1].dropped == {"range": 1}


@pytest.mark.parametrize("noise", [4e-7, -4e-7, 1e-15])
def test_repeats_that_differ_by_the_noise_of_numbers_are_one(noise: float) -> None:
    twice = [START, START, START + pd.Timedelta("1h")]
    values, report = controlled(table([8.1 + noise, 8.1, 11], times=twice))
    assert values == [min(8.1, 8.1 + noise), 11]
    assert report.dropped == {"repeated": 1}
    assert controlled(table([8.1, 8.11, 11], times=twice))[1].dropped == {"repeated": 2}


COLD_CODE = -73.277778  # -99.9 degF


@pytest.mark.parametrize("length", [1, 4, 20, 50])
def test_a_run_that_jumps_out_and_back_is_dropped_like_a_spike(length: int) -> None:
    values = [*wave(100), *[37.7222] * length, *wave(100)]
    assert controlled(table(values))[1].dropped == {"step": length}


def test_a_code_is_dropped_at_the_ends_beside_a_gap_and_between_good_values() -> None:
    good = wave(200)
    mixed = [value for pair in zip(good[:20], [COLD_CODE] * 20, strict=True) for value in pair]
    values = [*[COLD_CODE] * 30, *good, *mixed, *good, *[COLD_CODE] * 3]
    kept, report = controlled(table(values))
    assert kept == [*good, *good[:20], *good]
    assert report.dropped == {"step": 53}
    assert report.worst == (
        "for example -73.2778 degC at 2013-05-01 00:00 UTC (possible: -80 to 60)"
    )


def test_a_front_after_which_the_weather_stays_is_kept_whatever_its_length() -> None:
    assert controlled(table([*wave(48, middle=20.0), *wave(48, middle=0.0)]))[1].dropped == {}


@pytest.mark.parametrize(
    ("variable", "unit", "values", "likely"),
    [
        ("temperature", "degC", [value + 273.15 for value in wave(240)], "K"),
        ("temperature", "degC", [1.8 * value + 32 for value in wave(240)], "degF"),
        ("temperature", "K", [value - 273.15 for value in wave(240)], "degC"),
        ("humidity", "%", [value / 20 for value in wave(240)], "1"),
        ("humidity", "1", [value * 500 for value in wave(240)], "%"),
        ("pressure", "hPa", [value + 101_325 for value in wave(240)], "Pa"),
    ],
)
def test_a_series_that_looks_like_another_unit_is_reported_with_it(
    variable: str, unit: str, values: list[float], likely: str
) -> None:
    report = rows(table(values), VARIABLES[variable], unit=unit)
    assert report.looks_like is not None
    assert report.looks_like.startswith(f"looks like {likely}")
    assert f"not {unit}: the middle of its values is" in report.looks_like
    assert f"  {report.looks_like}" in report.sentences()


@pytest.mark.parametrize(
    ("variable", "unit", "values"),
    [
        ("temperature", "K", wave(240)),
        ("temperature", "degC", wave(240, middle=38.0)),
        ("humidity", "%", [100.0] * 50 + wave(100, middle=90.0)),
        ("wind_speed", "mph", [abs(value) / 3 for value in wave(240)]),
        ("wind_speed", "m s-1", [0.0] * 30 + [3.0]),
        ("pressure", "hPa", wave(240, middle=1013.0)),
    ],
)
def test_a_series_in_its_own_unit_is_not_suspected(
    variable: str, unit: str, values: list[float]
) -> None:
    assert rows(table(values), VARIABLES[variable], unit=unit).looks_like is None


def test_nothing_in_the_packaged_record_is_suspected_or_clipped(new_york: Observations) -> None:
    assert {(one.looks_like, one.clipped) for one in new_york.report.series} == {(None, 0)}
