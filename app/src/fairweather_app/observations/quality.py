"""Quality report of the stored observations: age, gaps and doubtful values.

Each series (an area's variable) is assessed over the days before its own latest observation:

- ``stale``: it lags more than `STALE_STEPS` of its steps behind, or an hour where that is longer;
- ``gaps``: observations are missing between its first and its last of these days;
- ``stuck``: one value for as long as the variable's row allows, or longer; a gap that would be
  ``stale`` ends the stretch, and a value at the variable's limit does not count, as humidity in fog
  and wind in a calm;
- ``impossible``: values beyond the variable's limits, imported before these were known, or written
  by another program;
- ``future``: some are later than now, imported by an earlier release or written by another program;
  they count for nothing else here, and no forecast starts from them;
- ``none``: there is no observation at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from fairweather_interface.variables import Variable

from fairweather_app.common.times import LATEST, MICROSECOND, from_microseconds
from fairweather_app.observations.store import ObservationStore, Times, Values

STALE_STEPS = 3
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A stretch without observations.

    Attributes:
        after: the last observation before it.
        until: the first one after it.
    """

    after: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesQuality:
    """One series over some days, up to its latest observation.

    Attributes:
        variable: null where there is no observation of the area; then numbers are 0 or null.
        latest: time of the latest observation.
        age_seconds: from then to now.
        step_seconds: the usual distance of two observations, null while there is but one.
        observations: of the days looked at.
        missing: likewise, by the usual distance.
        longest_gap: null where there is none.
        stuck_seconds: the longest time on one value.
        impossible: how many values cannot be real.
        future: how many are later than now.
        quality: the words above; empty is good.
    """

    area: str
    variable: str | None = None
    latest: datetime | None = None
    age_seconds: float | None = None
    step_seconds: float | None = None
    observations: int = 0
    missing: int = 0
    longest_gap: Gap | None = None
    stuck_seconds: float | None = None
    impossible: int = 0
    future: int = 0
    quality: tuple[str, ...] = ("none",)


def assess_quality(
    store: ObservationStore,
    areas: tuple[str, ...],
    variables: Mapping[str, Variable],
    *,
    days: int,
    now: datetime,
    behind: datetime,
) -> list[SeriesQuality]:
    """Return the quality of every series of `areas`, in their order.

    `variables` are the rows of those that are known; any other has no limits. Ages count to `now`;
    a series must not lag behind `behind`, which is now or the latest observation of all. An area
    without any observation has one entry, of no variable.
    """

    def assess(area: str, variable: str) -> SeriesQuality | None:
        latest = store.latest(area, variable)
        future = len(store.series(area, variable, now, LATEST)[0])
        if latest is None:
            only = SeriesQuality(area=area, variable=variable, future=future, quality=("future",))
            return only if future else None
        times, values = store.series(area, variable, latest - timedelta(days=days), latest)
        step, missing, gap = _gaps(times)
        silence = max(_HOUR, STALE_STEPS * (step or _HOUR))
        row = variables.get(variable)
        limits = (-np.inf, np.inf) if row is None else (row.minimum, row.maximum)
        stuck = _longest_on_one_value(limits, times, values, silence)
        most = None if row is None else row.stuck
        impossible = int(np.count_nonzero((values < limits[0]) | (values > limits[1])))
        words = {
            "stale": behind - latest > silence,
            "gaps": missing > 0,
            "stuck": most is not None and stuck >= most,
            "impossible": impossible > 0,
            "future": future > 0,
        }
        return SeriesQuality(
            area=area,
            variable=variable,
            latest=latest,
            age_seconds=max((now - latest).total_seconds(), 0.0),
            step_seconds=None if step is None else step.total_seconds(),
            observations=len(times),
            missing=missing,
            longest_gap=gap,
            stuck_seconds=stuck.total_seconds(),
            impossible=impossible,
            future=future,
            quality=tuple(word for word, holds in words.items() if holds),
        )

    found: list[SeriesQuality] = []
    units = store.units()
    for area in areas:
        of_area = [each for variable in units if (each := assess(area, variable))]
        found += of_area or [SeriesQuality(area=area)]
    return found


def _gaps(times: Times) -> tuple[timedelta | None, int, Gap | None]:
    """Return the usual step, how many observations are missing by it, and the longest gap."""
    distances = np.diff(times)
    if not len(distances):
        return None, 0, None
    step = max(int(np.median(distances)), 1)
    missing = np.maximum(np.rint(distances / step).astype(np.int64) - 1, 0)
    longest = int(np.argmax(missing))
    after, until = (from_microseconds(int(each)) for each in times[longest : longest + 2])
    gap = Gap(after=after, until=until) if missing[longest] else None
    return step * MICROSECOND, int(missing.sum()), gap


def _longest_on_one_value(
    limits: tuple[float, float], times: Times, values: Values, silence: timedelta
) -> timedelta:
    """Return the longest stretch of one value; a gap of `silence` ends it."""
    lost = np.diff(times) > silence // MICROSECOND
    starts = np.flatnonzero(np.concatenate([[True], (values[1:] != values[:-1]) | lost]))
    ends = np.concatenate([starts[1:] - 1, [len(values) - 1]])
    moves = ~np.isin(values[starts], limits)
    lasting = (times[ends] - times[starts])[moves]
    return int(lasting.max(initial=0)) * MICROSECOND
