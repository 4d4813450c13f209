"""What is refused before a training process starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from fairweather_research import UnfitDataError
from fairweather_research.delivery.metadata import expected_metadata
from fairweather_research.environment import memory_limit
from fairweather_research.observations.loading import load_observations
from fairweather_research.observations.series import Archive
from fairweather_research.training import prepared

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairweather_research import Recipe


def prepare(recipe: Recipe, archive: Archive) -> prepared.Prepared:
    return prepared.prepare(recipe, expected_metadata(recipe), archive)


def problems(recipe: Recipe, archive: Archive) -> tuple[str, ...]:
    with pytest.raises(UnfitDataError) as refused:
        prepare(recipe, archive)
    return refused.value.problems


def alternating(archive: Archive, variable: str) -> Archive:
    """Leave out a variable at every other hour, another one on every other day."""
    table = archive.table
    time = table["time"].dt
    even = (time.hour + time.day_of_year) % 2 == 0
    return Archive(table[even | (table["variable"] != variable)].reset_index(drop=True))


def test_held_out_values_without_any_of_the_same_hour_a_day_before_are_refused(
    tiny: Callable[..., Recipe], summer: Path
) -> None:
    archive = load_observations(str(summer)).archive
    recipe = tiny(max_missing=0.5, horizon="1 day")
    assert len(prepare(recipe, archive).windows)
    found = problems(recipe, alternating(archive, "humidity"))
    assert len(found) == 2
    for area, problem in zip(("EWR", "JFK"), found, strict=True):
        assert problem.startswith(f"`split`: no held-out value of humidity at {area} has one of")
        assert "persistence" in problem
    coarser = tiny(max_missing=0.5, horizon="1 day", step="2 hours")
    assert len(prepare(coarser, alternating(archive, "humidity")).windows)


def test_a_training_that_cannot_fit_into_memory_is_refused_with_what_it_takes(
    tiny: Callable[..., Recipe], summer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = load_observations(str(summer)).archive
    monkeypatch.setattr(prepared, "memory_limit", lambda: 500_000_000)
    (problem,) = problems(tiny(), archive)
    assert "windows, which take 0.6 GB of memory or more" in problem
    assert "the 0.5 GB that are here" in problem
    monkeypatch.setattr(prepared, "memory_limit", lambda: 1_000_000_000)
    windows = prepare(tiny(), archive).windows
    assert pd.Series(windows.area).nunique() == 2


def test_the_memory_of_this_machine_is_found() -> None:
    assert memory_limit() > 500_000_000


def test_observations_of_the_future_are_refused_before_anything_is_trained(
    tiny: Callable[..., Recipe], summer: Path
) -> None:
    table = load_observations(str(summer)).archive.table
    later = Archive(table.assign(time=table["time"] + pd.DateOffset(years=100)))
    (problem,) = problems(tiny(), later)
    assert problem.startswith("found an observation of 2113-07-31 23:00 UTC, which lies in the")
