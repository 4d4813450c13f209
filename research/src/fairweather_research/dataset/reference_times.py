"""The times at which the forecasts begin that a model learns from.

They are on whole steps; with a step of more than an hour on whole hours too, because a reader may
ask at any, and the mean of 12 hours is another one at 00Z than at 06Z.

Some records have no observation at most hours of the day: one a day, or one every 6 hours. Between
two of them the windows of a reader do not change, and neither does what is to be forecast, so that
a forecast then is that of the hour of the last observation. Only such hours begin training
windows; the *delay* since the last one, by phase of the day, goes into the graph, which takes any
other reference time as of then. Nothing else could tell what is usual at those hours: the waves of
a climatology are not determined between the hours that they were fitted to.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import DAY
from fairweather_research.observations.series import Archive
from fairweather_research.recipes.blueprint import Blueprint

# An hour counts as observed with this share of the observations of the hour that has the most.
_SELDOM = 0.1


def _observed(plan: Blueprint, archive: Archive) -> list[npt.NDArray[np.int64]]:
    """Return the times at which an area's output was observed, in seconds, one of each."""
    return [
        archive.series(area, output.variable).time for area in plan.areas for output in plan.outputs
    ]


def reference_times(plan: Blueprint, archive: Archive) -> npt.NDArray[np.int64]:
    """Return the reference times that cover an archive; steps count from 1970-01-01T00:00Z."""
    times, step = _observed(plan, archive), plan.step_seconds
    start = -(-min(int(time[0]) for time in times) // step) * step
    end = max(start, *(int(time[-1]) for time in times))
    return np.arange(start, end + 1, plan.reference_seconds, dtype=np.int64)


def delay_by_phase(plan: Blueprint, archive: Archive) -> npt.NDArray[np.int64]:
    """Return the seconds since the last observed phase, by phase of the day.

    Phases are ``reference_seconds`` long. With a step of an hour or less, none has a delay.
    """
    every = plan.reference_seconds
    phases = DAY // every
    number = sum(
        np.bincount(-(-time // every) % phases, minlength=phases)
        for time in _observed(plan, archive)
    )
    seen = (number >= _SELDOM * np.max(number)) | (every == plan.step_seconds)
    since = np.where(np.tile(seen, 2), np.arange(2 * phases), 0)
    return every * (np.arange(2 * phases) - np.maximum.accumulate(since))[phases:]


def local_month(reference: npt.NDArray[np.int64], timezone: str) -> npt.NDArray[np.int64]:
    """Return the month, 1 to 12, that each moment falls in by a zone's calendar."""
    import pandas as pd  # noqa: PLC0415 - reading a recipe needs none of it

    local = pd.to_datetime(reference, unit="s", utc=True).tz_convert(timezone)
    return local.month.to_numpy().astype(np.int64)
