"""Reading an archive of observations: a long table ``area, time, variable, unit, value``.

A file is read in batches and judged as a whole: either every row is right, or `ArchiveError`
lists everything that is wrong and nothing of the file is used. Rows may come in any order; a row
without a value says nothing; further columns are ignored. A Parquet file may say of its origin, as
JSON under the key ``fairweather`` of its metadata, ``synthetic`` and ``attribution``: research
writes it so.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from fairweather_interface.definitions import VARIABLES
from pyarrow import csv, parquet

from fairweather_app.common.times import (
    EARLIEST,
    LATEST,
    from_microseconds,
    to_microseconds,
    write_time,
)
from fairweather_app.errors import ArchiveError
from fairweather_app.observations.series import Archive, Key, Origin, Times, Values

COLUMNS = ("area", "time", "variable", "unit", "value")
EMPTY_CELLS = ["", "NaN", "nan", "NA", "null"]
ROWS_AT_ONCE = 100_000
_SHOWN = 80

_ORIGIN = b"fairweather"
_UTC = pa.timestamp("us", tz="UTC")
_ZONE = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"


def read_archive(path: Path) -> Archive:
    """Read a Parquet or CSV archive.

    Raises:
        ArchiveError: lists every problem of the file, each once, with the first row that has it.
    """
    problems = _Problems()
    pieces: dict[Key, list[tuple[Times, Values]]] = defaultdict(list)
    try:
        origin = _read_origin(path, problems)
        for batch in _batches(path):
            _check_columns(path, batch.schema.names)
            for key, piece in _read_batch(batch, problems):
                pieces[key].append(piece)
            problems.next_batch(batch.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(path, [f"cannot be read: {str(error).splitlines()[0]}"]) from error
    series = {key: _in_order(key, found, problems) for key, found in sorted(pieces.items())}
    if problems:
        raise ArchiveError(path, problems.sentences())
    return Archive(path=path, origin=origin, series=series)


def _read_origin(path: Path, problems: _Problems) -> Origin | None:
    """What a file says of its origin; None where it says nothing, as CSV always does."""
    said = None
    if path.suffix == ".parquet":
        said = (parquet.read_metadata(path).metadata or {}).get(_ORIGIN)
    if said is None:
        return None
    try:
        found = json.loads(said)
        synthetic, attribution = found["synthetic"], found["attribution"]
    except (ValueError, LookupError, TypeError):
        synthetic = attribution = None
    if isinstance(synthetic, bool) and isinstance(attribution, str | None):
        return Origin(synthetic=synthetic, attribution=attribution)
    problems.add_whole(
        f"says of its origin {said[:_SHOWN]!r}; expected JSON with `synthetic` and `attribution`: "
        "write the file again, with both or without any"
    )
    return None


def _check_columns(path: Path, names: Sequence[str]) -> None:
    """Each of our columns is there, and once.

    Raises:
        ArchiveError: one is not.
    """
    missing = [name for name in COLUMNS if name not in names]
    repeated = [name for name in COLUMNS if names.count(name) > 1]
    found = [f"no column {', '.join(missing)}"] if missing else []
    if repeated:
        found.append(f"more than one column {', '.join(repeated)}")
    if found:
        expected = ", ".join(COLUMNS)
        raise ArchiveError(
            path, [f"{'; '.join(found)}; expected the columns {expected}, each once"]
        )


class _Problems:
    """What is wrong in a file: each kind of problem once, with its first row and how many more."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int]] = {}
        self._whole: list[str] = []
        self._first_row = 1

    def __bool__(self) -> bool:
        return bool(self._found or self._whole)

    def add_whole(self, sentence: str) -> None:
        """A problem that no single row has."""
        self._whole.append(sentence)

    def next_batch(self, rows: int) -> None:
        """Count rows on, past a batch of `rows`."""
        self._first_row += rows

    def add(self, sentence: str, wrong: npt.NDArray[np.bool_]) -> None:
        """Count the rows of this batch that are `wrong`; no row, no problem."""
        count = int(np.count_nonzero(wrong))
        if count:
            row, before = self._found.get(sentence, (self._first_row + int(np.argmax(wrong)), 0))
            self._found[sentence] = (row, before + count)

    def sentences(self) -> list[str]:
        in_rows = [
            f"row {row}: {sentence}" + (f" (and {count - 1} more rows)" if count > 1 else "")
            for sentence, (row, count) in sorted(self._found.items(), key=lambda item: item[1])
        ]
        return in_rows + self._whole


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file, in order. Cells of a CSV file come as text, or null when empty."""
    if path.suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            # a file without rows still says which columns it has
            yield from file.iter_batches(ROWS_AT_ONCE)
            if file.metadata.num_rows == 0:
                yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
    elif path.suffix == ".csv":
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(COLUMNS, pa.string()),
            strings_can_be_null=True,
            null_values=EMPTY_CELLS,
        )
        with csv.open_csv(path, convert_options=options) as reader:
            yield from reader
    else:
        raise ArchiveError(path, ["neither .parquet nor .csv: expected a file of one of the two"])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Words:
    """A column of words: the distinct ones, and for each row which of them it has (-1: none)."""

    distinct: list[str]
    codes: npt.NDArray[np.int64]

    def rows(self) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
        """Each distinct word with the rows that have it."""
        return ((word, self.codes == code) for code, word in enumerate(self.distinct))


def _read_batch(
    batch: pa.RecordBatch, problems: _Problems
) -> Iterator[tuple[Key, tuple[Times, Values]]]:
    """Split a batch by area and variable, noting what is wrong in it."""
    areas = _read_words(batch, "area", problems)
    variables = _read_words(batch, "variable", problems)
    units = _read_words(batch, "unit", problems)
    times = _read_times(batch.column("time"), problems)
    values = _read_values(batch.column("value"), problems)
    given = ~np.isnan(values)
    for name, of_variable in variables.rows():
        if name not in VARIABLES:
            known = ", ".join(VARIABLES)
            problems.add(f"unknown variable {name!r}; expected {known}", of_variable)
            continue
        variable = VARIABLES[name]
        comparable = of_variable & given
        for unit, in_unit in units.rows():
            if unit != variable.unit:
                comparable &= ~in_unit
                wrong = f"{name} in {unit!r}; expected {variable.unit!r}: convert the values"
                problems.add(wrong, of_variable & in_unit)
        possible = (values >= variable.minimum) & (values <= variable.maximum)
        span = f"{variable.minimum:g} to {variable.maximum:g} {variable.unit}"
        problems.add(f"{name} is impossible; expected {span}", comparable & ~possible)
        for area, of_area in areas.rows():
            chosen = of_variable & of_area & given
            if chosen.any():
                yield (area, name), (times[chosen], values[chosen])


def _read_words(batch: pa.RecordBatch, name: str, problems: _Problems) -> _Words:
    encoded = batch.column(name).cast(pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    problems.add(f"no {name}", codes == -1)
    return _Words(distinct=encoded.dictionary.to_pylist(), codes=codes)


def _read_times(column: pa.Array, problems: _Problems) -> Times:
    """Microseconds in UTC; 0 in rows whose time is wrong (the file is refused then)."""
    wanted = "expected ISO-8601 in UTC, such as 2013-12-20T00:00Z"
    problems.add("no time", _as_mask(column.is_null()))
    if pa.types.is_timestamp(column.type):
        naive = np.full(len(column), column.type.tz is None)
        problems.add(f"time without a time zone; {wanted}", naive)
        parsed = column.cast(pa.timestamp("us"), safe=False).cast(_UTC)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        parsed = _parse_times(column, problems, wanted)
    else:
        problems.add(f"time is of type {column.type}; {wanted}", np.ones(len(column), bool))
        parsed = pa.nulls(len(column), _UTC)
    known = _as_mask(parsed.is_valid())
    times: Times = parsed.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    reach = (times < to_microseconds(EARLIEST)) | (times > to_microseconds(LATEST))
    span = f"{EARLIEST:%Y} to {LATEST:%Y}"
    problems.add(f"time out of reach; expected {span}", known & reach)
    return times


def _parse_times(column: pa.Array, problems: _Problems, wanted: str) -> pa.Array:
    zoned = pc.match_substring_regex(column, _ZONE)
    naive = _as_mask(column.is_valid()) & ~_as_mask(zoned)
    problems.add(f"time without a time zone; {wanted}", naive)
    zoned_only = pc.if_else(zoned, column, None)
    try:
        return zoned_only.cast(_UTC)
    except pa.ArrowInvalid:
        parsed = [_parse_one(cell) for cell in zoned_only]
    wrong = _as_mask(zoned_only.is_valid()) & np.array([not each.is_valid for each in parsed])
    problems.add(f"time that cannot be read; {wanted}", wrong)
    return pa.array([each.as_py() for each in parsed], _UTC)


def _as_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    """A boolean column as an array; null is False."""
    mask: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False) == np.True_
    return mask


def _parse_one(cell: pa.Scalar) -> pa.Scalar:
    try:
        return cell.cast(_UTC)
    except pa.ArrowInvalid:
        return pa.scalar(None, _UTC)


def _read_values(column: pa.Array, problems: _Problems) -> Values:
    """Values as float64, NaN where there is none."""
    try:
        numbers = column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = [_number(cell) for cell in column.to_pylist()]
        wrong = np.array([cell is None for cell in cells])
        problems.add("value is not a number", wrong)
        numbers = pa.array(cells, pa.float64())
    values = numbers.fill_null(np.nan).to_numpy(zero_copy_only=False)
    problems.add("value is infinite", np.isinf(values))
    return np.where(np.isinf(values), np.nan, values)


def _number(cell: object) -> float | None:
    """The number a cell holds (NaN when empty), or None when it holds something else."""
    if cell is None:
        return float("nan")
    try:
        return float(cell) if isinstance(cell, str | int | float) else None
    except ValueError:
        return None


def _in_order(
    key: Key, pieces: list[tuple[Times, Values]], problems: _Problems
) -> tuple[Times, Values]:
    """Join the pieces of one series by time, each time once."""
    times = np.concatenate([each for each, _ in pieces])
    values = np.concatenate([each for _, each in pieces])
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    again = np.concatenate([[False], times[1:] == times[:-1]])
    differs = again & np.concatenate([[False], values[1:] != values[:-1]])
    if differs.any():
        where = int(np.argmax(differs))
        time = write_time(from_microseconds(int(times[where])))
        area, variable = key
        problems.add_whole(
            f"{variable} of {area} has two values for one time, first at {time}: "
            f"{values[where - 1]:g} and {values[where]:g} (in all {np.count_nonzero(differs)} "
            "times); expected one value for each time"
        )
    return times[~again], values[~again]
