"""The soak's own record of observations, and windows made of it without any code of the app's.

Every import is a version. While one is under way an answer may rightly come from before it or
from after it, so a question asked then has several right windows.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import csv
import math
import random
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

HOUR = timedelta(hours=1)
START = datetime(2013, 6, 1, tzinfo=UTC)
DAYS = 12
UNITS = {"temperature": "degC", "humidity": "%"}

Floats = npt.NDArray[np.float32]
Row = tuple[str, str, datetime, float]
"""Area, variable, time, value."""


@dataclass(slots=True)
class Import:
    """One import: when it began, and when it was surely done (infinite while it is not)."""

    rows: list[Row]
    began: float
    done: float = math.inf


@dataclass(slots=True)
class _Cell:
    """What was observed at one time: versions and the values they wrote."""

    versions: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def at(self, version: int) -> float:
        """The value that a version has, NaN where it has none."""
        position = bisect_right(self.versions, version)
        return self.values[position - 1] if position else math.nan


class Weather:
    """Every observation that was imported, version by version. Safe between threads."""

    def __init__(self, areas: tuple[str, ...], chance: random.Random) -> None:
        self.areas = areas
        self.imports: list[Import] = []
        self._chance = chance
        self._series: dict[tuple[str, str], dict[datetime, _Cell]] = {}
        self._lock = threading.Lock()
        self._next = dict.fromkeys(areas, START)

    def first_days(self) -> list[Row]:
        """Some days of hourly observations everywhere, with gaps."""
        return [row for _ in range(24 * DAYS) for area in self.areas for row in self._hour(area)]

    def arriving(self) -> list[Row]:
        """What comes next: hours of one area; now and then between them, or a correction."""
        area = self._chance.choice(self.areas)
        rows = [row for _ in range(self._chance.randint(1, 3)) for row in self._hour(area)]
        if self._chance.random() < 0.3:  # noqa: PLR2004
            hours = self._chance.randint(1, 20)
            rows += self._values(area, self._next[area] - hours * HOUR)
        if self._chance.random() < 0.2:  # noqa: PLR2004
            rows += self._values(area, self._next[area] - timedelta(minutes=90))
        return list({row[:3]: row for row in rows}.values())

    def begin(self, rows: list[Row]) -> Import:
        """Note that an import is about to begin."""
        with self._lock:
            made = Import(rows=rows, began=time.monotonic())
            version = len(self.imports)
            for area, variable, at, value in rows:
                series = self._series.setdefault((area, variable), {})
                cell = series.setdefault(at, _Cell())
                cell.versions.append(version)
                cell.values.append(value)
            self.imports.append(made)
            return made

    def versions(self, sent: float, received: float) -> range:
        """The versions that the app may rightly have seen between two moments."""
        with self._lock:
            lowest = highest = 0
            for version, each in enumerate(self.imports):
                if each.done <= sent:
                    lowest = version
                if each.began <= received:
                    highest = version
            return range(lowest, highest + 1)

    def latest(self, area: str, version: int) -> datetime:
        """When the latest observation of an area was made."""
        with self._lock:
            return max(
                at
                for (name, _), series in self._series.items()
                if name == area
                for at, cell in series.items()
                if cell.versions[0] <= version
            )

    def window(
        self, areas: tuple[str, ...], variable: str, until: datetime, hours: int, version: int
    ) -> Floats:
        """Hourly means of (until - hours, until], oldest first; over a region the mean of means."""
        with self._lock:
            members = [self._means(area, variable, until, hours, version) for area in areas]
        made = []
        for sample in zip(*members, strict=True):
            known = [value for value in sample if not math.isnan(value)]
            enough = known and 2 * len(known) >= len(sample)
            made.append(math.fsum(known) / len(known) if enough else math.nan)
        return np.array(made, dtype=np.float32)

    def _means(
        self, area: str, variable: str, until: datetime, hours: int, version: int
    ) -> list[float]:
        samples: list[list[float]] = [[] for _ in range(hours)]
        series = self._series.get((area, variable), {})
        minute = timedelta(minutes=30)
        on_grid = until.replace(minute=0, second=0, microsecond=0) - (hours + 1) * HOUR
        at = on_grid
        while at <= until:  # whatever is observed is observed at a full or a half hour
            cell = series.get(at)
            if cell is not None and at > until - hours * HOUR:
                value = cell.at(version)
                if not math.isnan(value):
                    back = (until - at) // HOUR
                    samples[hours - 1 - back].append(value)
            at += minute
        return [math.fsum(each) / len(each) if each else math.nan for each in samples]

    def _hour(self, area: str) -> list[Row]:
        at = self._next[area]
        self._next[area] = at + HOUR
        if self._chance.random() < 0.03:  # noqa: PLR2004 - a gap
            return []
        return self._values(area, at)

    def _values(self, area: str, at: datetime) -> list[Row]:
        noise = self._chance.uniform(-4, 4)
        day = 22 + 9 * math.sin(at.hour / 24 * 2 * math.pi) + noise
        damp = 60 - 2 * noise + self._chance.uniform(-10, 10)
        return [
            (area, "temperature", at, round(day, 2)),
            (area, "humidity", at, round(damp, 2)),
        ]


def write_archive(path: Path, rows: list[Row]) -> None:
    """Write observations as the app imports them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["area", "time", "variable", "unit", "value"])
        for area, variable, at, value in rows:
            writer.writerow([area, f"{at:%Y-%m-%dT%H:%M}Z", variable, UNITS[variable], value])
