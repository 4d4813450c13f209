"""Read an archive of observations, as `fairweather_interface.archive` describes it.

A file is read in batches and checked as a whole: either every row is right, or `ArchiveError` lists
everything that is wrong and nothing of the file is used. A row without a value is no observation.

A known variable has the unit and the limits of its row. Any other name is taken with its unit as
written, one unit for each variable, and no limits. Names are taken in their one spelling, cells
without white space around them. Observations of the future are dropped and counted.
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
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from fairweather_interface import archive
from fairweather_interface.errors import short
from fairweather_interface.names import parse_name
from fairweather_interface.variables import VARIABLES, Variable
from pyarrow import csv, parquet

from fairweather_app.common.times import (
    EARLIEST,
    LATEST,
    from_microseconds,
    to_microseconds,
    write_time,
)
from fairweather_app.errors import ArchiveError
from fairweather_app.observations.store import Archive, Key, Times, Values
from fairweather_app.setting_values import is_misspelt

Mask = npt.NDArray[np.bool_]

ROWS_AT_ONCE = 100_000
PROBLEMS_SHOWN = 20

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_UTC = pa.timestamp("us", tz="UTC")
_CLOCK = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?"
_ZONE = r"(Z|[+-]\d\d(:?[0-5]\d)?)"
_NUMBER = r"^[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))$"
_TIME = "expected ISO-8601 in UTC, such as 2013-12-20T00:00Z"
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
    problems, units = _Problems(), _Units(find, stored)
    pieces: dict[Key, list[tuple[Times, Values]]] = defaultdict(list)
    origin = None
    try:
        if path.suffix.lower() in _PARQUET:
            origin = _read_origin(path, problems)
        for batch in _batches(path):
            if wrong := archive.column_problems(batch.schema.names):
                raise ArchiveError(path, wrong)
            for key, piece in _split(batch, units, problems):
                pieces[key].append(piece)
            problems.first_row += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(path, [f"cannot be read: {str(error).splitlines()[0]}"]) from error
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

    def problem(self, name: str, written: str) -> str | None:
        """Return why values of a variable cannot be taken in the unit they are written in."""
        row, stored = self.find(name), self._stored.get(name)
        expected = self.found.setdefault(name, row.unit if row else stored or written)
        if written != expected:
            return f"{name} in {written!r}; expected {expected!r}: convert the values"
        if stored not in {None, expected}:
            return f"{name} in {written!r}; its stored observations are in {stored!r}: remove them"
        return None


def _read_origin(path: Path, problems: _Problems) -> archive.Origin | None:
    data = (parquet.read_metadata(path).metadata or {}).get(archive.ORIGIN_KEY)
    try:
        return None if data is None else archive.parse_origin(data)
    except interface.ArchiveError as error:
        problems.of_file.append(str(error))
        return None


class _Problems:
    """The problems of a file: each kind once, with its first row and how many rows have it."""

    def __init__(self) -> None:
        self.of_file: list[str] = []
        self.first_row = 1  # of the current batch
        self._of_rows: dict[str, tuple[int, int, str]] = {}

    def add(self, sentence: str, wrong: Mask, cells: pa.Array | None = None) -> None:
        """Count the rows of this batch that are `wrong`; without one there is no problem.

        The first of the `cells` that is wrong is what ``{}`` in the sentence stands for.
        """
        count = int(np.count_nonzero(wrong))
        if count:
            first = int(np.argmax(wrong))
            found = "" if cells is None else short(cells[first].as_py())
            new = (self.first_row + first, 0, sentence.replace("{}", found, 1))
            row, before, shown = self._of_rows.get(sentence, new)
            self._of_rows[sentence] = (row, before + count, shown)

    def sentences(self) -> list[str]:
        found = [
            f"row {row}: {shown}" + (f" (and {count - 1} more rows)" if count > 1 else "")
            for row, count, shown in sorted(self._of_rows.values())
        ] + self.of_file
        more = len(found) - PROBLEMS_SHOWN
        return found[:PROBLEMS_SHOWN] + [f"and {more} more problems"] * (more > 0)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, in order. Cells of a CSV file are bytes, none of them null."""
    if path.suffix.lower() in _PARQUET:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(ROWS_AT_ONCE)
            if file.metadata.num_rows == 0:  # it has columns all the same
                yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
    elif path.suffix.lower() == ".csv":
        yield from _csv_batches(path)
    else:
        raise ArchiveError(path, ["neither .parquet nor .csv: expected a file of one of the two"])


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
    batch: pa.RecordBatch, units: _Units, problems: _Problems
) -> Iterator[tuple[Key, tuple[Times, Values]]]:
    """Split a batch by area and variable, and add what is wrong in it to the problems."""
    areas, area_of_row = _words(batch, "area", problems)
    variables, variable_of_row = _words(batch, "variable", problems)
    written, unit_of_row = _words(batch, "unit", problems)
    times, timed = _times(batch.column("time"), problems)
    values = _values(batch.column("value"), problems)
    present = ~np.isnan(values)
    for code, name in enumerate(variables):
        rows = variable_of_row == code
        if not _NAME.fullmatch(name) or is_misspelt(name):
            known = ", ".join(VARIABLES)
            sentence = f"unknown variable {short(name)}; expected {known}, or one of a model's own"
            problems.add(sentence, rows)
            continue
        comparable = rows & present & (unit_of_row >= 0)
        for unit_code, unit in enumerate(written):
            in_unit = rows & (unit_of_row == unit_code)
            wrong = units.problem(name, unit) if in_unit.any() else None
            if wrong is not None:
                comparable &= ~in_unit
                problems.add(wrong, in_unit)
        variable = units.find(name)
        if variable is not None:
            possible = (values >= variable.minimum) & (values <= variable.maximum)
            span = f"{variable.minimum:g} to {variable.maximum:g} {variable.unit}"
            sentence = f"{name} is impossible: {{}}; expected {span}"
            problems.add(sentence, comparable & ~possible, pa.array(values))
        for area_code, area in enumerate(areas):
            chosen = comparable & timed & (area_of_row == area_code)
            if chosen.any():
                yield (area, name), (times[chosen], values[chosen])


def _text(column: pa.Array, problems: _Problems) -> pa.Array:
    """Return cells as text without white space around it; null where nothing is left."""
    try:
        text = column.cast(pa.string())
    except pa.ArrowInvalid:  # bytes that are no text
        text = pa.array((cell.as_py() or b"").decode(errors="replace") for cell in column)
        wrong = _mask(pc.not_equal(text.cast(pa.binary()), column))
        problems.add("{} is not UTF-8; save the file as CSV in UTF-8", wrong, column)
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.not_equal(text, ""), text, None)


def _words(
    batch: pa.RecordBatch, name: str, problems: _Problems
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the words of a column, and for each row the position of its word, or -1."""
    encoded = _text(batch.column(name), problems).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    problems.add(f"no {name}", codes == -1)
    words = encoded.dictionary.to_pylist()
    for code, text in enumerate(words):
        try:
            words[code] = parse_name(text)
        except ValueError as error:
            problems.add(f"{name}: {error}", codes == code)
            codes[codes == code] = -1
    return words, codes


def _times(column: pa.Array, problems: _Problems) -> tuple[Times, Mask]:
    """Return microseconds in UTC, and which rows have a time that can be used."""
    if pa.types.is_timestamp(column.type):
        instants = column.cast(pa.timestamp("us"), safe=False)
        column = instants if column.type.tz is None else instants.cast(_UTC)
    text = _text(column, problems)
    exact = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")  # microseconds
    naive = _mask(pc.match_substring_regex(exact, f"{_CLOCK}$"))
    zoned = pc.match_substring_regex(exact, f"{_CLOCK}{_ZONE}$")
    parsed = _instants(pc.if_else(zoned, exact, None))
    given, read = _mask(text.is_valid()), _mask(parsed.is_valid())
    problems.add("no time", ~given)
    problems.add(f"time without a time zone: {{}}; {_TIME}", naive, text)
    problems.add(f"time that cannot be read: {{}}; {_TIME}", given & ~naive & ~read, text)
    times: Times = parsed.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    beyond = (times < to_microseconds(EARLIEST)) | (times > to_microseconds(LATEST))
    problem = f"time out of reach: {{}}; expected {EARLIEST:%Y} to {LATEST:%Y}"
    problems.add(problem, read & beyond, text)
    return times, read & ~beyond


def _values(column: pa.Array, problems: _Problems) -> Values:
    """Return values as float64, NaN where there is none."""
    numbers = column
    if not pa.types.is_primitive(column.type):
        text = _text(column, problems)
        column = pc.if_else(pc.is_in(text, pa.array(archive.EMPTY_CELLS)), None, text)
        numbers = pc.if_else(pc.match_substring_regex(column, _NUMBER), column, None)
    numbers = numbers.cast(pa.float64(), safe=False)
    unread = _mask(column.is_valid()) & ~_mask(numbers.is_valid())
    problems.add("value is not a number: {}; expected digits and '.'", unread, column)
    values = numbers.fill_null(np.nan).to_numpy(zero_copy_only=False)
    problems.add("value is infinite", np.isinf(values))
    return np.where(np.isinf(values), np.nan, values)


def _instants(text: pa.Array) -> pa.Array:
    """Parse times with a zone, cell by cell where one of them is none there is; that is null."""
    try:
        return text.cast(_UTC)
    except pa.ArrowInvalid:
        cells = []
    for cell in text:
        try:
            cells.append(cell.cast(_UTC).as_py())
        except pa.ArrowInvalid:
            cells.append(None)
    return pa.array(cells, _UTC)


def _mask(column: pa.Array) -> Mask:
    """Return a boolean column as an array; null is False."""
    mask: Mask = column.to_numpy(zero_copy_only=False) == np.True_
    return mask


def _join(
    key: Key, pieces: list[tuple[Times, Values]], problems: _Problems
) -> tuple[Times, Values]:
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
