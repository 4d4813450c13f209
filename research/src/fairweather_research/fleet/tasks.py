"""One training of a fleet: what every engine does with it, and its outcome.

A task is plain data, so that it can be sent to another machine. ``run_task`` never raises: an error
is the outcome of this one training, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from fairweather_interface.errors import FairweatherError
from fairweather_interface.software import Software
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.dataset.source_data import observations_of
from fairweather_research.fleet.store_index import DeliveredIndex, claim, identity
from fairweather_research.recipes.recipe import Recipe
from fairweather_research.training.forkserver import ForkServer
from fairweather_research.training.train import Progress, train


class State(StrEnum):
    """What became of a training."""

    DELIVERED = "delivered"
    FOUND = "delivered before"
    ELSEWHERE = "trained elsewhere"  # another process is at it
    FAILED = "failed"
    WAITING = "to be trained"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training: its name in the fleet, its recipe, and where everything goes."""

    name: str
    recipe: dict[str, Any]  # a recipe's document, its files by absolute path
    store: Path
    tensorboard: Path | None
    software: tuple[Software, ...] | None
    schema: str = SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task."""

    name: str
    state: State
    path: str | None = None  # the delivery's folder
    reason: str | None = None  # why there is none
    seconds: float = 0.0


def run_task(task: Task, server: ForkServer, report: Callable[[Progress], None]) -> Outcome:
    """Train and deliver, unless the store has it or another process is training it."""
    began = time.monotonic()

    def ended(state: State, path: Path | None = None, reason: str | None = None) -> Outcome:
        return Outcome(
            name=task.name,
            state=state,
            path=None if path is None else str(path),
            reason=reason,
            seconds=time.monotonic() - began,
        )

    try:
        recipe = Recipe.parse(task.recipe, source=task.name)
        wanted = identity(recipe, observations_of(recipe), task.schema)
        with claim(task.store, wanted) as ours:
            if not ours:
                return ended(State.ELSEWHERE, reason="another process is training it")
            if delivery := delivered_index(task.store).find(wanted):
                return ended(State.FOUND, delivery.path)
            delivery = train(
                recipe,
                task.store,
                schema=task.schema,
                software=task.software,
                tensorboard=task.tensorboard,
                progress=report,
                server=server,
            )
            return ended(State.DELIVERED, delivery.path)
    except FairweatherError as error:
        return ended(State.FAILED, reason=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        return ended(State.FAILED, reason=f"{type(error).__name__}: {error}")


@lru_cache(maxsize=1)
def delivered_index(store: Path) -> DeliveredIndex:
    """Return the index of a store, which reads a delivery once in the life of a process."""
    return DeliveredIndex(store)
