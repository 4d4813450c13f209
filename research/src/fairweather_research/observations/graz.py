"""A year of observations by the minute at Graz: the ``sunpeek-exampledata`` package.

The data come from a solar thermal plant at 47.05 N, 15.44 E and are published under CC BY-SA 4.0;
``SOURCES`` says whom to name, and every archive and delivery made from them does. Temperature is in
kelvin, humidity a fraction. Days on which the logger failed are missing whole, 13 in a row in
April. The package is never imported: ``find_spec`` finds its folder without running anything.
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

__all__ = ["AREA", "FILE", "location", "read"]

AREA = "Graz"
FILE = "FHW__array_ArcS__2017-01-01__2017-12-31__1m__UTC.csv"

_SOURCE = "graz"
_DISTRIBUTION = "sunpeek-exampledata"
_PACKAGE = "sunpeek_exampledata"
_TIME = "timestamps_UTC"
_FOLDERS = (".", "FHW")  # where releases 0.1 and 0.2 keep the file

# column of the file -> variable, unit in the file
_COLUMNS = {"te_amb": ("temperature", "K"), "rh_amb": ("humidity", "1")}


def location() -> str:
    """Where the data can be had again."""
    try:
        installed = version(_DISTRIBUTION)
    except PackageNotFoundError:
        installed = "0.1.2"
    return f"https://pypi.org/project/{_DISTRIBUTION}/{installed}/ ({FILE})"


def read(areas: Collection[str] | None = None) -> pd.DataFrame:  # noqa: ARG001 - there is one area
    """The whole year as a long table in declared units, not yet quality-controlled.

    Raises:
        ObservationsError: the package is not installed, or does not hold the file.
    """
    path = _file()
    try:
        raw = pd.read_csv(path, sep=";", usecols=[_TIME, *_COLUMNS])
        time = pd.to_datetime(raw[_TIME], format="%Y-%m-%d %H:%M:%S", utc=True).dt.as_unit("s")
    except (OSError, ValueError) as error:
        raise ObservationsError(
            _SOURCE, f"{path} cannot be read ({error}); reinstall {_DISTRIBUTION}"
        ) from error
    parts = []
    for column, (variable, unit) in _COLUMNS.items():
        convert = conversion(variable, unit)
        if convert is None:
            raise ObservationsError(_SOURCE, f"no conversion for {variable} from {unit!r}")
        parts.append(
            pd.DataFrame(
                {
                    "area": AREA,
                    "time": time,
                    "variable": variable,
                    "unit": VARIABLES[variable].unit,
                    "value": convert(raw[column].to_numpy("float64")),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ObservationsError(
            _SOURCE,
            f"needs {_DISTRIBUTION}, which is not installed; "
            "run `pip install 'fairweather-research[graz]'`",
        )
    root = Path(next(iter(spec.submodule_search_locations)))
    for folder in _FOLDERS:
        if (path := root / folder / FILE).is_file():
            return path
    raise ObservationsError(
        _SOURCE, f"{root} holds no {FILE}; install {_DISTRIBUTION}>=0.1.2,<0.3 again"
    )
