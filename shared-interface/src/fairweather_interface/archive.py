"""The archive of observations: the one table that research writes and the app imports.

A CSV or Parquet file with one row for each observation, in any order. Agreed here is what a file
holds; how it is read and judged is each reader's own. A Parquet file may carry its
:class:`Origin`, as JSON under ``ORIGIN_KEY`` of its metadata; CSV has no place for one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fairweather_interface.errors import ArchiveError, short
from fairweather_interface.metadata.record import parse_json

_COLUMNS: Mapping[str, str] = {
    "area": "text | - | as models declare it",
    "time": "time | - | with a zone; read in UTC",
    "variable": "text | - | one of the table of variables",
    "unit": "text | - | in UDUNITS; the variable's own in what we write",
    "value": "number | unit | empty where nothing was observed",
}
_ORIGIN: Mapping[str, str] = {
    "attribution": "text or null | - | required",
    "synthetic": "boolean | - | required",
}

COLUMNS = tuple(_COLUMNS)
"""The columns, in the order in which they are written; a reader ignores any other."""

EMPTY_CELLS = ("", "NaN", "nan", "NA", "null")
"""The cells of a CSV file that hold no value."""

LONGEST_HEADER = 1 << 20
"""Characters of a CSV file among which its columns are named; no line is read without an end."""

_SHOWN = 10
_SEPARATORS = (";", "\t", "|")

ORIGIN_KEY = b"fairweather"
"""The key of the origin in the metadata of a Parquet file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The notice that goes wherever the observations, or what was made from them, go.

    Attributes:
        attribution: whom a licence wants to be named.
        synthetic: whether the observations were made up.
    """

    attribution: str | None = None
    synthetic: bool = False


def dump_origin(origin: Origin) -> bytes:
    """Return the JSON of an origin; the same origin always gives the same bytes."""
    return json.dumps(asdict(origin)).encode()


def parse_origin(data: bytes) -> Origin:
    """Return the origin that the JSON under ``ORIGIN_KEY`` states; other keys in it are ignored.

    Raises:
        ArchiveError: it is not JSON, or does not state both fields with their types.
    """
    try:
        found = parse_json(data)
        attribution, synthetic = found["attribution"], found["synthetic"]
    except (ValueError, LookupError, TypeError):
        attribution = synthetic = None
    if isinstance(synthetic, bool) and isinstance(attribution, str | None):
        return Origin(attribution=attribution, synthetic=synthetic)
    raise ArchiveError(
        f"found the origin {data[:80]!r}, expected JSON with `attribution` (a text or null) "
        "and `synthetic` (true or false): write the file again, with both or without an origin"
    )


def column_problems(names: Sequence[str]) -> tuple[str, ...]:
    """Return what is wrong with the columns of a file; empty where each of ours is there once."""
    missing = [name for name in COLUMNS if name not in names]
    repeated = [name for name in COLUMNS if names.count(name) > 1]
    for separator in _SEPARATORS if missing else ():
        if set(COLUMNS) <= {part.strip() for name in names for part in name.split(separator)}:
            found = f"found columns that {separator!r} separates"
            return (f"{found}, expected ',' (and '.' in numbers): write the file again with these",)
    there = ", ".join(map(short, names[:_SHOWN])) + ", ..." * (len(names) > _SHOWN)
    return tuple(
        f"found {what} {', '.join(columns)}, expected {', '.join(COLUMNS)}, each once; the columns "
        f"of the file are {there or 'none'}"
        for what, columns in (("no column", missing), ("more than one column", repeated))
        if columns
    )


def read_csv_header(path: Path) -> tuple[list[str], int]:
    """Return the columns of a CSV file, and in how many lines they are named.

    Raises:
        ArchiveError: it does not name each of ours once, or is no CSV in UTF-8.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(io.StringIO(file.read(LONGEST_HEADER), newline=""))
        try:
            names = [name.strip() for name in next((row for row in reader if row), [])]
        except csv.Error as error:
            raise ArchiveError(f"found no columns ({error}), expected CSV in UTF-8") from None
    if any("\0" in name for name in names):
        raise ArchiveError("found UTF-16 or UTF-32, expected UTF-8: save the file as CSV in UTF-8")
    if problems := column_problems(names):
        raise ArchiveError("; ".join(problems), problems=problems)
    return names, reader.line_num


def archive_text() -> str:
    """Return the ledger of the archive: all that a file can hold, a line for each, sorted.

    What a release wrote stays readable for ever: a released line of ``ledgers/archive.txt`` never
    changes.
    """
    rows = [f"column | {name} | {law}" for name, law in _COLUMNS.items()]
    rows += [f"empty cell | {json.dumps(cell)} | - | - | CSV" for cell in EMPTY_CELLS]
    rows += [f"origin | {name} | {law}" for name, law in _ORIGIN.items()]
    rows += [f"origin key | {ORIGIN_KEY.decode()} | JSON | - | Parquet"]
    head = ["# ledger of the archive of observations", "# part | name | type | unit | rule"]
    return "\n".join([*head, *sorted(rows)]) + "\n"
