"""Compute when it is night, for the shaded hours of the chart.

The sun's position comes from the low-precision formulae of the Astronomical Almanac, good to a
hundredth of a degree between 1950 and 2050; a minute or two at sunrise, which no chart shows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import asin, atan2, cos, degrees, radians, sin

HORIZON = -0.833
"""Degrees: the sun's centre when its upper edge appears to set, refraction counted."""

Night = tuple[datetime, datetime]
"""From sunset to sunrise."""

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_STEP = timedelta(minutes=10)


def elevation(time: datetime, latitude: float, longitude: float) -> float:
    """Return the height of the sun above the horizon in degrees, at degrees north and east."""
    days = (time - _J2000) / timedelta(days=1)
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = radians(357.528 + 0.9856003 * days)
    ecliptic = radians(mean_longitude + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    ascension = atan2(cos(obliquity) * sin(ecliptic), cos(ecliptic))
    declination = asin(sin(obliquity) * sin(ecliptic))
    sidereal = radians(280.46062 + 360.98564737 * days + longitude)
    height = asin(
        sin(radians(latitude)) * sin(declination)
        + cos(radians(latitude)) * cos(declination) * cos(sidereal - ascension)
    )
    return degrees(height)


def nights(start: datetime, end: datetime, latitude: float, longitude: float) -> tuple[Night, ...]:
    """Return the nights between two instants, to ten minutes, ascending and disjoint.

    They are cut at `start` and `end`; in polar night there is one, in polar day none.
    """
    times = (start + k * _STEP for k in range(-((start - end) // _STEP)))
    found = []
    for dark, group in groupby(times, lambda at: elevation(at, latitude, longitude) < HORIZON):
        steps = list(group)
        if dark:
            found.append((steps[0], min(steps[-1] + _STEP, end)))
    return tuple(found)
