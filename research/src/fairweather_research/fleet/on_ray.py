"""The Ray engine: trainings as tasks of a cluster that ``RAY_ADDRESS`` names.

Every node has this package installed, with the extra ``[ray]``, and sees the store and files of
observations under the same paths. What a task does is what the local engine does.

A node that is lost takes the trainings that it had, and no others. The fleet and the actor that
collects its progress run on the node on which it was started; where the actor is lost, progress is
no longer shown, and the fleet goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from fairweather_research.errors import TrainingError
from fairweather_research.fleet.tasks import Outcome, State, Task, run_task
from fairweather_research.training.forkserver import ForkServer
from fairweather_research.training.train import Progress

_POLL_EVERY = 0.5  # seconds
_PATIENCE = 10  # seconds


class _ProgressActor:
    """The actor to which trainings all over the cluster report, and from which the fleet reads."""

    def __init__(self) -> None:
        self._reports: list[tuple[str, Progress]] = []

    def write(self, name: str, progress: Progress) -> None:
        self._reports.append((name, progress))

    def read(self) -> list[tuple[str, Progress]]:
        reports, self._reports = self._reports, []
        return reports


@lru_cache(maxsize=1)
def _server() -> ForkServer:
    """Return the forkserver of a worker process of Ray, which ends with it."""
    return ForkServer()


def _run_remotely(task: Task, actor: Any) -> Outcome:  # noqa: ANN401 - an actor has no type
    import ray  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional

    def report(progress: Progress) -> None:
        with suppress(ray.exceptions.RayError):
            actor.write.remote(task.name, progress)

    return run_task(task, _server(), report)


class _ProgressReader:
    """Start the actor of a fleet and read it, without ever waiting for it."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401 - Ray is optional
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._ray = ray
        self.actor = ray.remote(num_cpus=0, scheduling_strategy=here)(_ProgressActor).remote()
        self._asked = self.actor.read.remote()

    def read(self) -> list[tuple[str, Progress]]:
        """Return what was reported since; nothing while the actor does not answer."""
        ready, _ = self._ray.wait([self._asked], timeout=0)
        if not ready:
            return []
        try:
            found: list[tuple[str, Progress]] = self._ray.get(self._asked)
            self._asked = self.actor.read.remote()
        except self._ray.exceptions.RayError:  # what was asked stays ready, and stays an error
            return []
        return found


def run_on_ray(
    tasks: Sequence[Task], report: Callable[[str, Progress], None], jobs: int | None = None
) -> Generator[Outcome]:
    """Run tasks on a Ray cluster, one core each; yield outcomes as trainings end.

    Args:
        tasks: what to train.
        report: called with a training's name and its progress.
        jobs: the most at a time; as many as the cluster has cores when absent.

    Raises:
        TrainingError: Ray is not installed, or its cluster cannot be reached.
    """
    ray = _connect()
    try:
        reader = _ProgressReader(ray)
        # Not retried: what was lost is trained when the fleet is started again.
        remote = ray.remote(num_cpus=1, max_retries=0)(_run_remotely)
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        while waiting or running:
            while waiting and (jobs is None or len(running) < jobs):
                task = waiting.pop(0)
                running[remote.remote(task, reader.actor)] = task
            done, _ = ray.wait(list(running), timeout=_POLL_EVERY)
            at_work = {task.name for task in running.values()}
            for name, progress in reader.read():
                if name in at_work:  # it may arrive after the outcome
                    report(name, progress)
            for future in done:
                task = running.pop(future)
                try:
                    yield ray.get(future)
                except ray.exceptions.RayError as error:
                    reason = f"the cluster lost it: {str(error).splitlines()[0]}"
                    yield Outcome(name=task.name, state=State.FAILED, reason=reason)
    finally:
        ray.shutdown()  # with its driver gone, the cluster ends what still runs


def _connect() -> Any:  # noqa: ANN401 - Ray is optional
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        raise TrainingError(
            "found no RAY_ADDRESS, expected the address of a Ray cluster; start one with 'ray "
            "start --head --port 6379 --include-dashboard=false --disable-usage-stats' and set "
            "RAY_ADDRESS=127.0.0.1:6379"
        )
    try:
        import ray  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional
        import ray.util.scheduling_strategies  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise TrainingError(
            "Ray is not installed; pip install 'fairweather-research[ray]', here and on every node"
        ) from error
    try:
        _check_reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except Exception as error:
        raise TrainingError(
            f"found no Ray cluster at RAY_ADDRESS={address} ({str(error).splitlines()[0]}); start "
            "one there, or correct the address"
        ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Refuse an address where nothing listens at once; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
