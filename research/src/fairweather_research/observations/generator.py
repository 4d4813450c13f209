"""Made-up weather, by the minute: a stochastic weather generator.

It is for trying things without observations: Jerusalem and its neighbours, a cadence of one minute,
a record of any length. Everything made from it is marked ``synthetic``.

**Days** follow Richardson (1981, *Water Resources Research* 17, 182-190): highest and lowest
temperature and the level of humidity are a seasonal mean and spread, each a harmonic of the year,
and residuals ``x(t) = A x(t-1) + B e(t)`` with Matalas' (1967, ibid. 3, 937-945) matrices
``A = M1 M0^-1`` and ``B B' = M0 - M1 M0^-1 M1'`` of their correlations on one day (M0) and from one
day to the next (M1). The noise e of several areas is correlated by their distance; correlations in
space and among variables multiply, so that the areas share one A.

**Hours** of temperature follow Parton and Logan (1981, *Agricultural Meteorology* 23, 205-216): a
sine from sunrise to sunset, with the maximum after noon, and an exponential decay through the
night, normalised (Goudriaan and van Laar 1994) so that it meets the next day's minimum. How wide a
day's range is, is the day's own. Humidity falls as temperature rises over the middle of its day,
inside a logistic function, so that it stays between its bounds. **Minutes** are first-order
autoregressive noise with a memory of an hour.

One seed gives the same bytes, whichever areas are asked for: each area's minutes have random
numbers of their own, and values are rounded as an instrument rounds, far above the noise of
arithmetic.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairweather_interface.variables import VARIABLES

from fairweather_research.errors import ObservationsError
from fairweather_research.observations.archive import series_table
from fairweather_research.observations.climate import (
    AREAS,
    LAG_0,
    LAG_1,
    Place,
    seasons,
    spatial_correlation,
)
from fairweather_research.observations.series import Series

#: What the packaged source holds: 13 months, a leap day among them, to the midnight that ends them.
START = datetime(2023, 12, 1, tzinfo=UTC)
END = datetime(2025, 1, 1, 0, 1, tzinfo=UTC)
SEED = 1

#: Seconds between two observations.
CADENCE = {"humidity": 60, "temperature": 300}

_DECIMALS = 1
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SOLAR = 8400  # seconds by which the sun of 35 degrees east is ahead of UTC; days are its days
_RUN_UP = 60  # days before the first, for the residuals to forget where they began

_AFTER_NOON = 1.8  # hours from noon to the day's maximum
_DECAY = 4.0  # hours in which the night's excess falls by e
_LEAST_RANGE = 1.5  # degC, of a day's temperature
_DRYING = 0.13  # how far humidity's level falls for each degC above the middle of the day
_DRIEST, _WETTEST = 3.6, 100.0  # per cent
_MEMORY = 1.0  # hours
_FLICKER = {"temperature": 0.45, "humidity": 0.12}  # standard deviation of the minutes' noise

_Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class _Days(NamedTuple):
    """One area's days, the first of them the day before the one that holds the first moment."""

    highest: _Floats
    lowest: _Floats
    level: _Floats  # of humidity, before the logistic function
    light: _Floats  # hours between sunrise and sunset


def location() -> str:
    """Return where the data can be had again."""
    return (
        f"fairweather-research observations generator (made-up weather, seed {SEED}, "
        f"{START:%Y-%m-%d} to {END:%Y-%m-%d})"
    )


def read(areas: Collection[str] | None = None) -> pd.DataFrame:
    """Return the packaged record of these areas, of all by default.

    Raises:
        ObservationsError: an area that the generator does not know.
    """
    return generate(AREAS if areas is None else areas, start=START, end=END, seed=SEED)


def generate(
    areas: Collection[str], *, start: datetime, end: datetime, seed: int = SEED
) -> pd.DataFrame:
    """Generate the weather of areas in [start, end): the archive's long table, declared units.

    Humidity comes every minute, temperature every five. The same seed and start give the same
    weather, and a later end only adds to it.

    Args:
        areas: names of ``climate.AREAS``.
        start: an aware time on a whole minute.
        end: an aware time after it.
        seed: another one is another weather of the same climate.

    Raises:
        ObservationsError: an area that the generator does not know, or no time between the two.
    """
    strangers = sorted(set(areas) - set(AREAS))
    if strangers or not areas:
        raise ObservationsError(
            "generator",
            f"knows no {', '.join(strangers) or 'weather of nowhere'}; it makes weather for "
            f"{', '.join(AREAS)}: choose of them, or bring observations of your own",
        )
    first, last = int(start.timestamp()), int(end.timestamp())
    if first >= last or first % _MINUTE:
        raise ObservationsError(
            "generator",
            f"cannot fill the time from {start} to {end}; "
            "give a start on a whole minute and a later end",
        )
    time = np.arange(first, last, _MINUTE, dtype=np.int64)
    begin = (first + _SOLAR) // _DAY - 1  # a first night began the day before
    residuals = _residuals(begin, (last + _SOLAR) // _DAY + 2, seed)
    parts = []
    for number, (area, place) in enumerate(AREAS.items()):
        if area not in areas:
            continue
        days = _days(place, begin, residuals[:, number])
        temperature, humidity = _minutes(days, area, time, seed)
        for variable, value in (("temperature", temperature), ("humidity", humidity)):
            use = time % CADENCE[variable] == 0
            rounded = np.round(value[use], _DECIMALS) + 0.0  # and no -0.0
            parts.append(series_table(area, VARIABLES[variable], Series(time[use], rounded)))
    return pd.concat(parts, ignore_index=True)


def _residuals(first: int, last: int, seed: int) -> _Floats:
    """Draw standardised residuals of the days [first, last), shape [days, areas, 3]."""
    kept = LAG_1 @ np.linalg.inv(LAG_0)
    fresh = np.linalg.cholesky(LAG_0 - kept @ LAG_1.T)
    near = np.linalg.cholesky(spatial_correlation())
    random = np.random.default_rng([seed])
    noise = random.standard_normal((_RUN_UP + last - first, len(AREAS), 3))
    moved = near @ noise @ fresh.T
    state = np.zeros((len(AREAS), 3))
    states = np.empty_like(moved)
    for day, push in enumerate(moved):
        state = state @ kept.T + push
        states[day] = state
    return states[_RUN_UP:]


def _days(place: Place, first: int, residuals: _Floats) -> _Days:
    """Return an area's days from its climate and its residuals, shape [days, 3]."""
    number = first + np.arange(len(residuals))
    dates = number.astype("datetime64[D]")
    of_year = (dates - dates.astype("datetime64[Y]")).astype(np.float64) + 1.0
    usual, spread = seasons(place, of_year)
    drawn = usual + spread * residuals
    tilt = np.radians(-23.44) * np.cos(2 * np.pi * (of_year + 10) / 365.2425)
    cosine = -np.tan(np.radians(place.latitude)) * np.tan(tilt)
    return _Days(
        highest=np.maximum(drawn[:, 0], drawn[:, 1] + _LEAST_RANGE),
        lowest=drawn[:, 1],
        level=drawn[:, 2],
        light=24 / np.pi * np.arccos(cosine),
    )


def _minutes(
    days: _Days, area: str, time: npt.NDArray[np.int64], seed: int
) -> tuple[_Floats, _Floats]:
    """Return temperature in degC and humidity in per cent at every minute."""
    day, second = np.divmod(time + _SOLAR, _DAY)
    day -= day[0] - 1
    hour = second / _HOUR
    smooth = _temperature(days, day, hour)
    # the middle of the temperature, and humidity's level, drift from each noon to the next
    noon = np.arange(len(days.level)) + 0.5
    at = day + hour / 24
    middle = np.interp(at, noon, (days.highest + days.lowest) / 2)
    level = np.interp(at, noon, days.level)
    flicker = {
        name: spread * _noise([seed, zlib.crc32(f"{area}/{name}".encode())], len(time))
        for name, spread in _FLICKER.items()
    }
    temperature = smooth + flicker["temperature"]
    depth = level - _DRYING * (temperature - middle) + flicker["humidity"]
    humidity = _DRIEST + (_WETTEST - _DRIEST) / (1 + np.exp(-depth))
    return temperature, humidity


def _temperature(days: _Days, day: npt.NDArray[np.int64], hour: _Floats) -> _Floats:
    """Return the smooth course of temperature at solar hours of days."""
    sunrise, sunset = 12 - days.light / 2, 12 + days.light / 2
    arc = days.light + 2 * _AFTER_NOON
    span = days.highest - days.lowest
    dusk = days.lowest + span * np.sin(np.pi * days.light / arc)

    since = hour - sunrise[day]
    daytime = days.lowest[day] + span[day] * np.sin(np.pi * since / arc[day])

    # a night begins at a sunset and ends at the next sunrise; before sunrise it is yesterday's
    begun = np.where(since < 0, day - 1, day)
    ends = begun + 1
    since_dusk = np.maximum(24 * (day - begun) + hour - sunset[begun], 0.0)
    rest = np.exp(-since_dusk / _DECAY)
    length = 24 - sunset[begun] + sunrise[ends]
    last = np.exp(-length / _DECAY)
    night = (days.lowest[ends] - dusk[begun] * last + (dusk[begun] - days.lowest[ends]) * rest) / (
        1 - last
    )
    lit = (since >= 0) & (hour <= sunset[day])
    return np.where(lit, daytime, night)


def _noise(seed: list[int], count: int) -> _Floats:
    """Draw first-order autoregressive noise of unit variance, one value a minute.

    The sum over all earlier shocks is taken by doubling how far back it reaches, until what lies
    further back weighs less than a millionth.
    """
    keep = np.exp(-_MINUTE / (_MEMORY * _HOUR))
    shocks = np.sqrt(1 - keep**2) * np.random.default_rng(seed).standard_normal(count)
    shocks[0] /= np.sqrt(1 - keep**2)
    reach = 1
    while keep**reach > 1e-6 and reach < count:  # noqa: PLR2004 - a millionth
        shocks[reach:] = shocks[reach:] + keep**reach * shocks[:-reach]
        reach *= 2
    return np.asarray(shocks)
