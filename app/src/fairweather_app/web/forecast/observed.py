"""Read the observations beside a forecast: before its start, and at its valid times.

All are means, as a window's samples are: the value at a time is the mean of the observations in
(time - step, time]. After the start the step is the variable's own, as in live scores; before it,
the shortest of all variables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from fairweather_app.api.schemas import Forecast
from fairweather_app.observations import WindowCache
from fairweather_app.observations.windows import LONGEST_PERIOD, WindowSpec

RECENT = timedelta(hours=48)
"""How far before its start the observations beside a forecast begin."""

Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations:
    """What was observed beside a forecast, by variable, in the variable's unit; None is a gap.

    `recent` has a value for each of `times`, which are before the start (the last is the reference
    time); `later` for each valid time of the forecast.
    """

    times: tuple[datetime, ...] = ()
    recent: Mapping[str, Values] = field(default_factory=dict)
    later: Mapping[str, Values] = field(default_factory=dict)


NO_OBSERVATIONS = Observations()


def observe(windows: WindowCache, forecast: Forecast, latest: datetime | None) -> Observations:
    """Read the observations of all variables of a forecast that are observed in its unit.

    `latest` is when the area was last observed; nothing is later than the start when that is not.
    """
    times, start, units = forecast.forecast.time, forecast.reference_time, windows.units()
    steps = {
        name: _step(start, times, each.value)
        for name, each in forecast.forecast.variables.items()
        if units.get(name) == each.unit
    }
    known = [step for step in steps.values() if step]
    if not known or latest is None or times[-1] - start > LONGEST_PERIOD:
        return NO_OBSERVATIONS

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
    later: dict[str, Values] = {}
    for name, step in steps.items():
        if step and latest > start:
            samples = (times[-1] - start) // step
            found = means(name, start + samples * step, samples, step)
            leads = [divmod(time - start, step) for time in times]
            later[name] = [None if rest else found[steps - 1] for steps, rest in leads]
    return Observations(
        times=tuple(start - (before - 1 - k) * shortest for k in range(before)),
        recent={name: means(name, start, before, shortest) for name in steps},
        later=later,
    )


def _step(start: datetime, times: Sequence[datetime], values: Values) -> timedelta | None:
    """Return the least distance of the times at which a variable has a value."""
    own = [time for time, value in zip(times, values, strict=True) if value is not None]
    steps = [after - before for before, after in pairwise([start, *own])]
    return min((step for step in steps if step > timedelta(0)), default=None)
