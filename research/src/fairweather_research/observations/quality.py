"""Quality control: drop what cannot be true before training, and report it.

For each area and variable, in this order:

1. **empty** - rows without a value;
2. **repeated** - a time that occurs twice: one row is kept when the values agree but for the noise
   of floating-point numbers, none when they contradict each other, because nobody knows which one
   is right;
3. **range** - values no instrument on Earth's surface should report (the interface's limits);
4. **step** - a run of one value, mostly a single reading, that leaves both its neighbours, in the
   same direction, further than the weather moves in that time (``largest_step``): a spike, or a
   code for missing data. So is a value that stands more than once, and further from all others of
   the series than the weather moves in an hour. A front moves and stays; it is kept;
5. **persistence** - a value that does not move for longer than ``stuck``, without a gap: a stuck
   sensor. Its first reading is kept. Values in the range ``still``, saturated air and calm wind,
   and the limits of the variable are exempt. Coarse and rare readings repeat by nature: the time is
   multiplied by the usual number of readings in a run and the hours between two, up to 7.

Before, values up to 3 % beyond a limit that ``still`` touches, as humidity's in fog, are clipped to
it: instruments err by so much. A series that would look right in another unit of its
``conversions``, and does not in its own, is reported so and kept.

The limits are columns of the table of variables, the contract's own or a definitions file's; a test
without its column is left out.

Order and gaps of what remains are reported, never repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairweather_interface.archive import COLUMNS
from fairweather_interface.variables import Variable

from fairweather_research.observations.archive import conversions, series_table
from fairweather_research.observations.report import Gap, QualityReport, SeriesReport
from fairweather_research.observations.series import Archive, Series, epoch_seconds

_MINUTE = 60
_HOUR = 3600


_Times: TypeAlias = npt.NDArray[np.int64]
_Values: TypeAlias = npt.NDArray[np.float64]
_Mask: TypeAlias = npt.NDArray[np.bool_]

# Neighbours further apart than this say nothing about each other.
_NEIGHBOUR = 3 * _HOUR
_RARE = 7  # hours between readings from which a run of them is judged as if it were these
_BEYOND = 0.03  # of a limit, by which an instrument errs there
_SAME = 1e-6  # of a value, the noise of 32-bit numbers and more
_EDGE = 1 / 8  # of the possible range, in which no series has its median
_MOST = 0.9  # of the values, which are possible in a unit that is likely


def control(
    table: pd.DataFrame, variables: Mapping[str, Variable]
) -> tuple[Archive, QualityReport]:
    """Drop what cannot be true, and report it.

    Args:
        table: the archive's columns, aware UTC times, values in declared units; ``unit`` is the one
            they came in.
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
    found = QualityReport(series=tuple(reports))
    return Archive(archive, found), found


def _control_series(
    area: str, variable: Variable, rows: pd.DataFrame
) -> tuple[Series, SeriesReport]:
    time = epoch_seconds(rows["time"])
    value = rows["value"].to_numpy(np.float64)
    unsorted = bool((np.diff(time[np.isfinite(value)]) < 0).any())
    looks_like = _looks_like(variable, rows)
    order = np.lexsort((value, time))
    time, value = time[order], value[order]
    value, clipped = _clip(variable, value)
    dropped: dict[str, int] = {}
    worst: dict[str, str] = {}
    for check, test in CHECKS.items():
        keep = test(variable, time, value)
        if keep.all():
            continue
        dropped[check] = int((~keep).sum())
        worst[check] = _worst(variable, time, value, ~keep)
        time, value, clipped = time[keep], value[keep], clipped[keep]
    cadence, missing, gaps = _gaps(time)
    return Series(time, value), SeriesReport(
        area=area,
        variable=variable.name,
        rows=len(rows),
        kept=len(time),
        dropped=dropped,
        clipped=int(clipped.sum()),
        worst=next((worst[check] for check in _TELLING if check in worst), None),
        looks_like=looks_like,
        unsorted=unsorted,
        start=_utc(time[0]) if len(time) else None,
        end=_utc(time[-1]) if len(time) else None,
        cadence=cadence,
        missing=missing,
        gaps=gaps,
    )


def _present(variable: Variable, time: _Times, value: _Values) -> _Mask:  # noqa: ARG001 - one shape of check
    return ~np.isnan(value)


def _one_per_time(variable: Variable, time: _Times, value: _Values) -> _Mask:
    """Keep the first row of each time, and no row of a time whose rows contradict each other."""
    keep = np.zeros(len(time), dtype=np.bool_)
    if len(time):
        first, last = _runs(np.diff(time) != 0)  # and within a run the values ascend
        zero = _SAME**2 * (variable.maximum - variable.minimum)
        keep[first] = np.isclose(value[first], value[last], rtol=_SAME, atol=zero)
    return keep


def _in_range(variable: Variable, time: _Times, value: _Values) -> _Mask:  # noqa: ARG001 - one shape of check
    return (value >= variable.minimum) & (value <= variable.maximum)


def _no_spike(variable: Variable, time: _Times, value: _Values) -> _Mask:
    keep = np.ones(len(value), dtype=np.bool_)
    largest = variable.largest_step
    if len(value) < 3 or largest is None:  # noqa: PLR2004 - a spike needs two neighbours
        return keep
    distinct, count = np.unique(value, return_counts=True)
    apart = np.diff(distinct) > largest.hour
    code = np.r_[True, apart] & np.r_[apart, True] & (count > 1) & (2 * count < len(value))
    keep = ~np.isin(value, distinct[code])
    time, value, place = time[keep], value[keep], np.flatnonzero(keep)
    first, last = _runs(np.diff(value) != 0)
    step, distance = value[first[1:]] - value[last[:-1]], time[first[1:]] - time[last[:-1]]
    allowed = np.interp(np.log(distance), np.log([_MINUTE, _HOUR]), [largest.minute, largest.hour])
    jump = (np.abs(step) > allowed) & (distance <= _NEIGHBOUR)
    back_again = jump[:-1] & jump[1:] & (np.sign(step[:-1]) != np.sign(step[1:]))
    for run in np.flatnonzero(back_again) + 1:
        keep[place[first[run] : last[run] + 1]] = False
    return keep


def _moves(variable: Variable, time: _Times, value: _Values) -> _Mask:
    keep = np.ones(len(value), dtype=np.bool_)
    if len(value) < 2 or variable.stuck is None:  # noqa: PLR2004 - it moves from one to another
        return keep
    distance = np.diff(time)
    usual = float(np.median(distance))
    first, last = _runs((np.diff(value) != 0) | (distance > max(_NEIGHBOUR, 3 * usual)))
    low, high = variable.still or (np.nan, np.nan)
    still = (value[first] >= low) & (value[first] <= high)
    still |= np.isin(value[first], [variable.minimum, variable.maximum])
    lasts, readings = time[last] - time[first], last - first + 1
    stuck = variable.stuck.total_seconds()
    natural = readings[~still & (lasts <= stuck)]
    patience = stuck * max((natural.mean() if len(natural) else 1) * min(usual / _HOUR, _RARE), 1)
    bad = ~still & (lasts > patience)
    for begin, end in zip(first[bad], last[bad], strict=True):
        keep[begin + 1 : end + 1] = False
    return keep


#: The checks in their order; each returns what to keep of values sorted by time, then by value.
CHECKS = {
    "empty": _present,
    "repeated": _one_per_time,
    "range": _in_range,
    "step": _no_spike,
    "persistence": _moves,
}


# The checks that an example is given of, the most telling first.
_TELLING = ("range", "step", "persistence", "repeated")


def _worst(variable: Variable, time: _Times, value: _Values, bad: _Mask) -> str:
    where = np.flatnonzero(bad)
    middle = float(np.median(value[~bad])) if not bad.all() else 0.0
    index = where[np.argmax(np.abs(value[where] - middle))]
    return (
        f"for example {value[index]:g} {variable.unit} at {_utc(time[index]):%Y-%m-%d %H:%M} UTC "
        f"(possible: {variable.minimum:g} to {variable.maximum:g})"
    )


def _clip(variable: Variable, value: _Values) -> tuple[_Values, _Mask]:
    """Bring values that are a little beyond a limit which ``still`` touches to it; say which."""
    low, high = variable.still or (np.inf, -np.inf)
    least = variable.minimum - _BEYOND * abs(variable.minimum) * (low <= variable.minimum)
    most = variable.maximum + _BEYOND * abs(variable.maximum) * (high >= variable.maximum)
    inside = np.clip(value, variable.minimum, variable.maximum)
    clipped = (value >= least) & (value <= most) & (value != inside)
    return np.where(clipped, inside, value), clipped


def _looks_like(variable: Variable, rows: pd.DataFrame) -> str | None:
    """Say which other units the values of a series look right in; None where their own is right."""
    units = conversions(variable)
    for said, part in rows.dropna(subset="value").groupby("unit"):
        own, value = units.get(str(said)), part["value"].to_numpy(np.float64)
        if own is None or _looks_right(variable, value):
            continue
        raw = (value - own.offset) / own.factor
        likely = [
            unit
            for unit, row in units.items()
            if _looks_right(variable, raw * row.factor + row.offset)
        ]
        if likely:
            return (
                f"looks like {' or '.join(likely)}, not {said}: the middle of its values is "
                f"{np.median(value):g} {variable.unit}; if so, write {likely[0]} as their unit"
            )
    return None


def _looks_right(variable: Variable, value: _Values) -> bool:
    """Return whether most values are possible, and their median not near the edge of the possible.

    A limit that ``still`` touches is no edge: values lie there by nature.
    """
    low, high = variable.still or (np.inf, -np.inf)
    edge = _EDGE * (variable.maximum - variable.minimum)
    least = variable.minimum + edge * (low > variable.minimum)
    most = variable.maximum - edge * (high < variable.maximum)
    possible = (value >= variable.minimum) & (value <= variable.maximum)
    return bool(possible.mean() >= _MOST and least <= np.median(value) <= most)


def _runs(ends: _Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the places of the first and the last value of each run; ``ends`` lies between two."""
    breaks = np.flatnonzero(ends)
    return np.r_[0, breaks + 1], np.r_[breaks, len(ends)]


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
