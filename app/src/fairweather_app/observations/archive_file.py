"""Read an archive of observations, as `fairweather_interface.archive` describes it.

A file is read in batches and checked as a whole: either every row is right, or `ArchiveError` lists
everything that is wrong and nothing of the file is used. A row without a value is no observation.

A known variable has the unit and the limits of its row. Any other name is taken with its unit as
written, one unit for each variable, and no limits. Names are taken in their one spelling, cells
without white space around them. Observations of the future are dropped and counted.

What a file can cost is bounded, however few its bytes: its rows, series and variables, and of
Parquet the text of a row group. A text that many rows have is read once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import fairweather_interface.errors as interface
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from fairweather_interface import archive
from fairweather_interface.errors import short
from fairweather_interface.variables import VARIABLES, Variable
from pyarrow import csv, parquet

from fairweather_app.common.times import (
    from_microseconds,
    to_microseconds,
    write_time,
)
from fairweather_app.errors import ArchiveError
from fairweather_app.observations.archive_cells import (
    LONGEST_CELL,
    Problems,
    read_times,
    read_values,
    read_words,
)
from fairweather_app.observations.store import Archive, Key, Times, Values
from fairweather_app.setting_values import is_misspelt
from fairweather_app.text import cut

ROWS_AT_ONCE = 100_000
PROBLEMS_COUNTED = 10_000
MOST_ROWS = 20_000_000
MOST_SERIES = 50_000
MOST_VARIABLES = 100
MOST_TEXT = 256 << 20
"""Bytes of text in a row group of Parquet, each different text once."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_PARQUET = (".parquet", ".pq")


def read_archive(
    path: Path,
    find: Callable[[str], Variable | None] = VARIABLES.get,
    stored: Mapping[str, str] = MappingProxyType({}),
) -> Archive:
    """Read a Parquet or CSV archive.

    `find` gives the row of a variable, None of one that nobody knows; `stored` are the units of
    variables whose observations are in the database. `ArchiveError` lists the problems of the file,
    at most `PROBLEMS_SHOWN`, each once, with the first row that has it.
    """
    if path.exists() and not path.is_file():
        raise ArchiveError(path, ["found a pipe, a device or a folder; expected a file"])
    problems, units = Problems(), _Units(find, stored)
    pieces: dict[Key, list[tuple[Times, Values]]] = defaultdict(list)
    origin = None
    try:
        if path.suffix.lower() in _PARQUET:
            origin = _read_origin(path, problems)
        for batch in _batches(path):
            for key, piece in _split(batch, units, problems):
                pieces[key].append(piece)
            problems.first_row += batch.num_rows
            _check_counts(path, problems.first_row - 1, len(pieces), len(units.found))
            if len(problems) > PROBLEMS_COUNTED:
                break
    except (OSError, MemoryError, pa.ArrowException) as error:
        why = cut((str(error) or type(error).__name__).splitlines()[0])
        raise ArchiveError(path, [f"cannot be read: {why}"]) from error
    series, future = {}, 0
    now = to_microseconds(datetime.now(UTC))
    for key, found in sorted(pieces.items()):
        times, values = _join(key, found, problems)
        past = int(np.searchsorted(times, now, side="right"))
        future += len(times) - past
        if past:
            series[key] = times[:past], values[:past]
    if sentences := problems.sentences():
        raise ArchiveError(path, sentences)
    beside = {name: unit for name, unit in units.found.items() if name not in VARIABLES}
    return Archive(path=path, origin=origin, series=series, units=beside, future=future)


class _Units:
    """The unit of each variable: its row's, else the stored one, else the first in the file."""

    def __init__(self, find: Callable[[str], Variable | None], stored: Mapping[str, str]) -> None:
        self.find = find
        self._stored = stored
        self.found: dict[str, str] = {}

    def problem(self, name: str, written: str) -> str:
        """Return why values of a variable, in the unit they are written in, cannot be taken."""
        if not _NAME.fullmatch(name) or is_misspelt(name):
            known = ", ".join(VARIABLES)
            return f"unknown variable {short(name)}; expected {known}, or one of a model's own"
        if not written:
            return ""
        row, stored = self.find(name), self._stored.get(name)
        expected = self.found.setdefault(name, row.unit if row else stored or written)
        if written != expected:
            return f"{name} in {written!r}; expected {expected!r}: convert the values"
        if stored not in {None, expected}:
            return f"{name} in {written!r}; its stored observations are in {stored!r}: remove them"
        return ""


def _read_origin(path: Path, problems: Problems) -> archive.Origin | None:
    data = (parquet.read_metadata(path).metadata or {}).get(archive.ORIGIN_KEY)
    try:
        return None if data is None else archive.parse_origin(data)
    except interface.ArchiveError as error:
        problems.of_file.append(str(error))
        return None


def _check_counts(path: Path, rows: int, series: int = 0, variables: int = 0) -> None:
    for found, most, what in (
        (rows, MOST_ROWS, "rows"),
        (series, MOST_SERIES, "series of an area and a variable"),
        (variables, MOST_VARIABLES, "variables"),
    ):
        if found > most:
            raise ArchiveError(path, [f"found more than {most} {what}: import fewer at a time"])


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield our columns of a file, in order. Cells of a CSV file are bytes, none of them null."""
    if path.suffix.lower() in _PARQUET:
        footer = parquet.read_metadata(path)
        _check_footer(path, footer)
        with parquet.ParquetFile(path, metadata=footer, read_dictionary=archive.COLUMNS) as file:
            yield from file.iter_batches(ROWS_AT_ONCE, columns=archive.COLUMNS)
    elif path.suffix.lower() == ".csv":
        yield from _csv_batches(path)
    else:
        raise ArchiveError(path, ["neither .parquet nor .csv: expected a file of one of the two"])


def _check_footer(path: Path, footer: parquet.FileMetaData) -> None:
    """Refuse a Parquet file whose columns are not ours, or whose rows or text are too many."""
    leaves = [footer.schema.column(at) for at in range(len(footer.schema))]
    if wrong := archive.column_problems([each.path for each in leaves]):
        raise ArchiveError(path, wrong)
    _check_counts(path, footer.num_rows)
    text = [at for at, each in enumerate(leaves) if each.path in archive.COLUMNS]
    text = [at for at in text if leaves[at].physical_type.endswith("BYTE_ARRAY")]
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        size = sum(group.column(at).total_uncompressed_size for at in text)
        if size > MOST_TEXT or any(leaves[at].length > LONGEST_CELL for at in text):
            most = f"{MOST_TEXT >> 20} MB of text in a row group"
            raise ArchiveError(path, [f"found more than {most}: write smaller ones"])


def _csv_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield our columns of a CSV file; what it holds decides whether it is read, not its size."""
    try:
        header, lines = archive.read_csv_header(path)
    except interface.ArchiveError as error:
        raise ArchiveError(path, error.problems) from None
    columns = dict.fromkeys(archive.COLUMNS, pa.binary())
    try:
        with csv.open_csv(
            path,
            csv.ReadOptions(column_names=header, skip_rows=lines, use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(column_types=columns, include_columns=archive.COLUMNS),
        ) as batches:
            yield from batches
    except pa.ArrowInvalid as error:
        found = str(error).splitlines()[0].removeprefix("CSV parse error: ")
        found = re.sub(r"^Row #(\d+)", lambda row: f"row {int(row[1]) - lines}", found)
        if "straddles" in found:
            found = "a row is longer than 1 MB, or a quotation mark is not closed"
        raise ArchiveError(path, [f"cannot be read: {found}"]) from None


def _split(
    batch: pa.RecordBatch, units: _Units, problems: Problems
) -> Iterator[tuple[Key, tuple[Times, Values]]]:
    """Split a batch by area and variable, and add what is wrong in it to the problems."""
    areas, area_of_row = read_words(batch, "area", problems)
    variables, variable_of_row = read_words(batch, "variable", problems)
    written, unit_of_row = read_words(batch, "unit", problems)
    times, timed = read_times(batch.column("time"), problems)
    values = read_values(batch.column("value"), problems)
    pairs = variable_of_row * (len(written) + 1) + unit_of_row
    _, firsts, of_row, counts = np.unique(
        pairs, return_index=True, return_inverse=True, return_counts=True
    )
    right = np.zeros(len(firsts), dtype=bool)
    names, written = [*variables, ""], [*written, ""]  # the last, at -1, where a cell has none
    for pair, first in enumerate(firsts.tolist()):
        name, unit = names[variable_of_row[first]], written[unit_of_row[first]]
        wrong = units.problem(name, unit) if name else ""
        right[pair] = bool(name and unit) and not wrong
        if wrong:
            problems.count(wrong, first, int(counts[pair]))
    comparable = right[of_row] & ~np.isnan(values)
    for code, name in enumerate(variables):
        variable = units.find(name)
        if variable is not None:
            wrong_here = (variable_of_row == code) & comparable
            wrong_here &= (values < variable.minimum) | (values > variable.maximum)
            span = f"{variable.minimum:g} to {variable.maximum:g} {variable.unit}"
            sentence = f"{name} is impossible: {{}}; expected {span}"
            problems.add(sentence, wrong_here, pa.array(values))
    chosen = np.flatnonzero(comparable & timed & (area_of_row >= 0))
    series = variable_of_row[chosen] * len(areas) + area_of_row[chosen]
    order = np.argsort(series, kind="stable")
    for rows in np.split(chosen[order], np.flatnonzero(np.diff(series[order])) + 1):
        if len(rows):
            key = areas[area_of_row[rows[0]]], variables[variable_of_row[rows[0]]]
            yield key, (times[rows], values[rows])


def _join(key: Key, pieces: list[tuple[Times, Values]], problems: Problems) -> tuple[Times, Values]:
    """Join the pieces of one series by time, each time once."""
    times, values = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    again = np.concatenate([[False], times[1:] == times[:-1]])
    differs = again & np.concatenate([[False], values[1:] != values[:-1]])
    if differs.any():
        where = int(np.argmax(differs))
        time = write_time(from_microseconds(int(times[where])))
        area, variable = key
        problems.of_file.append(
            f"{variable} of {area} has two values for one time, first at {time}: "
            f"{values[where - 1]:g} and {values[where]:g} (in all {np.count_nonzero(differs)} "
            "times); expected one value for each time"
        )
    return times[~again], values[~again]
