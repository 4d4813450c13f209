"""Read and write archives: files of one long table ``area, time, variable, unit, value``.

It is what every source is read into, what ``fairweather-research observations`` writes, and what
the app imports.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
from fairweather_interface.archive import COLUMNS, ORIGIN_KEY, Origin, dump_origin, parse_origin
from fairweather_interface.errors import ArchiveError
from fairweather_interface.variables import Variable

from fairweather_research.errors import ObservationsError
from fairweather_research.observations.series import Archive, Series
from fairweather_research.observations.sources import SOURCES
from fairweather_research.observations.units import convert, known_units

__all__ = [
    "COLUMNS", "Origin", "declared_units", "read_origin", "read_table", "series_table",
    "write_archive",
]  # fmt: skip

_SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV"}


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
    table = _read_columns(path)
    source = str(path)
    for column in ("area", "variable", "unit"):
        problem = f"`{column}` is empty; every row must say its {column}"
        _refuse(source, table[column].isna(), problem)
        table[column] = table[column].astype(str)
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
    source = str(path)
    if not path.is_file():
        raise ObservationsError(
            source,
            "no such file; give a Parquet or CSV file, or the name of a source "
            f"({', '.join(SOURCES)})",
        )
    kind = _kind(path)
    try:
        table = pd.read_parquet(path) if kind == "Parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise ObservationsError(
            source, f"cannot be read as {kind} ({first}); write it again"
        ) from error
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ObservationsError(
            source,
            f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"found {', '.join(map(str, table.columns))}; expected {', '.join(COLUMNS)}",
        )
    if table.empty:
        raise ObservationsError(source, "holds no rows; give at least one observation")
    return table[list(COLUMNS)].copy()


def _refuse(source: str, bad: pd.Series, problem: str, values: pd.Series | None = None) -> None:
    """Refuse the first row that is bad; ``{!r}`` in the problem stands for its value."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = None if values is None else values.iloc[row]
        raise ObservationsError(source, f"row {row + 1}: {problem.format(value)}")


def _utc(times: pd.Series, source: str) -> pd.Series:
    naive = (
        "has no time zone, so the hour it means is unknown; "
        "write UTC with an offset, for example 2013-12-20T00:00:00Z"
    )
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        if times.dt.tz is None:
            raise ObservationsError(source, f"row 1: time {times.iloc[0]} {naive}")
        converted = times.dt.tz_convert("UTC")
    else:
        text = times.astype(str).str.strip()
        zoned = text.str.fullmatch(r".*(?:[zZ]|[+-]\d{2}:?\d{2})").fillna(value=False)
        converted = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601")
        unread = "cannot be read; write ISO 8601 in UTC, for example 2013-12-20T00:00:00Z"
        _refuse(source, converted.isna(), f"time {{!r}} {unread}", text)
        _refuse(source, ~zoned, f"time {{!r}} {naive}", text)
    _refuse(source, converted.isna(), "`time` is empty; every row must say its time")
    seconds: pd.Series = converted.dt.as_unit("s")
    return seconds


def _numbers(values: pd.Series, source: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    problem = "value {!r} is not a number; leave the field empty where nothing was observed"
    _refuse(source, numbers.isna() & values.notna(), problem, values)
    return numbers.astype("float64")


def declared_units(
    table: pd.DataFrame, source: str, variables: Mapping[str, Variable]
) -> pd.DataFrame:
    """Bring a long table of the archive's columns to the units of ``variables``, in place.

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
                f"expected one of {', '.join(known_units(variables[variable]))}",
            )
        value[rows] = converted
    table["value"] = value
    table["unit"] = table["variable"].map({name: row.unit for name, row in variables.items()})
    return table
