"""The Ray engine: trainings as tasks of a cluster that ``RAY_ADDRESS`` names.

Every node has this package installed, with the extra ``[ray]``, and sees the store and files of
observations under the same paths. What a task does is what the local engine does.

A node that is lost takes the trainings that it had, and no others. The fleet itself lives on the
node on which it was started, and so does its board; where the board is lost, progress is no longer
told, and the fleet goes on.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fairweather_research.errors import TrainingError
from fairweather_research.fleet.tasks import Outcome, State, run_task
from fairweather_research.training.forkserver import ForkServer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from fairweather_research.fleet.tasks import Task
    from fairweather_research.training.train import Progress

__all__ = ["run_on_ray"]

_LOOK_EVERY = 0.5  # seconds
_PATIENCE = 10  # seconds


class _ProgressActor:
    """Where trainings all over the cluster write how far they are, and the fleet reads it."""

    def __init__(self) -> None:
        self._news: list[tuple[str, Progress]] = []

    def write(self, name: str, progress: Progress) -> None:
        self._news.append((name, progress))

    def read(self) -> list[tuple[str, Progress]]:
        news, self._news = self._news, []
        return news


@lru_cache(maxsize=1)
def _server() -> ForkServer:
    """One forkserver for all tasks that a worker process of Ray is given; it ends with it."""
    return ForkServer()


def _run_remotely(task: Task, board: Any) -> Outcome:  # noqa: ANN401 - an actor has no type
    import ray  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional

    def report(progress: Progress) -> None:
        with suppress(ray.exceptions.RayError):
            board.write.remote(task.name, progress)

    return run_task(task, _server(), report)


class _ProgressReader:
    """What the board says. It is asked, and never waited for: progress is not worth a fleet."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401 - Ray is optional
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._ray = ray
        self.board = ray.remote(num_cpus=0, scheduling_strategy=here)(_ProgressActor).remote()
        self._asked = self.board.read.remote()

    def read(self) -> list[tuple[str, Progress]]:
        """What was written since; nothing when the board is not there (yet, or any longer)."""
        ready, _ = self._ray.wait([self._asked], timeout=0)
        if not ready:
            return []
        try:
            found: list[tuple[str, Progress]] = self._ray.get(self._asked)
            self._asked = self.board.read.remote()
        except self._ray.exceptions.RayError:  # what was asked stays ready, and stays an error
            return []
        return found


def run_on_ray(
    tasks: Sequence[Task], report: Callable[[str, Progress], None], jobs: int | None = None
) -> Generator[Outcome]:
    """Carry out tasks on a Ray cluster, one core each; yield outcomes as they come.

    Args:
        tasks: what to train.
        report: told of every training's progress.
        jobs: the most at a time; as many as the cluster has cores when absent.

    Raises:
        TrainingError: Ray is not installed, or its cluster cannot be reached.
    """
    ray = _connect()
    try:
        news = _ProgressReader(ray)
        # Not retried: what was lost is trained when the fleet is started again.
        remote = ray.remote(num_cpus=1, max_retries=0)(_run_remotely)
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        while waiting or running:
            while waiting and (jobs is None or len(running) < jobs):
                task = waiting.pop(0)
                running[remote.remote(task, news.board)] = task
            done, _ = ray.wait(list(running), timeout=_LOOK_EVERY)
            at_work = {task.name for task in running.values()}
            for name, progress in news.read():
                if name in at_work:  # it may have come after the outcome
                    report(name, progress)
            for each in done:
                task = running.pop(each)
                try:
                    yield ray.get(each)
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
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
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
    """See whether somebody is at home; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
