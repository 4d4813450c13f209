"""Read and write archives: files of one long table ``area, time, variable, unit, value``.

It is what every source is read into, what ``fairweather-research observations`` writes, and what
the app imports.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
from fairweather_interface.archive import (
    COLUMNS,
    EMPTY_CELLS,
    ORIGIN_KEY,
    Origin,
    column_problems,
    dump_origin,
    parse_origin,
)
from fairweather_interface.errors import ArchiveError, short
from fairweather_interface.variables import Conversion, Variable
from pyarrow import csv

from fairweather_research.errors import ObservationsError
from fairweather_research.observations.series import Archive, Series
from fairweather_research.observations.sources import SOURCES

_SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV"}
# Finer than any instrument, coarser than the noise of arithmetic: 100.04 degF are 37.8 degC.
_DECIMALS = 6
_SHOWN = 20  # columns of a file that a message names

# The cells without a value; other programs write more words than the contract has.
_EMPTY = {*EMPTY_CELLS, "None", "none", "NULL", "N/A", "n/a", "#N/A", "<NA>", "NAN"}

_ZONED = r"^\s*(.*[T ]\d\d\S*?)\s*([zZ]|UTC|GMT|[+-]\d\d(?::?[0-5]\d)?)\s*$"
_FRACTION = r"(:\d\d)[.,]\d+$"  # of a second; an archive has whole ones
_NAMED = r"\d\s*\[?(?:[B-OQ-Zb-oq-z][A-Za-z]|[A-Za-z][A-Za-z][A-Za-z/])[\w/+\-\]]*\s*$"


def series_table(area: str, variable: Variable, series: Series) -> pd.DataFrame:
    """Return the rows of a series in the declared unit, in the archive's columns."""
    return pd.DataFrame(
        {
            "area": area,
            "time": pd.to_datetime(series.time, unit="s", utc=True).as_unit("s"),
            "variable": variable.name,
            "unit": variable.unit,
            "value": series.value,
        }
    )


def read_table(path: Path, variables: Mapping[str, Variable]) -> pd.DataFrame:
    """Read a user's file in the archive format, in any known unit, in any order.

    Args:
        path: the file's.
        variables: the row of each variable that it may hold.

    Returns:
        The archive's columns, times in UTC, values in declared units. Duplicates, gaps and
        impossible values are still in it, for quality control.

    Raises:
        ObservationsError: no such file, not a table, a column missing, an unknown variable or
            unit, a time that cannot be read or has no time zone, a value that is no number.
    """
    table, source = _read_columns(path), str(path)
    for column in ("area", "variable", "unit"):
        table[column] = _names(table[column], source)
    table["time"] = _utc(table["time"], source)
    table["value"] = _numbers(table["value"], source)
    return declared_units(table, source, variables)


def read_origin(path: Path) -> Origin:
    """Return the origin that a file carries; an empty one where it carries none.

    Raises:
        ObservationsError: the file carries something that cannot be understood.
    """
    if _kind(path) != "Parquet":
        return Origin()
    origin = (pq.read_schema(path).metadata or {}).get(ORIGIN_KEY)
    if origin is None:
        return Origin()
    try:
        return parse_origin(origin)
    except ArchiveError as error:
        raise ObservationsError(str(path), str(error)) from error


def write_archive(archive: Archive, path: Path, *, origin: Origin | None = None) -> None:
    """Write the archive, Parquet or CSV by suffix; the file appears whole or not at all.

    Args:
        archive: what to write.
        path: where; its folder is made when it is not there.
        origin: what must be said of the data; a Parquet file carries it on.

    Raises:
        ObservationsError: an unknown suffix, or a file that cannot be written.
    """
    kind = _kind(path)
    staged: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        staged = Path(name)
        if kind == "Parquet":
            table = pa.Table.from_pandas(archive.table, preserve_index=False)
            if origin is not None:
                table = table.replace_schema_metadata(
                    {**(table.schema.metadata or {}), ORIGIN_KEY: dump_origin(origin)}
                )
            pq.write_table(table, staged)
        else:
            times = archive.table["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
            archive.table.assign(time=times).to_csv(staged, index=False)
        staged.chmod(0o644)
        staged.replace(path)
    except OSError as error:
        raise ObservationsError(
            str(path),
            f"cannot be written ({error.strerror or error}); give the path of a file in a folder "
            "that you may write and that has room",
        ) from error
    finally:
        if staged is not None:
            staged.unlink(missing_ok=True)


def _kind(path: Path) -> str:
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ObservationsError(
            str(path),
            f"the suffix {path.suffix or '(none)'!r} says no format; "
            "use .parquet for Parquet or .csv for CSV",
        )
    return kind


def _read_columns(path: Path) -> pd.DataFrame:
    """Read a file as it is written: every cell of a CSV file is text."""
    source = str(path)
    if not path.is_file():
        raise ObservationsError(
            source,
            "no such file; give a Parquet or CSV file, or the name of a source "
            f"({', '.join(SOURCES)})",
        )
    kind = _kind(path)
    as_text = csv.ConvertOptions(
        column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False
    )
    in_order = csv.ReadOptions(use_threads=False)  # so that an error names its row
    try:
        if kind == "Parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            table = csv.read_csv(path, convert_options=as_text, read_options=in_order)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0][:300]
        raise ObservationsError(
            source,
            f"cannot be read as {kind} ({first}); write it again"
            + ", in UTF-8, each row with as many fields as the header" * (kind == "CSV"),
        ) from error
    names = table.column_names
    missing = ", ".join(column for column in COLUMNS if column not in names)
    if missing or column_problems(names):
        raise ObservationsError(
            source,
            f"{f'lacks the columns {missing}' if missing else 'has a column twice'}; found "
            f"{', '.join(map(short, names[:_SHOWN]))}; expected {', '.join(COLUMNS)}, each once",
        )
    if not table.num_rows:
        raise ObservationsError(source, "holds no rows; give at least one observation")
    found: pd.DataFrame = table.select(list(COLUMNS)).to_pandas(ignore_metadata=True)
    return found


def _names(names: pd.Series, source: str) -> pd.Series:
    """Return a column of names as they are written, in Unicode's composed form (NFC)."""
    column = names.name
    if isinstance(names.dtype, pd.CategoricalDtype):
        names = names.astype(names.cat.categories.dtype)
    if names.dtype != "str":
        raise ObservationsError(
            source,
            f"`{column}` is of type {names.dtype}, expected text, in which a name such as 01001 "
            "keeps its zero; write the column as text",
        )
    empty = names.isna() | (names == "")
    _refuse(source, empty, f"`{column}` is empty; every row must say its {column}")
    composed = {name: unicodedata.normalize("NFC", name) for name in names.unique()}
    blank = names.isin([name for name in composed if name != name.strip()])
    problem = f"{column} {{}} has blanks at its start or end; write it without them"
    _refuse(source, blank, problem, names)
    return names.map(composed)


def _refuse(source: str, bad: pd.Series, problem: str, values: pd.Series | None = None) -> None:
    """Refuse the first row that is bad; ``{}`` in the problem stands for its value."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = None if values is None else short(values.iloc[row])
        raise ObservationsError(source, f"row {row + 1}: {problem.format(value)}")


def _utc(times: pd.Series, source: str) -> pd.Series:
    write = "write UTC with an offset, for example 2013-12-20T00:00:00Z"
    naive = f"has no time zone, so the hour it means is unknown; {write}"
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        if times.dt.tz is None:
            raise ObservationsError(source, f"row 1: time {times.iloc[0]} {naive}")
        converted = times.dt.tz_convert("UTC")
    else:
        text = times.astype("str")
        parts = text.str.extract(_ZONED)
        moment, zone = parts[0].str.replace(_FRACTION, r"\1", regex=True), parts[1]
        plain = moment + zone.where(zone.str.match("[+-]"), "Z")
        converted = pd.to_datetime(plain, utc=True, errors="coerce", format="ISO8601")
        unzoned, named = zone.isna(), text.str.contains(_NAMED)
        bare = pd.to_datetime(text.where(unzoned), utc=True, errors="coerce", format="ISO8601")
        _refuse(source, unzoned & named, f"time {{}} names a zone, not its offset; {write}", text)
        _refuse(source, bare.notna(), f"time {{}} {naive}", text)
        _refuse(source, converted.isna(), f"time {{}} cannot be read; {write}", text)
    _refuse(source, converted.isna(), "`time` is empty; every row must say its time")
    seconds: pd.Series = converted.dt.as_unit("s")
    return seconds


def _numbers(values: pd.Series, source: str) -> pd.Series:
    values = values.mask(values.isin(_EMPTY))
    numbers = pd.to_numeric(values, errors="coerce")
    problem = "value {} is not a number; leave the field empty where nothing was observed"
    _refuse(source, numbers.isna() & values.notna(), problem, values)
    return numbers.astype("float64")


def declared_units(
    table: pd.DataFrame, source: str, variables: Mapping[str, Variable]
) -> pd.DataFrame:
    """Bring the values of a long table to the units of ``variables``, in place.

    Its column ``unit`` still says what they came in.

    Raises:
        ObservationsError: a variable or a unit that is not known.
    """
    value = table["value"].to_numpy(np.float64, copy=True)
    places: Mapping[Any, Any] = table.groupby(["variable", "unit"]).indices
    for (variable, unit), rows in places.items():
        if variable not in variables:
            raise ObservationsError(
                source,
                f"unknown variable {variable!r}; expected one of {', '.join(sorted(variables))}, "
                "or a row for it under `variables` of the definitions",
            )
        converted = convert(value[rows], variables[variable], unit)
        if converted is None:
            raise ObservationsError(
                source,
                f"{variable} in the unit {unit!r} cannot be used; "
                f"expected one of {', '.join(conversions(variables[variable]))}",
            )
        value[rows] = converted
    table["value"] = value
    return table


def conversions(variable: Variable) -> dict[str, Conversion]:
    """Return the units that a variable may come in, the declared one first, by name."""
    others = sorted(variable.conversions, key=lambda row: row.unit)
    return {row.unit: row for row in (Conversion(unit=variable.unit), *others)}


def convert(
    values: npt.NDArray[np.float64], variable: Variable, unit: str
) -> npt.NDArray[np.float64] | None:
    """Return values in the declared unit of a variable, of the same shape; NaN stays NaN.

    Converted values are rounded to six decimals. None where the unit is not known: never a guess.
    """
    row = conversions(variable).get(unit)
    if row is None or (row.factor, row.offset) == (1.0, 0.0):
        return values if row else None
    return np.round(values * row.factor + row.offset, _DECIMALS) + 0.0  # and no -0.0
