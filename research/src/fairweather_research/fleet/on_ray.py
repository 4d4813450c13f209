"""The Ray engine: trainings as tasks of a cluster that ``RAY_ADDRESS`` names.

Every node has this package installed, with the extra ``[ray]``, and sees the store and files of
observations under the same paths. What a task does is what the local engine does.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fairweather_research._forkserver import ForkServer
from fairweather_research.errors import TrainingError
from fairweather_research.fleet.tasks import Outcome, State, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from fairweather_research.fleet.tasks import Task
    from fairweather_research.training import Progress

__all__ = ["run_on_ray"]

_LOOK_EVERY = 0.5  # seconds
_PATIENCE = 10  # seconds


class _Board:
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


def _carry_out(task: Task, board: Any) -> Outcome:  # noqa: ANN401 - an actor has no type
    return carry_out(task, _server(), lambda progress: board.write.remote(task.name, progress))


def run_on_ray(
    tasks: Sequence[Task], tell: Callable[[str, Progress], None], jobs: int | None = None
) -> Generator[Outcome]:
    """Carry out tasks on a Ray cluster, one core each; yield outcomes as they come.

    Args:
        tasks: what to train.
        tell: told of every training's progress.
        jobs: the most at a time; as many as the cluster has cores when absent.

    Raises:
        TrainingError: Ray is not installed, or its cluster cannot be reached.
    """
    ray = _connected()
    try:
        board = ray.remote(num_cpus=0)(_Board).remote()
        # Not retried: what was lost is trained when the fleet is started again.
        remote = ray.remote(num_cpus=1, max_retries=0)(_carry_out)
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        while waiting or running:
            while waiting and (jobs is None or len(running) < jobs):
                task = waiting.pop(0)
                running[remote.remote(task, board)] = task
            done, _ = ray.wait(list(running), timeout=_LOOK_EVERY)
            for name, progress in ray.get(board.read.remote()):
                tell(name, progress)
            for each in done:
                task = running.pop(each)
                try:
                    yield ray.get(each)
                except ray.exceptions.RayError as error:
                    reason = f"the cluster lost it: {str(error).splitlines()[0]}"
                    yield Outcome(name=task.name, state=State.FAILED, reason=reason)
    finally:
        ray.shutdown()  # with its driver gone, the cluster ends what still runs


def _connected() -> Any:  # noqa: ANN401 - Ray is optional
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
    except ImportError as error:
        raise TrainingError(
            "Ray is not installed; pip install 'fairweather-research[ray]', here and on every node"
        ) from error
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except Exception as error:
        raise TrainingError(
            f"found no Ray cluster at RAY_ADDRESS={address} ({str(error).splitlines()[0]}); start "
            "one there, or correct the address"
        ) from error
    return ray


def _knock(address: str) -> None:
    """See whether somebody is at home; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
