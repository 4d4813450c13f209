"""Cells of a file are read as they are written: names, times, columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.definitions import VARIABLES

from archive_files import refusal, written
from fairweather_research import load_observations, write_archive
from fairweather_research.observations.archive import read_table

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
