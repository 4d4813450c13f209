"""Read the observations around a forecast: before its start, and at the times it speaks of.

All are means, as a window's samples are: the value at a time is the mean of the observations in
(time - step, time]. After the start the step is the variable's own, as in live scores; before it,
the shortest of all variables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from fairweather_interface.definitions import VARIABLES

from fairweather_app.api.schemas import Forecast
from fairweather_app.observations.windows import LONGEST_PERIOD, Windows, WindowSpec

RECENT = timedelta(hours=48)
"""How far before its start a forecast is shown beside what was observed."""

Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """The observations of one variable around a forecast, in the variable's unit.

    Attributes:
        times: the times before the start, ascending; the last is the reference time.
        recent: one value for each of `times`, None where nothing was observed.
        came: one value for each time of the forecast, None where nothing was observed (yet).
    """

    times: tuple[datetime, ...]
    recent: Values
    came: Values

    @property
    def any_recent(self) -> bool:
        """Whether anything was observed before the start."""
        return any(value is not None for value in self.recent)

    @property
    def any_came(self) -> bool:
        """Whether anything of what the forecast speaks of was observed."""
        return any(value is not None for value in self.came)


def observe(windows: Windows, forecast: Forecast, latest: datetime | None) -> dict[str, Observed]:
    """What was observed of every variable of a forecast that has observations here.

    Args:
        windows: where observations come from.
        forecast: whose area, times and variables count.
        latest: when the area was last observed; nothing came when that is before the start.

    Raises:
        ObservationStoreError: the database cannot be used.
    """
    times, start = forecast.forecast.time, forecast.reference_time
    variables = {
        name: each
        for name, each in forecast.forecast.variables.items()
        if name in VARIABLES and VARIABLES[name].unit == each.unit
    }
    steps = {name: _step(start, times, each.value) for name, each in variables.items()}
    known = [step for step in steps.values() if step]
    if not known or latest is None or times[-1] - start > LONGEST_PERIOD:
        return {}

    def means(variable: str, until: datetime, samples: int, step: timedelta) -> Values:
        window = windows.window(
            WindowSpec(
                areas=(forecast.area,),
                variable=variable,
                reference_time=until,
                period=samples * step,
                sample_rate=step,
            )
        )
        return [None if math.isnan(value) else value for value in window.values.tolist()]

    shortest = min(known)
    before = max(RECENT // shortest, 1)
    found = {}
    for name, step in steps.items():
        came: Values = ()
        if step and latest > start:
            samples = (times[-1] - start) // step
            came = means(name, start + samples * step, samples, step)
        found[name] = Observed(
            times=tuple(start - (before - 1 - k) * shortest for k in range(before)),
            recent=means(name, start, before, shortest),
            came=[_at(came, time - start, step) if step else None for time in times],
        )
    return found


def _step(start: datetime, times: Sequence[datetime], values: Values) -> timedelta | None:
    """The step of a variable: the least distance of the times at which it has a value."""
    own = [time for time, value in zip(times, values, strict=True) if value is not None]
    steps = [after - before for before, after in pairwise([start, *own])]
    return min((step for step in steps if step > timedelta(0)), default=None)


def _at(values: Values, lead: timedelta, step: timedelta) -> float | None:
    """The value at a lead time; None between the steps."""
    position, rest = divmod(lead, step)
    return None if rest or not 0 < position <= len(values) else values[position - 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A forecast of one variable held against what came.

    Attributes:
        variable: its name.
        unit: what the errors are in, as shown.
        count: how many values could be compared.
        error: the mean absolute error.
        first_day: the same over the first 24 hours; None where none of them was observed.
        inside: the share of values that came out inside the band; None without a band.
    """

    variable: str
    unit: str
    count: int
    error: float
    first_day: float | None
    inside: float | None


def check(
    variable: str,
    unit: str,
    leads: Sequence[timedelta],
    *,
    said: Values,
    came: Values,
    band: tuple[Values, Values] | None,
) -> Check | None:
    """Hold what was said against what came; None where nothing can be compared."""
    errors: list[tuple[timedelta, float]] = []
    hits: list[bool] = []
    for k, (lead, value, truth) in enumerate(zip(leads, said, came, strict=True)):
        if value is None or truth is None:
            continue
        errors.append((lead, abs(value - truth)))
        if band is not None:
            low, high = band[0][k], band[1][k]
            hits.append(low is not None and high is not None and low <= truth <= high)
    if not errors:
        return None
    first = [error for lead, error in errors if lead <= timedelta(days=1)]
    return Check(
        variable=variable,
        unit=unit,
        count=len(errors),
        error=sum(error for _, error in errors) / len(errors),
        first_day=sum(first) / len(first) if first else None,
        inside=sum(hits) / len(hits) if hits else None,
    )
