"""Files of observations, written for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairweather_research import ObservationsError, load_observations

GOOD: dict[str, list[Any]] = {
    "area": ["JFK", "JFK"],
    "time": ["2013-01-01T00:00:00Z", "2013-01-01T01:00:00Z"],
    "variable": ["temperature", "temperature"],
    "unit": ["degC", "degC"],
    "value": [1.5, 2.5],
}


def written(folder: Path, suffix: str = ".csv", **changes: Any) -> Path:
    table = pd.DataFrame({**GOOD, **changes})
    path = folder / f"observations{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


def refusal(path: Path | str) -> str:
    with pytest.raises(ObservationsError) as refused:
        load_observations(str(path))
    assert refused.value.source
    return str(refused.value)
