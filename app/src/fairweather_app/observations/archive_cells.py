"""Read the cells of an archive, a batch of rows at a time, and note what is wrong in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from fairweather_interface import archive
from fairweather_interface.errors import short
from fairweather_interface.names import parse_name

from fairweather_app.common.times import EARLIEST, LATEST, to_microseconds
from fairweather_app.observations.store import Times, Values
from fairweather_app.text import cut

Mask = npt.NDArray[np.bool_]

PROBLEMS_SHOWN = 20
LONGEST_CELL = 1000
"""Characters that are looked at; nothing longer is a name, a time or a number."""

_UTC = pa.timestamp("us", tz="UTC")
_CLOCK = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?"
_ZONE = r"(Z|[+-]\d\d(:?[0-5]\d)?)"
_NUMBER = r"^[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))$"
_TIME = "expected ISO-8601 in UTC, such as 2013-12-20T00:00Z"
_NOT_UTF8 = "{} is not UTF-8; save the file as CSV in UTF-8"


class Problems:
    """The problems of a file: each kind once, with its first row and how many rows have it."""

    def __init__(self) -> None:
        self.of_file: list[str] = []
        self.first_row = 1  # of the current batch
        self._of_rows: dict[str, tuple[int, int, str]] = {}

    def __len__(self) -> int:
        return len(self._of_rows)

    def add(self, sentence: str, wrong: Mask, cells: pa.Array | None = None) -> None:
        """Count the rows of this batch that are `wrong`; without one there is no problem.

        The first of the `cells` that is wrong is what ``{}`` in the sentence stands for.
        """
        count = int(np.count_nonzero(wrong))
        if count:
            first = int(np.argmax(wrong))
            self.count(sentence, first, count, None if cells is None else cells[first].as_py())

    def count(self, sentence: str, first: int, count: int, found: object = None) -> None:
        """Count so many rows of this batch, of which `first` is the first and has `found`."""
        shown = sentence if found is None else sentence.replace("{}", short(found), 1)
        new = (self.first_row + first, 0, shown)
        known = self._of_rows.get(sentence, new)
        row, _, shown = min(known, new)
        self._of_rows[sentence] = (row, known[1] + count, shown)

    def sentences(self) -> list[str]:
        """Return a sentence for each of the first `PROBLEMS_SHOWN`, and one for those left out."""
        found = [
            f"row {row}: {shown}" + (f" (and {count - 1} more rows)" if count > 1 else "")
            for row, count, shown in sorted(self._of_rows.values())
        ] + self.of_file
        more = len(found) - PROBLEMS_SHOWN
        return found[:PROBLEMS_SHOWN] + [f"and {more} more problems"] * (more > 0)


def _different(column: pa.Array) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return the different cells of a column, and for each row the position of its own, or -1."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used, of_row = np.unique(codes, return_inverse=True)
    cells = encoded.dictionary.take(pa.array(used[used >= 0])).to_pylist()
    return cells, of_row - np.count_nonzero(used < 0)


def _decoded(cell: object) -> str:
    return cut(
        cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell), LONGEST_CELL
    )


def _text(column: pa.Array, problems: Problems) -> pa.Array:
    """Return cells as text without white space around it; null where nothing is left."""
    if pa.types.is_dictionary(column.type):
        cells, of_row = _different(column)
        words = pa.array(map(_decoded, cells), pa.string())
        column = words.take(pa.array(of_row, mask=of_row < 0))
    try:
        text = column.cast(pa.string())
    except pa.ArrowInvalid:  # bytes that are no text
        text = pa.array((cell.as_py() or b"").decode(errors="replace") for cell in column)
        wrong = _mask(pc.not_equal(text.cast(pa.binary()), column))
        problems.add(_NOT_UTF8, wrong, column)
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.not_equal(text, ""), text, None)


def read_words(
    batch: pa.RecordBatch, name: str, problems: Problems
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the names in a column, and for each row the position of its name, or -1."""
    cells, of_row = _different(batch.column(name))
    names: dict[str, int] = {}
    codes = np.full(len(cells) + 1, -1, dtype=np.int64)  # the last is of rows without a cell
    used, firsts, counts = np.unique(of_row, return_index=True, return_counts=True)
    for at, first, count in np.stack([used, firsts, counts], axis=1).tolist():
        cell = cells[at] if at >= 0 else ""
        text = _decoded(cell)
        if isinstance(cell, bytes) and len(text) < LONGEST_CELL and text.encode() != cell:
            problems.count(_NOT_UTF8, first, count, cell)
        if not text.strip():
            problems.count(f"no {name}", first, count)
            continue
        try:
            codes[at] = names.setdefault(parse_name(text), len(names))
        except ValueError as error:
            problems.count(f"{name}: {error}", first, count)
    return list(names), codes[of_row]


def read_times(column: pa.Array, problems: Problems) -> tuple[Times, Mask]:
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


def read_values(column: pa.Array, problems: Problems) -> Values:
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
