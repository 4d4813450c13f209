"""Read a source of observations, packaged or a file, and control its quality."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from fairweather_interface.archive import Origin
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_research.observations.archive import read_origin, read_table
from fairweather_research.observations.quality import control
from fairweather_research.observations.report import QualityReport
from fairweather_research.observations.series import Archive
from fairweather_research.observations.sources import SOURCES


@dataclass(frozen=True, kw_only=True)
class Observations:
    """An archive, its origin, and the report of its quality control."""

    archive: Archive
    report: QualityReport
    source: str  # a named source, or the file's name
    location: str  # where the data can be had again; for a file, its name
    origin: Origin = field(default_factory=Origin)  # what must be stated of the data

    def text(self) -> str:
        """Return the quality report for people, and the notices that go with the data."""
        lines = [self.report.text()]
        if self.origin.synthetic:
            lines.append("Synthetic: these values were generated, nobody observed them.")
        if self.origin.attribution:
            lines.append(f"Attribution: {self.origin.attribution}.")
        return "\n".join(lines)


def load_observations(
    source: str,
    *,
    folder: Path | None = None,
    areas: Collection[str] | None = None,
    variables: Mapping[str, Variable] = VARIABLES,
) -> Observations:
    """Read a source and control its quality.

    Args:
        source: one of ``SOURCES``, or the path of a Parquet or CSV file.
        folder: what a relative path starts from; the working directory when absent.
        areas: those that are wanted; all when absent.
        variables: the row of each variable that a file may hold, such as the ``variable_table`` of
            definitions; those that the contract knows when absent.

    Raises:
        ObservationsError: the source cannot be read; the message says why and what to do.
    """
    if source in SOURCES:
        packaged = SOURCES[source]
        module = import_module(packaged.module)
        table, name, location = module.read(areas), source, module.location()
        origin = Origin(attribution=packaged.attribution, synthetic=packaged.synthetic)
    else:
        path = (folder or Path.cwd()) / Path(source).expanduser()
        table, name, location = read_table(path, variables), path.name, path.name
        origin = read_origin(path)
    archive, report = control(table, variables)
    if areas is not None:
        archive = archive.select(areas=areas, variables=archive.variables)
        report = report.select(areas=tuple(areas), variables=archive.variables)
    return Observations(
        archive=archive, report=report, source=name, location=location, origin=origin
    )
