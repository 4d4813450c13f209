"""Fleets: all trainings of a plan, on one machine or on a cluster.

::

    fleet = Fleet(load_plan("new-york.yaml"), "store")
    for outcome in fleet.waiting():
        print(outcome.name, outcome.state)     # what a run would do
    outcomes = fleet.run()

A training that fails does not stop the others. A fleet that was stopped continues when it is run
again: what the store holds is not trained again (see ``fleet.store_index``). Two fleets on one
store share the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from fairweather_interface.delivery import clear_dead_stagings
from fairweather_interface.errors import FairweatherError
from fairweather_interface.software import Software
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.dataset.source_data import observations_of
from fairweather_research.delivery.compatibility import check_compatibility
from fairweather_research.errors import TrainingError, UnsupportedError
from fairweather_research.fleet.local import run_locally
from fairweather_research.fleet.on_ray import run_on_ray
from fairweather_research.fleet.store_index import clear_dead_claims, identity
from fairweather_research.fleet.tasks import Outcome, State, Task, delivered_index
from fairweather_research.recipes.plan import Plan
from fairweather_research.training.train import Progress, logs_beside, make_store

__all__ = ["Fleet", "Outcome", "State"]

_ENGINES = {"local": run_locally, "ray": run_on_ray}


class Fleet:
    """All trainings of a plan, and the store they deliver to.

    Args:
        plan: what to train.
        store: a folder; made when it is not there.
        schema: to write the metadata in, as ``train`` takes it.
        software: releases that are live, as ``train`` takes them.
        tensorboard: a folder for logs outside the store, as ``train`` takes it.
    """

    def __init__(
        self,
        plan: Plan,
        store: str | Path,
        *,
        schema: str = SCHEMA_VERSION,
        software: Sequence[Software] | None = None,
        tensorboard: str | Path | None = None,
    ) -> None:
        self.plan = plan
        self.store = Path(store).expanduser().resolve()
        self._schema = schema
        self._software = None if software is None else tuple(software)
        self._logs = logs_beside(self.store, tensorboard)

    def foreseen(self, *, strict: bool = False) -> tuple[str, ...]:
        """Return what no live software supports yet, with how many trainings it concerns.

        Raises:
            UnsupportedError: there is such a thing, and ``strict``.
            MetadataError: the contract does not allow what a delivery would say.
            NotExpressibleError: the schema has no words for what a recipe asks for.
        """
        counted: Counter[str] = Counter()
        for training in self.plan.trainings:
            found = check_compatibility(training.recipe, self._software, schema=self._schema)
            counted.update(found.warnings)
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
        for training in self.plan.trainings:
            name = training.name
            if name in but:
                continue
            try:
                observations = observations_of(training.recipe)
                wanted = identity(training.recipe, observations, self._schema)
            except FairweatherError as error:
                yield Outcome(name=name, state=State.FAILED, reason=str(error))
                continue
            if delivery := delivered_index(self.store).find(wanted):
                yield Outcome(name=name, state=State.FOUND, path=str(delivery.path))
            else:
                yield Outcome(name=name, state=State.WAITING)

    def run(
        self,
        *,
        engine: str = "local",
        jobs: int | None = None,
        progress: Callable[[str, Progress], None] | None = None,
        ended: Callable[[Outcome], None] | None = None,
    ) -> tuple[Outcome, ...]:
        """Train what the store does not hold; return the outcomes of all, in the plan's order.

        Args:
            engine: ``local``, or ``ray`` for the cluster that ``RAY_ADDRESS`` names.
            jobs: the most trainings at a time; one a core when absent.
            progress: called with a training's name at every stage and after every epoch.
            ended: called with every outcome, in the order in which trainings end.

        Raises:
            TrainingError: there is no such engine, ``jobs`` is no number of trainings, or the store
                or the cluster cannot be used.
        """
        if jobs is not None and jobs < 1:
            raise TrainingError(
                f"`jobs`: found {jobs}, expected 1 or more trainings at a time, or None for one a "
                "core"
            )
        if engine not in _ENGINES:
            raise TrainingError(f"`engine`: found {engine!r}, expected one of local, ray")
        make_store(self.store)
        tasks = [
            Task(
                name=training.name,
                recipe=training.recipe.document(),
                store=self.store,
                tensorboard=self._logs,
                software=self._software,
                schema=self._schema,
            )
            for training in self.plan.trainings
        ]
        outcomes: dict[str, Outcome] = {}
        try:
            with closing(_ENGINES[engine](tasks, progress or (lambda *_: None), jobs)) as ending:
                for outcome in ending:
                    outcomes[outcome.name] = outcome
                    if ended:
                        ended(outcome)
        finally:
            with suppress(OSError):
                clear_dead_stagings(self.store)
                clear_dead_claims(self.store)
        return tuple(outcomes[training.name] for training in self.plan.trainings)
