"""The local engine: trainings in processes of this machine, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from fairweather_research.fleet.tasks import Outcome, Task, run_task
from fairweather_research.training.forkserver import ForkServer
from fairweather_research.training.train import Progress


def cores() -> int:
    """Return how many cores this process may use; one training keeps one of them busy."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_locally(
    tasks: Sequence[Task], report: Callable[[str, Progress], None], jobs: int | None = None
) -> Generator[Outcome]:
    """Run tasks, ``jobs`` at a time, by default one a core; yield outcomes as trainings end.

    A thread waits for each training; the work is done in processes that one forkserver starts. When
    the iteration is stopped, running trainings are ended, and leave nothing.
    """
    with ThreadPoolExecutor(cores() if jobs is None else jobs) as pool, ForkServer() as server:
        futures = [
            pool.submit(run_task, task, server, partial(report, task.name)) for task in tasks
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
