"""Archives are read whole or refused with everything that is wrong in them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from fairweather_interface.archive import Origin
from pyarrow import parquet

from archives import GOOD, HEADER, T0, csv_file, parquet_file, problems_of, series_of
from fairweather_app.errors import ArchiveError
from fairweather_app.observations import archive_file
from fairweather_app.observations.archive_file import read_archive


def test_a_csv_archive_is_read(tmp_path: Path) -> None:
    assert series_of(csv_file(tmp_path, GOOD)) == {("JFK", "temperature"): [(T0, 1.5)]}


@pytest.mark.parametrize(
    "time",
    [
        pa.array([T0], pa.timestamp("us", tz="UTC")),
        pa.array([T0], pa.timestamp("ns", tz="UTC")),
        pa.array([T0], pa.timestamp("s", tz="America/New_York")),
        ["2013-12-20T00:00:00Z"],
        ["2013-12-19 19:00:00-05:00"],
    ],
)
def test_a_parquet_archive_is_read_whatever_its_kind_of_time(tmp_path: Path, time: object) -> None:
    found = series_of(parquet_file(tmp_path, time=time))
    assert found == {("JFK", "temperature"): [(T0, 1.5)]}


def origin_of(path: Path, said: object) -> Origin | None:
    """What is read of a file that says `said` of its origin."""
    table = parquet.read_table(path)
    kept = said if isinstance(said, bytes) else json.dumps(said).encode()
    parquet.write_table(table.replace_schema_metadata({b"fairweather": kept}), path)
    return read_archive(path).origin


def test_what_a_file_says_of_its_origin_is_read(tmp_path: Path) -> None:
    path = parquet_file(tmp_path)
    assert read_archive(path).origin is None
    assert read_archive(csv_file(tmp_path, GOOD)).origin is None
    said = {"attribution": "NOAA", "synthetic": False, "of a newer research": 1}
    assert origin_of(path, said) == Origin(synthetic=False, attribution="NOAA")
    said = {"attribution": None, "synthetic": True}
    assert origin_of(path, said) == Origin(synthetic=True, attribution=None)


@pytest.mark.parametrize(
    "said",
    [b"synthetic", [], "x", {"synthetic": True}, {"synthetic": "no", "attribution": None},
     {"synthetic": True, "attribution": 7}],
)  # fmt: skip
def test_an_origin_that_cannot_be_understood_is_a_problem(tmp_path: Path, said: object) -> None:
    path = parquet_file(tmp_path)
    with pytest.raises(ArchiveError, match=r"found the origin .* expected JSON with `attribution`"):
        origin_of(path, said)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_that_is_there_twice_is_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"archive{suffix}"
    if suffix == ".csv":
        path.write_text(GOOD.replace("area,", "area,area,").replace("JFK,", "JFK,JFK,"))
    else:
        table = parquet.read_table(parquet_file(tmp_path))
        twice = pa.Table.from_arrays(
            [table["area"], *table.columns], names=["area", *table.column_names]
        )
        parquet.write_table(twice, path)
    (problem,) = problems_of(path)
    assert problem.startswith("found more than one column area, expected area, time,")


def test_dictionary_columns_and_whole_numbers_are_read(tmp_path: Path) -> None:
    path = parquet_file(
        tmp_path, area=pa.array(["JFK"]).dictionary_encode(), value=pa.array([1], pa.int32())
    )
    assert series_of(path) == {("JFK", "temperature"): [(T0, 1.0)]}


def test_rows_may_come_in_any_order_and_further_columns_are_ignored(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "note,value,unit,variable,time,area\n"
        "late,2,degC,temperature,2013-12-20T02:00Z,JFK\n"
        "early,1,degC,temperature,2013-12-20T01:00Z,JFK\n"
        "damp,60,%,humidity,2013-12-20T01:00Z,EWR\n",
    )
    hour = timedelta(hours=1)
    assert series_of(path) == {
        ("EWR", "humidity"): [(T0 + hour, 60.0)],
        ("JFK", "temperature"): [(T0 + hour, 1.0), (T0 + 2 * hour, 2.0)],
    }


@pytest.mark.parametrize("empty", ["", "NaN", "nan", "NA", "null"])
def test_a_row_without_a_value_says_nothing(tmp_path: Path, empty: str) -> None:
    path = csv_file(tmp_path, GOOD + f"JFK,2013-12-20T01:00Z,temperature,degC,{empty}\n")
    assert len(read_archive(path)) == 1


def test_the_same_observation_twice_is_one(tmp_path: Path) -> None:
    path = csv_file(tmp_path, GOOD + GOOD.removeprefix(HEADER))
    assert len(read_archive(path)) == 1


def test_an_archive_without_rows_is_empty(tmp_path: Path) -> None:
    assert len(read_archive(csv_file(tmp_path, HEADER))) == 0
    empty = parquet_file(
        tmp_path,
        area=pa.array([], pa.string()),
        time=pa.array([], pa.timestamp("us", tz="UTC")),
        variable=pa.array([], pa.string()),
        unit=pa.array([], pa.string()),
        value=pa.array([], pa.float64()),
    )
    assert len(read_archive(empty)) == 0


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("JFK,2013-12-20T01:00Z,temperature,K,274", "temperature in 'K'; expected 'degC'"),
        ("JFK,2013-12-20T01:00Z,temprature,degC,1", "unknown variable 'temprature'; expected temp"),
        (
            "JFK,2013-12-20T01:00,temperature,degC,1",
            "time without a time zone: '2013-12-20T",
        ),
        ("JFK,2013-12-20,temperature,degC,1", "time that cannot be read: '2013-12-20'; expected"),
        ("JFK,someday at 25:00Z,temperature,degC,1", "time that cannot be read"),
        ("JFK,2013-13-20T01:00Z,temperature,degC,1", "time that cannot be read"),
        ("JFK,,temperature,degC,1", "no time"),
        (",2013-12-20T01:00Z,temperature,degC,1", "no area"),
        ("JFK,2013-12-20T01:00Z,,degC,1", "no variable"),
        ("JFK,2013-12-20T01:00Z,temperature,,1", "no unit"),
        ("JFK,2013-12-20T01:00Z,temperature,degC,warm", "value is not a number: 'warm'; expected"),
        ("JFK,2013-12-20T01:00Z,temperature,degC,inf", "value is infinite"),
        (
            "JFK,2013-12-20T01:00Z,wind_speed,m s-1,468.5",
            "wind_speed is impossible: 468.5; exp",
        ),
        (
            "JFK,1500-12-20T01:00Z,temperature,degC,1",
            "time out of reach: '1500-12-20T01:00",
        ),
    ],
)
def test_a_wrong_row_is_named_with_what_is_expected(
    tmp_path: Path, row: str, expected: str
) -> None:
    (problem,) = problems_of(csv_file(tmp_path, GOOD + row + "\n"))
    assert problem.startswith(f"row 2: {expected}")


def test_a_naive_time_in_parquet_is_refused(tmp_path: Path) -> None:
    naive = pa.array([T0.replace(tzinfo=None)], pa.timestamp("us"))
    (problem,) = problems_of(parquet_file(tmp_path, time=naive))
    assert problem.startswith("row 1: time without a time zone")


def test_a_time_that_is_a_number_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of(parquet_file(tmp_path, time=pa.array([1387497600])))
    assert problem.startswith("row 1: time that cannot be read: '1387497600'; expected ISO-8601")


def test_two_values_for_one_time_are_refused_with_the_time_and_both(tmp_path: Path) -> None:
    path = csv_file(tmp_path, GOOD + "JFK,2013-12-20T00:00Z,temperature,degC,2.5\n")
    (problem,) = problems_of(path)
    assert "temperature of JFK has two values for one time, first at 2013-12-20T00:00Z" in problem
    assert "1.5 and 2.5" in problem


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "area,time,value\nJFK,2013-12-20T00:00Z,1\n")
    (problem,) = problems_of(path)
    assert problem.startswith("found no column variable, unit, expected area, time,")
    (problem,) = problems_of(parquet_file(tmp_path, unit=None))
    assert problem.startswith("found no column unit")


def test_all_problems_are_told_at_once_each_with_its_first_row_and_how_many_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_file, "ROWS_AT_ONCE", 2)
    path = parquet_file(
        tmp_path,
        area=["JFK"] * 5,
        time=pa.array([T0 + timedelta(hours=h) for h in range(5)], pa.timestamp("us", tz="UTC")),
        variable=["temperature", "temperatur", "temperatur", "temperature", "temperatur"],
        unit=["degC", "degC", "degC", "K", "degC"],
        value=[1.0, 1.0, 1.0, 274.0, 1.0],
    )
    problems = problems_of(path)
    assert len(problems) == 2
    assert problems[0].startswith("row 2: unknown variable 'temperatur'")
    assert problems[0].endswith("(and 2 more rows)")
    assert problems[1].startswith("row 4: temperature in 'K'")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"area,time,variable,unit,value\nJFK,2013\n"),
        ("a.csv", b"\xff\xfe\x00area"),
        ("a.parquet", b"PAR1 not really"),
        ("a.parquet", b""),
        ("a.json", b"[]"),
    ],
)
def test_a_file_that_is_no_archive_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert "\n" not in problem


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "nowhere.parquet")
    assert problem.startswith("cannot be read")


def test_times_rise_and_values_are_finite(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hours = rng.permutation(200)
    rows = "".join(
        f"JFK,{(T0 + timedelta(hours=int(h))).isoformat()},temperature,degC,{h / 10}\n"
        for h in hours
    )
    times, values = read_archive(csv_file(tmp_path, HEADER + rows)).series["JFK", "temperature"]
    assert (np.diff(times) > 0).all()
    assert values.tolist() == [h / 10 for h in range(200)]
