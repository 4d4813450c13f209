"""Fleets: all trainings of a plan, on one machine or on a cluster.

::

    fleet = Fleet(load_plan("new-york.yaml"), "store")
    for each in fleet.waiting():
        print(each.name, each.state)           # what a run would do
    outcomes = fleet.run()

A training that fails, fails alone. A fleet that was stopped, by whatever, goes on where it was when
it is run again: what the store holds is not trained again (see ``fleet.delivered``). Two fleets on
one store share the work.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fairweather_interface.delivery import clear_dead_stagings
from fairweather_interface.errors import FairweatherError

from fairweather_research.dataset.source_data import observations_of
from fairweather_research.delivery.compatibility import check_compatibility
from fairweather_research.errors import TrainingError, UnsupportedError
from fairweather_research.fleet.delivered import clear_dead_claims, identity
from fairweather_research.fleet.tasks import Outcome, State, Task, shelf_of
from fairweather_research.training.train import logs_beside, make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterator, Sequence

    from fairweather_interface.software import Software

    from fairweather_research.recipes.plan import Plan
    from fairweather_research.training.train import Progress

__all__ = ["Fleet", "Outcome", "State"]


class Fleet:
    """All trainings of a plan, and the store they deliver to.

    Args:
        plan: what to train.
        store: a folder; made when it is not there.
        software: releases that are live, as ``train`` takes them.
        tensorboard: a folder for logs outside the store, as ``train`` takes it.
    """

    def __init__(
        self,
        plan: Plan,
        store: str | Path,
        *,
        software: Sequence[Software] | None = None,
        tensorboard: str | Path | None = None,
    ) -> None:
        self.plan = plan
        self.store = Path(store).expanduser().resolve()
        self._software = None if software is None else tuple(software)
        self._logs = logs_beside(self.store, tensorboard)

    def foreseen(self, *, strict: bool = False) -> tuple[str, ...]:
        """Return what no live software supports yet, each with how many trainings it concerns.

        Raises:
            UnsupportedError: there is such a thing, and ``strict``.
            MetadataError: the contract does not allow what a delivery would say.
        """
        counted: Counter[str] = Counter()
        for each in self.plan.trainings:
            counted.update(check_compatibility(each.recipe, self._software).warnings)
        lines = tuple(
            f"{line} ({number} of {len(self.plan.trainings)} trainings)"
            for line, number in counted.items()
        )
        if strict and lines:
            raise UnsupportedError(lines)
        return lines

    def waiting(self, *, but: Container[str] = ()) -> Iterator[Outcome]:
        """Yield what a run would find: delivered before, or failed already; all others wait.

        Args:
            but: names of trainings to pass over.
        """
        for each in self.plan.trainings:
            if each.name in but:
                continue
            try:
                wanted = identity(each.recipe, observations_of(each.recipe))
            except FairweatherError as error:
                yield Outcome(name=each.name, state=State.FAILED, reason=str(error))
                continue
            if delivery := shelf_of(self.store).find(wanted):
                yield Outcome(name=each.name, state=State.FOUND, path=str(delivery.path))
            else:
                yield Outcome(name=each.name, state=State.WAITING)

    def run(
        self,
        *,
        engine: str = "local",
        jobs: int | None = None,
        progress: Callable[[str, Progress], None] | None = None,
        ended: Callable[[Outcome], None] | None = None,
    ) -> tuple[Outcome, ...]:
        """Train what the store does not hold; return what became of all, in the plan's order.

        Args:
            engine: ``local``, or ``ray`` for the cluster that ``RAY_ADDRESS`` names.
            jobs: the most trainings at a time; one a core when absent.
            progress: called with a training's name at every stage and after every epoch.
            ended: called with every outcome as it comes.

        Raises:
            TrainingError: there is no such engine, ``jobs`` is no number of trainings, or the store
                or the cluster cannot be used.
        """
        if jobs is not None and jobs < 1:
            raise TrainingError(
                f"`jobs`: found {jobs}, expected 1 or more trainings at a time, or None for one a "
                "core"
            )
        run = _engine(engine)
        make_store(self.store)
        tasks = [
            Task(
                name=each.name,
                recipe=each.recipe.document(),
                store=str(self.store),
                tensorboard=None if self._logs is None else str(self._logs),
                software=self._software,
            )
            for each in self.plan.trainings
        ]
        came: dict[str, Outcome] = {}
        try:
            with closing(run(tasks, progress or (lambda *_: None), jobs)) as outcomes:
                for outcome in outcomes:
                    came[outcome.name] = outcome
                    if ended:
                        ended(outcome)
        finally:
            with suppress(OSError):
                clear_dead_stagings(self.store)
                clear_dead_claims(self.store)
        return tuple(came[each.name] for each in self.plan.trainings)


def _engine(name: str) -> Callable[..., Generator[Outcome]]:
    if name == "ray":
        from fairweather_research.fleet.on_ray import run_on_ray  # noqa: PLC0415 - optional

        return run_on_ray
    if name != "local":
        raise TrainingError(f"`engine`: found {name!r}, expected one of local, ray")
    from fairweather_research.fleet.local import run_locally  # noqa: PLC0415 - one is enough

    return run_locally
