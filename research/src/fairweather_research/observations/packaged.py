"""Read observations from a file that an installed package holds, without importing the package."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from fairweather_interface.variables import VARIABLES

from fairweather_research.errors import ObservationsError
from fairweather_research.observations.archive import declared_units


@dataclass(frozen=True, kw_only=True)
class PackagedFile:
    """A CSV file with a column for each variable, and the package that holds it."""

    source: str  # what recipes call it
    distribution: str
    release: str  # of the distribution, where none is installed
    requirement: str  # what to install where the file is not there
    extra: str  # of fairweather-research
    package: str
    file: str
    folders: tuple[str, ...] = (".",)  # below the package, where its releases keep the file
    separator: str = ","
    time: str  # the column that holds it, in UTC
    time_format: str | None = None
    area: str  # the column that holds it; where the file is of one area, its name
    one_area: bool = False
    columns: Mapping[str, tuple[str, str]]  # column of the file -> variable, unit in the file

    def location(self) -> str:
        """Return where the data can be had again."""
        try:
            installed = version(self.distribution)
        except PackageNotFoundError:
            installed = self.release
        return f"https://pypi.org/project/{self.distribution}/{installed}/ ({self.file})"

    def read(self, areas: Collection[str] | None = None) -> pd.DataFrame:  # noqa: ARG002 - it is quick
        """Return all of it as a long table in declared units, not yet quality-controlled.

        Raises:
            ObservationsError: the package is not installed, or does not hold the file.
        """
        path = self._path()
        used = [self.time, *self.columns, *([] if self.one_area else [self.area])]
        try:
            raw = pd.read_csv(path, sep=self.separator, usecols=used)
            time = pd.to_datetime(raw[self.time], format=self.time_format, utc=True)
        except (OSError, ValueError) as error:
            raise ObservationsError(
                self.source, f"{path} cannot be read ({error}); reinstall {self.distribution}"
            ) from error
        parts = [
            pd.DataFrame(
                {
                    "area": self.area if self.one_area else raw[self.area],
                    "time": time.dt.as_unit("s"),
                    "variable": variable,
                    "unit": unit,
                    "value": raw[column].astype("float64"),
                }
            )
            for column, (variable, unit) in self.columns.items()
        ]
        return declared_units(pd.concat(parts, ignore_index=True), self.source, VARIABLES)

    def _path(self) -> Path:
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ObservationsError(
                self.source,
                f"needs {self.distribution}, which is not installed; "
                f"run `pip install 'fairweather-research[{self.extra}]'`",
            )
        root = Path(next(iter(spec.submodule_search_locations)))
        for folder in self.folders:
            if (path := root / folder / self.file).is_file():
                return path
        raise ObservationsError(
            self.source, f"{root} holds no {self.file}; install {self.requirement} again"
        )
