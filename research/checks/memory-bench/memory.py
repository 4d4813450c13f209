"""How much memory the training of many stations over many years takes.

``nox -s memory-bench`` makes up hourly temperature and humidity of 12 stations over 4 years, trains
a model of all of them, and prints the largest memory of its processes together (proportional set
size: a page that several share counts once) and of the largest one. It ends with code 1 when either
is above the limit of 2 GB, or when the training fails.
"""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairweather_research import Progress, Recipe, train

MEGABYTE = 1024 * 1024
HOURS_A_YEAR = 8766
KEPT = 0.99  # share of the hours that were observed


def weather(stations: int, years: int) -> pd.DataFrame:
    """Make up a table of observations: yearly and daily waves, and anomalies that last."""
    random = np.random.default_rng(1)
    hour = np.arange(years * HOURS_A_YEAR)
    time = pd.date_range("2019-01-01", periods=len(hour), freq="h", tz="UTC")
    season, day = 2 * np.pi * hour / HOURS_A_YEAR, 2 * np.pi * hour / 24
    frames = []
    for station in range(stations):
        for variable, unit, usual, spread in (
            ("temperature", "degC", 10 - 10 * np.cos(season) - 5 * np.cos(day), 0.6),
            ("humidity", "%", 60 + 10 * np.cos(day), 1.5),
        ):
            anomaly = random.normal(0, spread, len(hour))
            for lag in (1, 2, 4, 8, 16):  # each smooths what the ones before it left
                anomaly[lag:] += 0.9**lag * anomaly[:-lag]
            value = np.clip(usual + anomaly, -60, 99).round(2)
            observed = random.random(len(hour)) < KEPT
            columns = {"area": f"Station {station}", "variable": variable, "unit": unit}
            frames.append(
                pd.DataFrame({**columns, "time": time[observed], "value": value[observed]})
            )
    return pd.concat(frames, ignore_index=True)


def document(archive: Path, stations: int) -> dict[str, Any]:
    """Describe the model: windows of 30 days, a week ahead, with bands."""
    areas = {
        f"Station {station}": {
            "latitude": 40.0 + 0.1 * station,
            "longitude": 10.0,
            "timezone": "Europe/Rome",
        }
        for station in range(stations)
    }
    inputs = [
        {variable: {"period": "30 days", "sample_rate": "1 hour"}}
        for variable in ("humidity", "temperature")
    ]
    return {
        "topic": "benchmark",
        "author": "the benchmark",
        "model_type": "ManyStations",
        "areas": [*areas],
        "variables": ["temperature", "humidity"],
        "season": [*range(1, 13)],
        "definitions": {
            "application": {"area": "Land", "areas": areas},
            "training": {"required_inputs": inputs},
        },
        "observations": {"source": str(archive), "synthetic": True},
        "quantiles": [0.1, 0.9],
        "fit": {"epochs": 2},
    }


def processes(pid: int) -> list[int]:
    """Return a process and all that it has started, by number."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="utf-8").split():
                found += processes(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return found
    return found


def memory(pid: int) -> tuple[int, int]:
    """Return the proportional and the resident set size of a process, bytes; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0, 0
    found = {line.split()[0]: 1024 * int(line.split()[1]) for line in text.splitlines()[1:]}
    return found.get("Pss:", 0), found.get("Rss:", 0)


class Watch:
    """The largest memory of this process and its children, stage by stage."""

    def __init__(self) -> None:
        self.stage = "start"
        self.together: dict[str, int] = {}
        self.largest = 0
        threading.Thread(target=self._look, daemon=True).start()

    def progress(self, progress: Progress) -> None:
        """A stage begins."""
        self.stage = progress.stage

    def _look(self) -> None:
        while True:
            found = [memory(pid) for pid in processes(os.getpid())]
            together = sum(shared for shared, _ in found)
            self.together[self.stage] = max(self.together.get(self.stage, 0), together)
            self.largest = max(self.largest, *(resident for _, resident in found))
            time.sleep(0.2)


def say(line: str) -> None:
    """Write a line at once."""
    print(line, flush=True)  # noqa: T201 - a script


def main() -> int:
    """Make up weather, train, print; return the exit code."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--stations", type=int, default=12)
    words.add_argument("--years", type=int, default=4)
    words.add_argument("--most", type=int, default=2000, help="megabytes (default: 2000)")
    words.add_argument("--folder", type=Path, required=True, help="for data and store; emptied")
    asked = words.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    archive = asked.folder / "weather.parquet"
    weather(asked.stations, asked.years).to_parquet(archive, index=False)
    recipe = Recipe.parse(document(archive, asked.stations), source="benchmark")
    watch, began = Watch(), time.monotonic()
    delivery = train(recipe, asked.folder / "store", progress=watch.progress)
    say(f"{delivery.path} in {time.monotonic() - began:.0f} s; the largest memory in MB:")
    for stage, together in watch.together.items():
        say(f"  {together / MEGABYTE:6.0f}  {stage}")
    peak = max(watch.together.values()) / MEGABYTE
    largest = watch.largest / MEGABYTE
    say(f"  {peak:6.0f}  all processes together; {largest:.0f} the largest one")
    if max(peak, largest) > asked.most:
        say(f"found more than {asked.most} MB")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
