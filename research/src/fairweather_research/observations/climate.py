"""The climate that the generator's weather is drawn from: areas, seasons, correlations.

The figures are ours. They were chosen so that years of generated weather at Jerusalem come out
close to what the station Jerusalem Centre of the Israel Meteorological Service observed every hour
from 2000 to 2023: temperature 18.0 degC on average with a standard deviation of 7.0, from -1.7 to
41.6; humidity 57 % with 24, from 4 to 100. The other areas differ from it by their elevation
(6.5 degC a kilometre) and by how near the sea is. None of this is a record of any place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LAPSE = -6.5e-3  # degC a metre
_CORRELATION_LENGTH = 200.0  # kilometres in which the correlation of two areas falls by e
_EARTH = 6371.0  # kilometres

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An area of the generator."""

    latitude: float  # degrees north
    longitude: float  # degrees east
    elevation: float  # metres
    range: float = 1.0  # of a day's temperature, as a share of Jerusalem's
    moisture: float = 0.0  # added to the level of humidity, on the scale of the logistic function


#: Areas by name; Jerusalem is the one that the others are measured against.
AREAS = {
    "Jerusalem": Place(latitude=31.78, longitude=35.22, elevation=810),
    "Beit-Shemesh": Place(latitude=31.75, longitude=34.99, elevation=300, range=1.1, moisture=0.25),
    "Hebron": Place(latitude=31.53, longitude=35.10, elevation=930, moisture=-0.05),
    "Tel-Aviv": Place(latitude=32.08, longitude=34.78, elevation=20, range=0.8, moisture=0.6),
    "Haifa": Place(latitude=32.79, longitude=34.99, elevation=230, range=0.75, moisture=0.5),
    "Beersheba": Place(latitude=31.25, longitude=34.79, elevation=280, range=1.25, moisture=-0.1),
}

# What varies from day to day, in this order: highest and lowest temperature in degC, and the level
# of humidity on the scale of the logistic function. Each is a constant, then sine and cosine of the
# year, then of half a year; days of the year count from 1 January.
_MEANS = np.array(
    [
        [22.4, -3.45, -8.60, 0.20, -0.30],
        [14.3, -3.20, -5.80, 0.25, -0.20],
        [0.24, -0.10, 0.25, 0.15, 0.30],
    ]
)
_SPREADS = np.array(
    [
        [3.5, 0.55, 0.35, 0.20, -0.60],
        [2.3, 0.35, 0.25, 0.15, -0.20],
        [1.32, 0.25, 0.25, 0.10, -0.15],
    ]
)

#: Correlations of the three on one day, and (row: today, column: yesterday) from day to day. Those
#: of the temperatures are of Richardson and Wright (1984), WGEN.
LAG_0 = np.array([[1.0, 0.633, -0.45], [0.633, 1.0, -0.20], [-0.45, -0.20, 1.0]])
LAG_1 = np.array([[0.621, 0.445, -0.25], [0.572, 0.664, -0.20], [-0.30, -0.20, 0.55]])


def seasons(place: Place, day: _Floats) -> tuple[_Floats, _Floats]:
    """Return the means and standard deviations of days of the year (1.0 is 1 January).

    Both of shape [days, 3].
    """
    angle = (day - 1) * (2 * np.pi / 365.2425)
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos)]
    yearly = np.stack([np.ones_like(angle), *waves], axis=-1)
    highest, lowest, level = (yearly @ _MEANS.T).T
    middle = (highest + lowest) / 2 + _LAPSE * (place.elevation - AREAS["Jerusalem"].elevation)
    half = (highest - lowest) / 2 * place.range
    usual = np.stack([middle + half, middle - half, level + place.moisture], axis=1)
    return usual, yearly @ _SPREADS.T


def spatial_correlation() -> _Floats:
    """Return the correlation of the days of two areas by their distance, shape [areas, areas]."""
    north = np.radians([place.latitude for place in AREAS.values()])
    east = np.radians([place.longitude for place in AREAS.values()])
    width = (east[:, None] - east) * np.cos((north[:, None] + north) / 2)
    distance = _EARTH * np.hypot(north[:, None] - north, width)
    return np.asarray(np.exp(-distance / _CORRELATION_LENGTH))
