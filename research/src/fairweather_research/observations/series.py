"""Observations in memory: an archive, and the series of it. Loads no library of tables.

An archive obeys these laws: times are UTC, units are the declared ones, values are finite, rows are
sorted by area, variable and time, and no (area, variable, time) occurs twice. Quality control (see
``quality``) establishes them; nothing after it needs to look again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fairweather_research.observations.report import QualityReport

if TYPE_CHECKING:
    import pandas as pd


class Series(NamedTuple):
    """The observations of one variable at one area, sorted by time."""

    time: npt.NDArray[np.int64]  # seconds since 1970-01-01T00:00Z, strictly increasing
    value: npt.NDArray[np.float64]  # in the declared unit, finite


class Archive:
    """Quality-controlled observations; see the module's docstring for what holds.

    ``report`` is that of all that was read, also of what was dropped or not selected.
    """

    def __init__(self, table: pd.DataFrame, report: QualityReport | None = None) -> None:
        self.table = table
        self.report = report or QualityReport()

    @property
    def areas(self) -> tuple[str, ...]:
        """Areas with at least one observation, sorted."""
        return tuple(sorted(self.table["area"].unique()))

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables with at least one observation, sorted."""
        return tuple(sorted(self.table["variable"].unique()))

    def series_names(self) -> set[tuple[str, str]]:
        """Return every (area, variable) with at least one observation."""
        found = self.table[["area", "variable"]].drop_duplicates()
        return set(zip(found["area"], found["variable"], strict=True))

    def select(self, *, areas: Iterable[str], variables: Iterable[str]) -> Archive:
        """Return the observations of these variables at these areas."""
        table = self.table
        wanted = table["area"].isin(list(areas)) & table["variable"].isin(list(variables))
        return Archive(table[wanted].reset_index(drop=True), self.report)

    def series(self, area: str, variable: str) -> Series:
        """Return the observations of one variable at one area; empty when there are none."""
        table = self.table
        rows = table[(table["area"] == area) & (table["variable"] == variable)]
        return Series(epoch_seconds(rows["time"]), rows["value"].to_numpy(np.float64))

    def digest(self) -> str:
        """Return ``sha256:<hex>`` of the content, the same whatever file it was read from."""
        state = hashlib.sha256()
        for (area, variable), rows in self.table.groupby(["area", "variable"], sort=True):
            state.update(f"{area}\0{variable}\0{len(rows)}\n".encode())
            state.update(epoch_seconds(rows["time"]).astype("<i8").tobytes())
            state.update(rows["value"].to_numpy("<f8").tobytes())
        return f"sha256:{state.hexdigest()}"


def epoch_seconds(times: pd.Series) -> npt.NDArray[np.int64]:
    """Return aware times in seconds since 1970-01-01T00:00Z."""
    return np.asarray(times.dt.as_unit("s").astype("int64"), dtype=np.int64)
