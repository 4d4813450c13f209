"""Quality control: drop what cannot be true before training, and report it.

For each area and variable, in this order:

1. **empty** - rows without a value;
2. **repeated** - a time that occurs twice: one row is kept when the values agree, none when they
   contradict each other, because nobody knows which one is right;
3. **range** - values no instrument on Earth's surface should report (the interface's limits);
4. **step** - a single value that leaves both its neighbours, in the same direction, further than
   the weather moves in that time (``largest_step``): a spike. A front moves and stays; it is kept;
5. **persistence** - a value that does not move for longer than ``stuck``: a stuck sensor. Its first
   reading is kept. Values in the range ``still``, saturated air and calm wind, are exempt.

The limits are columns of the table of variables, the contract's own or a definitions file's; a test
without its column is left out.

Order and gaps of what remains are reported, never repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairweather_interface.archive import COLUMNS
from fairweather_interface.variables import Variable

from fairweather_research.observations.archive import series_table
from fairweather_research.observations.series import Archive, Series, epoch_seconds

__all__ = ["CHECKS", "Gap", "QualityReport", "SeriesReport", "control"]

_MINUTE = 60
_HOUR = 3600


_Times: TypeAlias = npt.NDArray[np.int64]
_Values: TypeAlias = npt.NDArray[np.float64]
_Mask: TypeAlias = npt.NDArray[np.bool_]

# Neighbours further apart than this say nothing about each other.
_NEIGHBOUR = 3 * _HOUR


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
    worst: str | None  # the most striking value that was dropped, as a sentence
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
        if self.worst:
            lines.append(f"  {self.worst}")
        if self.unsorted:
            lines.append("  rows were not in order of time; sorted")
        if self.missing:
            longest = self.gaps[0]
            lines.append(
                f"  {self.missing:,} observations missing in {len(self.gaps):,} gaps; the longest "
                f"lacks {longest.missing:,} after {longest.after:%Y-%m-%d %H:%M} UTC"
            )
        return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """What quality control found, series by series, sorted by area and variable."""

    series: tuple[SeriesReport, ...]

    @property
    def rows(self) -> int:
        """Rows before quality control."""
        return sum(series.rows for series in self.series)

    @property
    def kept(self) -> int:
        """Rows after quality control."""
        return sum(series.kept for series in self.series)

    def text(self) -> str:
        """Return the whole report for people."""
        head = f"Quality control kept {self.kept:,} of {self.rows:,} rows."
        return "\n".join([head, *(line for series in self.series for line in series.sentences())])

    def select(self, *, areas: tuple[str, ...], variables: tuple[str, ...]) -> QualityReport:
        """Return the report of these variables at these areas."""
        return QualityReport(
            series=tuple(s for s in self.series if s.area in areas and s.variable in variables)
        )


def control(
    table: pd.DataFrame, variables: Mapping[str, Variable]
) -> tuple[Archive, QualityReport]:
    """Drop what cannot be true, and report it.

    Args:
        table: the archive's columns, aware UTC times, values in declared units.
        variables: the row of each variable in it.
    """
    parts: list[pd.DataFrame] = []
    reports: list[SeriesReport] = []
    for key, rows in table.groupby(["area", "variable"], sort=True):
        area, variable = map(str, key)
        series, report = _control_series(area, variables[variable], rows)
        reports.append(report)
        parts.append(series_table(area, variables[variable], series))
    archive = pd.concat(parts, ignore_index=True) if parts else table[list(COLUMNS)]
    return Archive(archive), QualityReport(series=tuple(reports))


def _control_series(
    area: str, variable: Variable, rows: pd.DataFrame
) -> tuple[Series, SeriesReport]:
    time = epoch_seconds(rows["time"])
    value = rows["value"].to_numpy(np.float64)
    unsorted = bool((np.diff(time[np.isfinite(value)]) < 0).any())
    order = np.argsort(time, kind="stable")
    time, value = time[order], value[order]
    dropped: dict[str, int] = {}
    worst: str | None = None
    for check, test in CHECKS.items():
        keep = test(variable, time, value)
        if keep.all():
            continue
        dropped[check] = int((~keep).sum())
        if check in {"range", "step"} and worst is None:
            worst = _worst(variable, time, value, ~keep)
        time, value = time[keep], value[keep]
    cadence, missing, gaps = _gaps(time)
    return Series(time, value), SeriesReport(
        area=area,
        variable=variable.name,
        rows=len(rows),
        kept=len(time),
        dropped=dropped,
        worst=worst,
        unsorted=unsorted,
        start=_utc(time[0]) if len(time) else None,
        end=_utc(time[-1]) if len(time) else None,
        cadence=cadence,
        missing=missing,
        gaps=gaps,
    )


def _present(variable: Variable, time: _Times, value: _Values) -> _Mask:  # noqa: ARG001 - one shape of check
    return np.isfinite(value)


def _one_per_time(variable: Variable, time: _Times, value: _Values) -> _Mask:  # noqa: ARG001 - one shape of check
    """Keep the first row of each time, and no row of a time whose rows contradict each other."""
    if not len(time):
        return np.ones(0, dtype=np.bool_)
    first = np.r_[True, np.diff(time) != 0]
    group = np.cumsum(first) - 1
    low = np.minimum.reduceat(value, np.flatnonzero(first))
    high = np.maximum.reduceat(value, np.flatnonzero(first))
    agreed = (low == high)[group]
    return np.asarray(first & agreed, dtype=np.bool_)


def _in_range(variable: Variable, time: _Times, value: _Values) -> _Mask:  # noqa: ARG001 - one shape of check
    return (value >= variable.minimum) & (value <= variable.maximum)


def _no_spike(variable: Variable, time: _Times, value: _Values) -> _Mask:
    keep = np.ones(len(value), dtype=np.bool_)
    largest = variable.largest_step
    if len(value) < 3 or largest is None:  # noqa: PLR2004 - a spike needs two neighbours
        return keep
    step, distance = np.diff(value), np.diff(time)
    allowed = np.interp(np.log(distance), np.log([_MINUTE, _HOUR]), [largest.minute, largest.hour])
    jump = (np.abs(step) > allowed) & (distance <= _NEIGHBOUR)
    back_again = np.sign(step[:-1]) != np.sign(step[1:])
    keep[1:-1] = ~(jump[:-1] & jump[1:] & back_again)
    return keep


def _moves(variable: Variable, time: _Times, value: _Values) -> _Mask:
    keep = np.ones(len(value), dtype=np.bool_)
    if not len(value) or variable.stuck is None:
        return keep
    first = np.flatnonzero(np.r_[True, np.diff(value) != 0])
    last = np.r_[first[1:] - 1, len(value) - 1]
    low, high = variable.still or (np.nan, np.nan)
    still = (value[first] >= low) & (value[first] <= high)
    stuck = (time[last] - time[first] > variable.stuck.total_seconds()) & ~still
    for begin, end in zip(first[stuck], last[stuck], strict=True):
        keep[begin + 1 : end + 1] = False
    return keep


#: The checks in their order; each returns what to keep of values that are sorted by time.
CHECKS = {
    "empty": _present,
    "repeated": _one_per_time,
    "range": _in_range,
    "step": _no_spike,
    "persistence": _moves,
}


def _worst(variable: Variable, time: _Times, value: _Values, bad: _Mask) -> str:
    where = np.flatnonzero(bad)
    middle = float(np.median(value[~bad])) if not bad.all() else 0.0
    index = where[np.argmax(np.abs(value[where] - middle))]
    return (
        f"for example {value[index]:g} {variable.unit} at {_utc(time[index]):%Y-%m-%d %H:%M} UTC "
        f"(possible: {variable.minimum:g} to {variable.maximum:g}, and no spikes)"
    )


def _gaps(time: _Times) -> tuple[timedelta | None, int, tuple[Gap, ...]]:
    if len(time) < 2:  # noqa: PLR2004 - a distance needs two
        return None, 0, ()
    distance = np.diff(time)
    cadence = max(int(np.median(distance)), 1)
    missing = np.rint(distance / cadence).astype(np.int64) - 1
    where = np.flatnonzero(missing > 0)
    where = where[np.argsort(-missing[where], kind="stable")]
    gaps = tuple(
        Gap(after=_utc(time[i]), until=_utc(time[i + 1]), missing=int(missing[i])) for i in where
    )
    return timedelta(seconds=cadence), int(missing[where].sum()), gaps


def _utc(seconds: np.int64) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=UTC)
