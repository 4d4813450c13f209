"""Archives that tests write, and what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from fairweather_app.common.times import from_microseconds
from fairweather_app.errors import ArchiveError
from fairweather_app.observations.archive_file import read_archive

HEADER = "area,time,variable,unit,value\n"
GOOD = HEADER + "JFK,2013-12-20T00:00Z,temperature,degC,1.5\n"
T0 = datetime(2013, 12, 20, tzinfo=UTC)


def csv_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "archive.csv"
    path.write_text(text)
    return path


def parquet_file(tmp_path: Path, **changes: Any) -> Path:
    columns = {
        "area": ["JFK"],
        "time": pa.array([T0], pa.timestamp("us", tz="UTC")),
        "variable": ["temperature"],
        "unit": ["degC"],
        "value": [1.5],
    } | changes
    path = tmp_path / "archive.parquet"
    parquet.write_table(pa.table({k: v for k, v in columns.items() if v is not None}), path)
    return path


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(ArchiveError) as caught:
        read_archive(path)
    assert str(path) in str(caught.value)
    return caught.value.problems


def series_of(path: Path) -> dict[tuple[str, str], list[tuple[datetime, float]]]:
    return {
        key: [(from_microseconds(int(t)), float(v)) for t, v in zip(times, values, strict=True)]
        for key, (times, values) in read_archive(path).series.items()
    }
