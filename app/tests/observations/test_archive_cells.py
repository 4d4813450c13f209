"""Every cell of an archive is read as it stands, or told as it was found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from archives import GOOD, HEADER, T0, csv_file, parquet_file, problems_of, series_of
from fairweather_app.common.times import LATEST
from fairweather_app.observations.archive_file import read_archive

ROW = "JFK,2013-12-20T01:00Z,temperature,degC,1\n"


@pytest.mark.parametrize("rows", [10, 60_000])
def test_a_cell_over_several_lines_is_read_whatever_the_size_of_the_file(
    tmp_path: Path, rows: int
) -> None:
    start = datetime(2013, 1, 1, tzinfo=UTC)
    times = [(start + number * timedelta(minutes=1)).isoformat() for number in range(rows)]
    text = "".join(f'JFK,{time},temperature,degC,5.5,"two\nlines, ""each"""\n' for time in times)
    path = csv_file(tmp_path, HEADER.replace("value", "value,note") + text)
    assert len(read_archive(path)) == rows


def test_a_further_column_may_hold_numbers_first_and_text_much_later(tmp_path: Path) -> None:
    start = datetime(2013, 1, 1, tzinfo=UTC)
    times = [(start + number * timedelta(minutes=1)).isoformat() for number in range(40_000)]
    rows = "".join(f"JFK,{time},temperature,degC,5.5,{n}\n" for n, time in enumerate(times[:-1]))
    text = HEADER.replace("value", "value,note") + rows
    path = csv_file(tmp_path, text + f"JFK,{times[-1]},temperature,degC,5.5,late\n")
    assert len(read_archive(path)) == len(times)


@pytest.mark.parametrize("word", ["NA", '"NA"', "nan", "NaN", "null", " null "])
def test_what_is_empty_among_values_is_a_word_elsewhere(tmp_path: Path, word: str) -> None:
    found = series_of(csv_file(tmp_path, GOOD.replace("JFK", word)))
    assert found == {(word.strip(' "'), "temperature"): [(T0, 1.5)]}
    (problem,) = problems_of(csv_file(tmp_path, GOOD.replace("2013-12-20T00:00Z", word)))
    plain = word.strip(' "')
    assert problem.startswith(f"row 1: time that cannot be read: {plain!r}; expected")


@pytest.mark.parametrize(
    "area",
    [
        " JFK", "JFK ", '" JFK"', "\N{NO-BREAK SPACE}JFK", "JFK\N{ZERO WIDTH SPACE}",
        "J\N{SOFT HYPHEN}FK",
    ],
)  # fmt: skip
def test_no_area_is_made_of_what_cannot_be_seen(tmp_path: Path, area: str) -> None:
    text = HEADER + f"{area},2013-12-20T01:00Z,temperature,degC,2\n" + GOOD.removeprefix(HEADER)
    hour = timedelta(hours=1)
    assert series_of(csv_file(tmp_path, text)) == {
        ("JFK", "temperature"): [(T0, 1.5), (T0 + hour, 2.0)]
    }
    assert list(read_archive(parquet_file(tmp_path, area=[area.strip('"')])).series) == [
        ("JFK", "temperature")
    ]


def test_white_space_around_cells_and_columns_is_none_of_them(tmp_path: Path) -> None:
    header = "area, time, variable , unit, value"
    row = "JFK, 2013-12-20T00:00Z , temperature, degC , 1.5 "
    assert series_of(csv_file(tmp_path, f"{header}\n{row}\n")) == series_of(
        csv_file(tmp_path, GOOD)
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2013-12-20T00:00:00.5Z", T0 + timedelta(seconds=0.5)),
        ("2013-12-20T00:00:00.1234567Z", T0 + timedelta(microseconds=123456)),
        ("2013-12-20T00:00:00.123456789123456789+00:00", T0 + timedelta(microseconds=123456)),
        ("2013-12-20T01:59:00+01:59", T0),
        ("2013-12-19T23:00:00.0-0100", T0),
        ("2013-12-20 00:00+00", T0),
    ],
)
def test_times_have_fractions_of_any_length_and_offsets_of_hours_and_minutes(
    tmp_path: Path, text: str, time: datetime
) -> None:
    found = series_of(csv_file(tmp_path, GOOD.replace("2013-12-20T00:00Z", text)))
    assert found == {("JFK", "temperature"): [(time, 1.5)]}
    assert series_of(parquet_file(tmp_path, time=[text])) == found


@pytest.mark.parametrize(
    "text",
    [
        "2013-12-20T00:00:00+01:60", "2013-12-20T00:00:00+0175", "2013-12-20T00:00:00-01:99",
        "2013-12-20T00:00:00+24:00", "2013-12-20T24:00:00Z", "2013-12-20T00:00:60Z",
        "2013-02-30T00:00Z", "2013-12-20T00:00:00.Z", "2013-12-20t00:00z", "20.12.2013 00:00",
        "2013-12-20T00:00 UTC", "1387497600",
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_told_and_nothing_else(tmp_path: Path, text: str) -> None:
    bad = GOOD.replace("2013-12-20T00:00Z", text).removeprefix(HEADER)
    (problem,) = problems_of(csv_file(tmp_path, GOOD + bad + bad.replace("1.5", "2.5")))
    assert problem == (
        f"row 2: time that cannot be read: {text!r}; expected ISO-8601 in UTC, such as "
        "2013-12-20T00:00Z (and 1 more rows)"
    )


def test_times_without_a_zone_are_the_only_problem(tmp_path: Path) -> None:
    rows = "JFK,2013-12-20 00:00:00,temperature,degC,5.5\nJFK,2013-12-20 01:00,temperature,degC,6\n"
    (problem,) = problems_of(csv_file(tmp_path, HEADER + rows))
    assert problem.startswith("row 1: time without a time zone: '2013-12-20 00:00:00'; expected")


def test_a_value_in_another_unit_contradicts_none(tmp_path: Path) -> None:
    other = GOOD.removeprefix(HEADER).replace("degC,1.5", "degF,34.7")
    (problem,) = problems_of(csv_file(tmp_path, GOOD + other))
    assert problem.startswith("row 2: temperature in 'degF'; expected 'degC'")


@pytest.mark.parametrize(
    ("text", "value"), [("+5.5", 5.5), ("5.", 5.0), (".5", 0.5), ("-1E1", -10)]
)
def test_numbers_are_read_whatever_stands_beside_them(
    tmp_path: Path, text: str, value: float
) -> None:
    found = series_of(csv_file(tmp_path, GOOD.replace("1.5", text)))
    assert found == {("JFK", "temperature"): [(T0, value)]}
    (problem,) = problems_of(csv_file(tmp_path, GOOD.replace("1.5", text) + ROW[:-2] + "warm\n"))
    assert "'warm'" in problem


@pytest.mark.parametrize("text", ['"5,5"', "1_0", "0x10", "five", "N/A", "١٢", "--5"])
def test_what_is_no_number_is_told_as_it_was_found(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of(csv_file(tmp_path, GOOD + ROW.replace(",1\n", f",{text}\n")))
    found = text.strip('"')
    assert problem == f"row 2: value is not a number: {found!r}; expected digits and '.'"


@pytest.mark.parametrize("suffix", ["CSV", "Csv"])
def test_the_case_of_an_ending_does_not_count(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"archive.{suffix}"
    path.write_text(GOOD)
    assert len(read_archive(path)) == 1
    for other in ("PARQUET", "pq"):
        there = parquet_file(tmp_path).rename(tmp_path / f"archive.{other}")
        assert len(read_archive(there)) == 1


def test_a_byte_order_mark_is_none_of_the_first_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "")
    path.write_bytes(GOOD.encode("utf-8-sig"))
    assert len(read_archive(path)) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_of_unicode_is_named(tmp_path: Path, encoding: str) -> None:
    path = csv_file(tmp_path, "")
    path.write_bytes(GOOD.encode(encoding))
    (problem,) = problems_of(path)
    assert problem.startswith("found UTF-16 or UTF-32, expected UTF-8")


def test_a_cell_that_is_not_utf8_is_named_with_its_row(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "")
    path.write_bytes(GOOD.encode() + ROW.replace("JFK", "Zürich").encode("latin-1"))
    (problem,) = problems_of(path)
    assert problem == r"row 2: b'Z\xfcrich' is not UTF-8; save the file as CSV in UTF-8"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD.replace(",", ";"), "found columns that ';' separates, expected ','"),
        (GOOD.replace(",", "\t"), r"found columns that '\t' separates, expected ','"),
        (GOOD.removeprefix(HEADER), "the columns of the file are 'JFK', '2013-12-20T00:00Z'"),
        ("", "the columns of the file are none"),
        (GOOD + ROW[:-1] + ",5\n", "cannot be read: row 2: Expected 5 columns, got 6: JFK,2013"),
        ("\n\n" + GOOD + "\na,b\n", "cannot be read: row 2: Expected 5 columns, got 2: a,b"),
        (GOOD + '"' + ROW * 60_000, "a row is longer than 1 MB, or a quotation mark is not closed"),
        ("x" * 200_000, "found no columns (field larger than field limit (131072))"),
    ],
)
def test_a_file_that_is_no_table_of_ours_is_told_as_it_was_found(
    tmp_path: Path, text: str, found: str
) -> None:
    (problem,) = problems_of(csv_file(tmp_path, text))
    assert found in problem
    assert len(problem) < 500


def test_of_very_many_problems_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    rows = [ROW.replace("temperature", f"-{number}") for number in range(5000)]
    *told, rest = problems_of(csv_file(tmp_path, HEADER + "".join(rows)))
    assert told[0].startswith("row 1: unknown variable '-0'; expected temperature")
    assert (len(told), rest) == (20, "and 4980 more problems")


def test_what_is_later_than_now_is_dropped_and_counted(tmp_path: Path) -> None:
    later = (LATEST - timedelta(days=1)).isoformat()
    text = GOOD + ROW.replace("2013-12-20T01:00Z", later) + ROW.replace(
        "JFK,2013-12-20T01:00Z", f"EWR,{later}"
    )  # fmt: skip
    found = read_archive(csv_file(tmp_path, text))
    assert list(found.series) == [("JFK", "temperature")]
    assert (len(found), found.future) == (1, 2)
    soon = [T0, datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)]
    columns = {"area": ["JFK"] * 3, "variable": ["temperature"] * 3, "unit": ["degC"] * 3}
    times = pa.array(soon, pa.timestamp("us", tz="UTC"))
    found = read_archive(parquet_file(tmp_path, time=times, value=[1.0, 2.0, 3.0], **columns))
    assert (len(found), found.future) == (2, 1)
