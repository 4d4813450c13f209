"""One training of a fleet: what every engine does with it, and what comes of it.

A task is plain data, so that it can be sent to another machine. ``run_task`` never raises: what
goes wrong is the outcome of this one training, and no other is touched by it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairweather_interface.errors import FairweatherError
from fairweather_interface.software import Software

from fairweather_research.dataset.source_data import observations_of
from fairweather_research.fleet.store_index import DeliveredIndex, claim, identity
from fairweather_research.recipes.recipe import Recipe
from fairweather_research.training.train import Progress, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairweather_research.training.forkserver import ForkServer

__all__ = ["Outcome", "State", "Task", "delivered_index", "run_task"]


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
    store: str
    tensorboard: str | None = None
    software: tuple[Software, ...] | None = field(default=None)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task."""

    name: str
    state: State
    path: str | None = None  # the delivery's folder
    reason: str | None = None  # why there is none
    seconds: float = 0.0


def run_task(task: Task, server: ForkServer, report: Callable[[Progress], None]) -> Outcome:
    """Train and deliver, unless the store holds it already or somebody else is at it."""
    began = time.monotonic()

    def ended(state: State, path: Path | None = None, reason: str | None = None) -> Outcome:
        return Outcome(
            name=task.name,
            state=state,
            path=None if path is None else str(path),
            reason=reason,
            seconds=time.monotonic() - began,
        )

    store = Path(task.store)
    try:
        recipe = Recipe.parse(task.recipe, source=task.name)
        wanted = identity(recipe, observations_of(recipe))
        with claim(store, wanted) as ours:
            if not ours:
                return ended(State.ELSEWHERE, reason="another process is training it")
            if delivery := delivered_index(store).find(wanted):
                return ended(State.FOUND, delivery.path)
            delivery = train(
                recipe,
                store,
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
    """The deliveries of a store; kept, so that each is read once in the life of a process."""
    return DeliveredIndex(store)
