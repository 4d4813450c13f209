"""What is known before a training process starts, found once and given to it as one document."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

from fairweather_interface.metadata import ModelMetadata

from fairweather_research.dataset.branches import Switch, find_switch
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.observations.series import Archive, epoch_seconds
from fairweather_research.recipes.recipe import Recipe

__all__ = ["PREPARED", "Prepared", "prepare"]

PREPARED = "prepared.pickle"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that a training process needs, found before it starts."""

    recipe: Recipe
    expected: ModelMetadata  # of the delivery, with stand-ins for what training finds
    windows: WindowSet
    switch: Switch | None
    observed: tuple[int, int]  # time of the first and of the last observation, seconds
    logs: Path | None  # a folder for TensorBoard

    def write(self, scratch: Path) -> None:
        """Write it to a folder that only this user can write to."""
        (scratch / PREPARED).write_bytes(pickle.dumps(self))

    @classmethod
    def read(cls, scratch: Path) -> Prepared:
        """Read what the parent process wrote to its scratch folder."""
        prepared: Prepared = pickle.loads((scratch / PREPARED).read_bytes())  # noqa: S301 - ours
        return prepared


def prepare(
    recipe: Recipe, expected: ModelMetadata, archive: Archive, *, logs: Path | None = None
) -> Prepared:
    """Choose the windows of a recipe, and find what its networks switch by.

    Raises:
        UnfitDataError: the observations hold too little of what the recipe asks for.
    """
    windows = WindowSet.choose(recipe, archive)
    time = epoch_seconds(archive.table["time"])
    return Prepared(
        recipe=recipe,
        expected=expected,
        windows=windows,
        switch=find_switch(recipe, windows),
        observed=(int(time.min()), int(time.max())),
        logs=logs,
    )
