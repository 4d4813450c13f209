"""A year of observations by the minute at Graz: the ``sunpeek-exampledata`` package.

The data come from a solar thermal plant at 47.05 N, 15.44 E and are published under CC BY-SA 4.0;
``SOURCES`` says whom to name, and every archive and delivery made from them does. Temperature is in
kelvin, humidity a fraction. Days on which the logger failed are missing whole, 13 in a row in
April.
"""

from __future__ import annotations

from fairweather_research.observations.packaged import PackagedFile

FILE = "FHW__array_ArcS__2017-01-01__2017-12-31__1m__UTC.csv"

_FILE = PackagedFile(
    source="graz",
    distribution="sunpeek-exampledata",
    release="0.1.2",
    requirement="sunpeek-exampledata>=0.1.2,<0.3",
    extra="graz",
    package="sunpeek_exampledata",
    file=FILE,
    folders=(".", "FHW"),  # of releases 0.1 and 0.2
    separator=";",
    time="timestamps_UTC",
    time_format="%Y-%m-%d %H:%M:%S",
    area="Graz",
    one_area=True,
    columns={"te_amb": ("temperature", "K"), "rh_amb": ("humidity", "1")},
)

read, location = _FILE.read, _FILE.location
