"""What is known before a training process starts, found once and given to it as one document."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from fairweather_interface.metadata import ModelMetadata

from fairweather_research.dataset.branches import Switch, find_switch
from fairweather_research.dataset.climatology import TERMS
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.environment import memory_limit
from fairweather_research.errors import UnfitDataError
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.observations.series import Archive, epoch_seconds
from fairweather_research.recipes.recipe import Recipe

PREPARED = "prepared.pickle"

_LEAST_MEMORY = 600_000_000  # bytes, of a training of few windows


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
    if problems := _without_comparison(windows) or _too_large(windows):
        raise UnfitDataError(recipe.observations.source, problems)
    time = epoch_seconds(archive.table["time"])
    if (newest := archive.table["time"].max()) > datetime.now(UTC):
        problem = (
            f"found an observation of {newest:%Y-%m-%d %H:%M} UTC, which lies in the future; a "
            "model that says so is refused by apps: correct its year, or the clock of this machine"
        )
        raise UnfitDataError(recipe.observations.source, [problem])
    return Prepared(
        recipe=recipe,
        expected=expected,
        windows=windows,
        switch=find_switch(recipe, windows),
        observed=(int(time.min()), int(time.max())),
        logs=logs,
    )


def _too_large(windows: WindowSet) -> list[str]:
    """Return, for people, that the training cannot fit into memory, if so.

    It takes at least what TensorFlow takes, the calendar and area of every window, and the
    forecasts that are evaluated at a time: all of the area that has most windows.
    """
    plan = windows.plan
    evaluated = int(np.bincount(windows.area[windows.reaching(Part.HELD_OUT)]).max())
    values = len(windows) * 3 * (len(plan.areas) + TERMS)
    values += evaluated * plan.leads * len(plan.outputs) * (4 + len(plan.probabilities))
    needed, limit = (each / 1e9 for each in (_LEAST_MEMORY + 8 * values, memory_limit()))
    if needed <= limit:
        return []
    problem = (
        f"`areas`: found {len(windows)} windows, which take {needed:.1f} GB of memory or more, "
        f"expected at most the {limit:.1f} GB that are here; take fewer areas, months or years or "
        "a longer `step`, or train where there is more memory"
    )
    return [problem]


def _without_comparison(windows: WindowSet) -> list[str]:
    """Return, for people, the series of which no held-out value can be held against persistence."""
    found = np.zeros((len(windows.plan.areas), len(windows.plan.outputs)), dtype=np.bool_)
    for _, batch in windows.rows(windows.reaching(Part.HELD_OUT)).batches():
        both = np.isfinite(BASELINES["persistence"].predict(batch) + batch.targets())
        both &= (batch.parts() == Part.HELD_OUT)[:, None]
        np.logical_or.at(found, batch.area, both.any(axis=2))
        if found.all():
            break
    return [
        f"`split`: no held-out value of {output.variable} at {name} has one of the same hour on "
        "the day before its forecast, so that nothing can be held against persistence; bring "
        "observations of the same hours every day, or say a longer `step`"
        for area, name in enumerate(windows.plan.areas)
        for number, output in enumerate(windows.plan.outputs)
        if not found[area, number]
    ]
