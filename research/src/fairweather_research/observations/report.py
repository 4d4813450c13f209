"""The report of quality control, series by series, and its words. Loads no library of tables."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_SHOWN = 10  # names in one sentence
_MANY = 0.1  # of the rows, whose loss may be why a recipe lacks data


def some(names: Collection[str], near: str) -> str:
    """Return names for a sentence, those like ``near`` first, and how many more there are."""
    like = difflib.get_close_matches(near, names)
    found = [*like, *sorted(set(names).difference(like))]
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return (", ".join(found[:_SHOWN]) or "nothing") + more


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Time without observations, longer than the usual distance between two of them."""

    after: datetime  # the last observation before the gap
    until: datetime  # the first one after it
    missing: int  # how many observations should have been between


@dataclass(frozen=True, kw_only=True)
class SeriesReport:
    """What quality control found in one variable at one area."""

    area: str
    variable: str
    rows: int
    kept: int
    dropped: dict[str, int]  # by check, only those that dropped something
    clipped: int = 0  # kept rows that were a little beyond a limit, and are that limit now
    worst: str | None  # the most striking value that was dropped, as a sentence
    looks_like: str | None = None  # another unit that the values seem to be in, as a sentence
    unsorted: bool
    start: datetime | None
    end: datetime | None
    cadence: timedelta | None  # the usual distance between two observations
    missing: int  # observations missing inside [start, end], by the cadence
    gaps: tuple[Gap, ...] = field(default=())  # longest first

    def sentences(self) -> tuple[str, ...]:
        """Return the report as lines for people; the first line has how many rows were kept."""
        lines = [f"{self.area} {self.variable}: {self.kept:,} of {self.rows:,} rows kept"]
        if self.start and self.end:
            lines[0] += f", {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        lines += [f"  dropped {count:,} by {check}" for check, count in self.dropped.items()]
        lines += [f"  {sentence}" for sentence in (self.worst, self.looks_like) if sentence]
        if self.clipped:
            lines.append(f"  clipped {self.clipped:,} to the possible range, left by 3 % or less")
        if self.unsorted:
            lines.append("  rows were not in order of time; sorted")
        if self.missing:
            longest = self.gaps[0]
            lines.append(
                f"  {self.missing:,} observations missing in {len(self.gaps):,} gaps; the longest "
                f"lacks {longest.missing:,} after {longest.after:%Y-%m-%d %H:%M} UTC"
            )
        return tuple(lines)

    def loss(self) -> str:
        """Return how many rows were dropped, by which checks, with the example, in one line."""
        checks = ", ".join(f"{count:,} by {check}" for check, count in self.dropped.items())
        head = (
            f"quality control dropped {self.rows - self.kept:,} of {self.rows:,} rows of "
            f"{self.variable} at {self.area} ({checks})"
        )
        return "; ".join(filter(None, (head, self.worst, self.looks_like)))


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """What quality control found, series by series, sorted by area and variable."""

    series: tuple[SeriesReport, ...] = ()

    @property
    def rows(self) -> int:
        """Rows before quality control."""
        return sum(series.rows for series in self.series)

    @property
    def kept(self) -> int:
        """Rows after quality control."""
        return sum(series.kept for series in self.series)

    @property
    def by_name(self) -> dict[tuple[str, str], SeriesReport]:
        """Every series that was read, kept or not, by area and variable."""
        return {(series.area, series.variable): series for series in self.series}

    @property
    def unusable(self) -> tuple[str, ...]:
        """The series that hold values of which none was kept."""
        return tuple(
            f"{series.variable} at {series.area}"
            for series in self.series
            if not series.kept and series.dropped.keys() - {"empty"}
        )

    def many_dropped(self, names: Collection[tuple[str, str]]) -> str:
        """Return which values of these (area, variable) were dropped, where many were."""
        found = [
            series.loss()
            for series in self.series
            if (series.area, series.variable) in names
            and sum(series.dropped.values()) - series.dropped.get("empty", 0) > _MANY * series.rows
        ]
        return "".join(f"; {loss}" for loss in found[:3])

    def text(self) -> str:
        """Return the whole report for people."""
        head = f"Quality control kept {self.kept:,} of {self.rows:,} rows."
        return "\n".join([head, *(line for series in self.series for line in series.sentences())])

    def select(self, *, areas: tuple[str, ...], variables: tuple[str, ...]) -> QualityReport:
        """Return the report of these variables at these areas."""
        return QualityReport(
            series=tuple(s for s in self.series if s.area in areas and s.variable in variables)
        )
