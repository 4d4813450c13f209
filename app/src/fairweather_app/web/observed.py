"""What was observed around a forecast: before it starts, and what came of what it says.

Both are means over the forecast's own step, as a window's samples are and as live scores are
reckoned: the value at a time is the mean of the observations in (time - step, time].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fairweather_interface.definitions import VARIABLES

from fairweather_app.api.schemas import Forecast
from fairweather_app.observations.windows import LONGEST_PERIOD, Wanted, Windows

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
    if not times or latest is None:
        return {}
    step = min(after - before for before, after in zip([start, *times[:-1]], times, strict=True))
    horizon = times[-1] - start
    if step <= timedelta(0) or horizon > LONGEST_PERIOD:
        return {}

    def means(variable: str, until: datetime, samples: int) -> Values:
        window = windows.window(
            Wanted(
                areas=(forecast.area,),
                variable=variable,
                reference_time=until,
                period=samples * step,
                sample_rate=step,
            )
        )
        return [None if math.isnan(value) else value for value in window.values.tolist()]

    before = max(RECENT // step, 1)
    found = {}
    for name, variable in forecast.forecast.variables.items():
        known = VARIABLES.get(name)
        if known is None or known.unit != variable.unit:
            continue
        samples = math.ceil(horizon / step)
        came: Values = (
            means(name, start + samples * step, samples) if latest > start else [None] * samples
        )
        found[name] = Observed(
            times=tuple(start - (before - 1 - k) * step for k in range(before)),
            recent=means(name, start, before),
            came=[_at(came, time - start, step) for time in times],
        )
    return found


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
