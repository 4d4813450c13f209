"""What an archive can cost is bounded, however few its bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from fairweather_interface.archive import LONGEST_HEADER
from flask import Flask
from pyarrow import parquet

from archives import GOOD, HEADER, csv_file, parquet_file, problems_of
from fairweather_app.observations import archive_file
from fairweather_app.observations.archive_file import read_archive

ROWS = 200_000
LONG = 5 << 20


def repeated(word: Any, rows: int = ROWS) -> pa.Array:
    """A column in which all rows share one word: a few bytes of Parquet."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([word]))


def rows_of(**changes: Any) -> dict[str, Any]:
    same = {"area": "JFK", "time": "2013-12-20T00:00Z", "variable": "temperature", "unit": "degC"}
    return {name: repeated(word) for name, word in same.items()} | {"value": [1.5] * ROWS} | changes


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("area", "row 1: area: found a name of "),
        ("variable", "row 1: variable: found a name of "),
        ("unit", "row 1: unit: found a name of "),
        ("time", "row 1: time that cannot be read: '111"),
        ("value", "row 1: value is not a number: '111"),
    ],
)
def test_a_long_text_that_every_row_has_is_read_once(
    tmp_path: Path, column: str, problem: str
) -> None:
    path = parquet_file(tmp_path, **rows_of(**{column: repeated("1" * LONG)}))
    assert path.stat().st_size < LONG
    (found,) = problems_of(path)
    assert found.startswith(problem)
    assert found.endswith(f"(and {ROWS - 1} more rows)")
    assert len(found) < 500
    assert pa.default_memory_pool().max_memory() < 1 << 30


def test_a_number_is_never_cut_to_another_one(tmp_path: Path) -> None:
    (found,) = problems_of(parquet_file(tmp_path, value=["0" * 2000 + "5"]))
    assert found.startswith("row 1: value is not a number: '000")


def test_equal_rows_are_one_observation_however_many_they_are(tmp_path: Path) -> None:
    assert len(read_archive(parquet_file(tmp_path, **rows_of()))) == 1


@pytest.mark.parametrize(
    ("area", "found"),
    [
        ([["JFK"]], "the columns of the file are 'area.list.element'"),
        ([{"name": "JFK"}], "the columns of the file are 'area.name'"),
        (pa.array([b"J" * 5000], pa.binary(5000)), "found more than 256 MB of text in a row group"),
    ],
)
def test_a_column_that_is_no_plain_text_is_refused_by_the_footer(
    tmp_path: Path, area: Any, found: str
) -> None:
    (problem,) = problems_of(parquet_file(tmp_path, area=area))
    assert found in problem


def test_more_text_than_can_be_held_is_refused_by_the_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_file, "MOST_TEXT", LONG)
    assert problems_of(parquet_file(tmp_path, area=["A" * LONG])) == (
        "found more than 5 MB of text in a row group: write smaller ones",
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("MOST_ROWS", "found more than 3 rows: import fewer at a time"),
        ("MOST_SERIES", "found more than 3 series of an area and a variable: import fewer at "),
        ("MOST_VARIABLES", "found more than 3 variables: import fewer at a time"),
    ],
)
def test_rows_series_and_variables_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, name: str, sentence: str
) -> None:
    columns: dict[str, list[Any]] = {
        "area": ["A", "B", "C", "D"],
        "time": ["2013-12-20T00:00Z"] * 4,
        "variable": ["co", "no", "so", "o"],
        "unit": ["g", "g", "g", "g"],
        "value": [1.0, 2.0, 3.0, 4.0],
    }
    path = parquet_file(tmp_path, **columns)
    if suffix == ".csv":
        rows = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
        path = csv_file(tmp_path, HEADER + "\n".join(rows))
    assert len(read_archive(path)) == 4
    monkeypatch.setattr(archive_file, name, 3)
    (problem,) = problems_of(path)
    assert problem.startswith(sentence)


def test_of_a_file_with_too_many_problems_the_rest_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_file, "PROBLEMS_COUNTED", 30)
    monkeypatch.setattr(archive_file, "ROWS_AT_ONCE", 50)
    path = parquet_file(
        tmp_path,
        area=[f"a\x01{number}" for number in range(500)],
        time=["2013-12-20T00:00Z"] * 500,
        variable=["temperature"] * 500,
        unit=["degC"] * 500,
        value=[1.0] * 500,
    )
    *_, last = problems_of(path)
    assert last == "and 30 more problems"


@pytest.mark.parametrize("first", [b"", b'"', b"area,"])
def test_a_first_line_without_an_end_is_not_read_to_its_end(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "archive.csv"
    with path.open("wb") as file:
        file.write(first)
        file.truncate(1 << 40)  # a hole: read as zeros, on no block of the disk
    (problem,) = problems_of(path)
    assert len(problem) < 500


def test_columns_are_looked_for_among_the_first_lines_alone(tmp_path: Path) -> None:
    (problem,) = problems_of(csv_file(tmp_path, "\n" * LONGEST_HEADER + GOOD))
    assert problem.endswith("the columns of the file are none")


def test_a_pipe_and_a_device_are_no_archives(tmp_path: Path, app: Flask) -> None:
    for suffix in (".csv", ".parquet"):
        os.mkfifo(pipe := tmp_path / f"pipe{suffix}")
        (device := tmp_path / f"device{suffix}").symlink_to("/dev/zero")
        for path in (pipe, device):
            result = app.test_cli_runner().invoke(args=["observations", "import", str(path)])
            assert result.exit_code == 1
            assert "found a pipe, a device or a folder; expected a file" in result.output


def test_whom_a_file_wants_to_be_named_is_cut(tmp_path: Path, app: Flask) -> None:
    path = parquet_file(tmp_path)
    table = parquet.read_table(path)
    said = b'{"attribution": "%s", "synthetic": false}' % (b"x" * 100_000)
    parquet.write_table(table.replace_schema_metadata({b"fairweather": said}), path)
    result = app.test_cli_runner().invoke(args=["observations", "import", str(path)])
    assert result.exit_code == 0
    assert len(result.output) < 1000
