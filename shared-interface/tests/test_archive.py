"""What research and the app agree on of an archive of observations."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_interface.archive import (
    COLUMNS,
    EMPTY_CELLS,
    ORIGIN_KEY,
    Origin,
    archive_text,
    column_problems,
    dump_origin,
    parse_origin,
    read_csv_header,
)
from fairweather_interface.errors import ArchiveError

_COMMITTED = resources.files("fairweather_interface") / "ledgers" / "archive.txt"


def test_the_committed_ledger_of_the_archive_is_the_one_the_module_gives() -> None:
    assert archive_text() == _COMMITTED.read_text(encoding="utf-8"), (
        "ARCHIVE_LINE_CHANGED: ledgers/archive.txt: the module gives another text; leave lines "
        "that were released as they are, and write new ones with archive_text()"
    )


def test_the_ledger_of_the_archive_is_sorted_and_names_every_part() -> None:
    head, columns, *rows = archive_text().splitlines()
    assert head.startswith("# ledger of the archive")
    assert rows == sorted(rows)
    assert {len(row.split(" | ")) for row in (columns, *rows)} == {5}
    for name in COLUMNS:
        assert any(row.startswith(f"column | {name} | ") for row in rows)
    for field in Origin.__dataclass_fields__:
        assert any(row.startswith(f"origin | {field} | ") for row in rows)
    assert sum(row.startswith("empty cell | ") for row in rows) == len(EMPTY_CELLS)
    assert any(row.startswith(f"origin key | {ORIGIN_KEY.decode()} | ") for row in rows)


def test_the_columns_are_these_in_this_order() -> None:
    assert COLUMNS == ("area", "time", "variable", "unit", "value")


@pytest.mark.parametrize(
    ("names", "problems"),
    [
        (COLUMNS, ()),
        ((*reversed(COLUMNS), "note", "note"), ()),
        (COLUMNS[1:], ("found no column area, ",)),
        ((), ("found no column area, time, variable, unit, value, ",)),
        ((*COLUMNS, "time", "time", "unit"), ("found more than one column time, unit, ",)),
        (
            ("time", "time", "variable", "value"),
            ("found no column area, unit, ", "found more than one column time, "),
        ),
    ],
)
def test_each_column_is_there_once_and_further_ones_are_ignored(
    names: tuple[str, ...], problems: tuple[str, ...]
) -> None:
    there = ", ".join(map(repr, names)) or "none"
    expected = (
        "expected area, time, variable, unit, value, each once; the columns of the file are "
        f"{there}"
    )
    assert column_problems(names) == tuple(f"{problem}{expected}" for problem in problems)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_named(separator: str) -> None:
    (problem,) = column_problems([separator.join(("note", *COLUMNS))])
    assert problem.startswith(f"found columns that {separator!r} separates, expected ','")


def test_of_many_columns_and_long_names_a_few_characters_are_told() -> None:
    (problem,) = column_problems([f"{'x' * 1000}{number}" for number in range(1000)])
    assert problem.endswith(", ...")
    assert len(problem) < 1500


def test_an_origin_is_the_json_that_released_readers_read() -> None:
    said = b'{"attribution": "Wetterdienst \\u00d6", "synthetic": false}'
    origin = Origin(attribution="Wetterdienst Ö")
    assert dump_origin(origin) == said
    assert parse_origin(said) == origin
    assert dump_origin(Origin()) == b'{"attribution": null, "synthetic": false}'


@given(attribution=st.none() | st.text(), synthetic=st.booleans())
def test_an_origin_is_read_back_as_it_was_written(
    attribution: str | None, *, synthetic: bool
) -> None:
    origin = Origin(attribution=attribution, synthetic=synthetic)
    assert parse_origin(dump_origin(origin)) == origin


def test_a_newer_origin_is_read_for_what_we_know_of_it() -> None:
    newer = b'{"synthetic": true, "attribution": null, "instrument": {"height": 2}}'
    assert parse_origin(newer) == Origin(synthetic=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"synthetic",
        b"[]",
        b"3",
        b"null",
        b'"synthetic"',
        b"{}",
        b'{"synthetic": true}',
        b'{"attribution": null}',
        b'{"attribution": null, "synthetic": 1}',
        b'{"attribution": null, "synthetic": null}',
        b'{"attribution": ["us"], "synthetic": true}',
        b'{"attribution": null, "synthetic": true, "synthetic": false}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda data: data[:40].decode("latin-1"),
)
def test_an_origin_that_cannot_be_understood_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"found the origin b.*, expected JSON with") as caught:
        parse_origin(data)
    assert "write the file again" in str(caught.value)
    assert len(str(caught.value)) < 400


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"{HEADER}\n", 1),
        (f"\ufeff{HEADER}\r\n1,2,3,4,5\r\n", 1),
        (f"\n\n{HEADER}", 3),
        (HEADER.replace("area", '" area "'), 1),
        (HEADER.replace("area", '"area\n"'), 2),
    ],
)
def test_the_columns_of_a_csv_file_are_named_first(tmp_path: Path, text: str, lines: int) -> None:
    path = tmp_path / "archive.csv"
    path.write_bytes(text.encode())
    assert read_csv_header(path) == (list(COLUMNS), lines)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the columns of the file are none"),
        (HEADER.replace(",", ";").encode(), "found columns that ';' separates"),
        (HEADER.encode("utf-16"), "found UTF-16 or UTF-32, expected UTF-8"),
        (HEADER.encode("utf-16-be"), "found UTF-16 or UTF-32, expected UTF-8"),
        (b"Temp\xe9rature," + HEADER[5:].encode(), "found no column area, "),
        (b"x" * 200_000, "found no columns (field larger than field limit"),
    ],
)
def test_a_file_without_our_columns_is_told(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "archive.csv"
    path.write_bytes(data)
    with pytest.raises(ArchiveError) as caught:
        read_csv_header(path)
    assert problem in str(caught.value)
