"""Read the observations of a recipe from its source, and refuse a source that has changed.

A source is read once and kept while its bytes stay the same, so that a fleet of trainings does not
read it again and again.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from fairweather_interface.variables import Variable

from fairweather_research.errors import ObservationsError, RecipeError, TrainingError
from fairweather_research.observations.loading import Observations, load_observations
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes.recipe import Recipe

_KEPT = 4  # sources; a year of minutes takes a hundred megabytes
_lock = threading.Lock()


def observations_of(recipe: Recipe) -> Observations:
    """Return the part of the recipe's source that it reads; the digest covers just this.

    Raises:
        ObservationsError: the source cannot be read.
        RecipeError: its weather is made up, and the recipe does not say so.
    """
    source = recipe.observations.source
    areas, variables = recipe.blueprint.areas_read, recipe.blueprint.variables_read
    wanted = areas if source in SOURCES else None  # a file is read as a whole
    known = tuple(recipe.defined.variable_table.values())
    with _lock:
        found = _read(source, wanted, known, _fingerprint(source))
    if found.origin.synthetic and not recipe.observations.synthetic:
        problem = (
            "`observations.synthetic`: the file says that its values are made up, and the recipe "
            "does not; write `synthetic: true`, which every forecast will then say"
        )
        raise RecipeError(source, [problem])
    place = recipe.observations.location or found.location
    return replace(
        found,
        archive=found.archive.select(areas=areas, variables=variables),
        report=found.report.select(areas=areas, variables=variables),
        location="; ".join(filter(None, (place, found.origin.attribution))),
    )


def refuse_changed(recipe: Recipe, observations: Observations) -> None:
    """Refuse to deliver a model whose observations have changed while it was trained.

    Raises:
        TrainingError: the recipe's source holds other observations than these, or none.
    """
    expected = observations.archive.digest()
    try:
        found = observations_of(recipe).archive.digest()
    except ObservationsError as error:
        found = f"none: {error}"
    if found != expected:
        raise TrainingError(
            f"{recipe.observations.source} changed while a model was trained on it: found the data "
            f"digest {found}, expected {expected}; nothing was delivered; train again"
        )


@lru_cache(maxsize=_KEPT)
def _read(
    source: str,
    areas: tuple[str, ...] | None,
    known: tuple[Variable, ...],
    fingerprint: str,  # noqa: ARG001 - the cache's key
) -> Observations:
    return load_observations(source, areas=areas, variables={row.name: row for row in known})


def _fingerprint(source: str) -> str:
    """Return the digest of a file; empty for a packaged source, which never changes."""
    path = Path(source).expanduser()
    if source in SOURCES or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ObservationsError(
            source, f"cannot be read ({error.strerror}); choose a file you may read"
        ) from error
