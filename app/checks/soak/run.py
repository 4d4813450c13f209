"""The soak: load, deliveries, decisions, observations and faults together, and every answer judged.

    nox -s soak -- --minutes 15
    nox -s soak -- --minutes 3 --seed 7

Serves with ``fairweather-app serve`` from a store that is fed, emptied and damaged while clients
ask. Ends with counts, and with exit code 1 when any answer was wrong or any failure has no fault
that explains it. The seed decides what is done, in which order and how long; which request meets
which fault is up to the machine.
"""

# ruff: noqa: INP001, T201 - scripts beside each other, not a package; it prints on purpose

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clients import TOLD, Client, Counts
from deliveries import AREAS, Maker
from faults import Faults, Resources
from journal import Journal
from keys import Keys
from oracle import Oracle
from people import Operators
from served import Memory, Served, free_port
from weather import Weather

OWN = "own"
RELOAD_SECONDS = 0.5
WARM_SECONDS = 5.0
SETTLE_SECONDS = 40.0
FAILURES = (
    "the app failed on a request",
    "scanning the store failed",
    "keeping forecasts failed",
    "the ingestion of delivery",
    "Traceback",
)
"""What a server that is well never logs, whatever is done to it."""


def main() -> int:
    """Soak; 0 when nothing was wrong and everything is explained."""
    options = _options()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    kept = " --keep-server" if options.keep_server else ""
    again = f"--minutes {options.minutes:g} --seed {seed}{kept}"
    print(f"seed {seed}: repeat with -- {again}", flush=True)
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("store", OWN, "database"):
        (folder / name).mkdir(parents=True)
    soak = Soak(folder, seed, options)
    try:
        result = soak.run(options.minutes * 60)
    except KeyboardInterrupt:
        raise SystemExit("the soak was stopped before its end; nothing is told") from None
    finally:
        soak.served.kill()
    result = {"seed": seed, "minutes": options.minutes, "workers": options.workers} | result
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _print(result)
    print(f"\nall of it: {options.output}; the server's log: {folder / 'server.log'}")
    return 1 if result["wrong"] or result["unexplained"] or result["complaints"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=_positive, default=3.0, help="of load (default: 3)")
    parser.add_argument("--seed", type=int, help="of an earlier soak (default: a new one)")
    parser.add_argument(
        "--workers",
        type=int,
        choices=range(2, 9),
        default=2,
        metavar="2-8",
        help="processes of the server (default: 2)",
    )
    parser.add_argument(
        "--clients",
        type=int,
        choices=range(1, 65),
        default=4,
        metavar="1-64",
        help="that ask at once (default: 4)",
    )
    parser.add_argument(
        "--keep-server",
        action="store_true",
        help="kill no worker and restart no server: what memory does over one life",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(".soak"), help="is emptied first (default: .soak)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("soak.json"), help="all counts (default: soak.json)"
    )
    options = parser.parse_args()
    folder = options.folder
    if folder.exists() and not folder.is_dir():
        parser.error(f"--folder {folder} is a file; expected a folder, which is emptied first")
    if folder.exists() and any(folder.iterdir()) and not (folder / OWN).is_dir():
        parser.error(f"--folder {folder} is no soak's and not empty; name another")
    if not options.output.resolve().parent.is_dir():
        parser.error(f"--output {options.output}: there is no such folder to write to")
    return options


def _positive(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of minutes above 0")
    return minutes


class Soak:
    """One soak in one folder."""

    def __init__(self, folder: Path, seed: int, options: argparse.Namespace) -> None:
        database = folder / "database" / "observations.sqlite"
        settings = {
            "FAIRWEATHER_STORE": str(folder / "store"),
            "FAIRWEATHER_CACHE": str(folder / "cache"),
            "FAIRWEATHER_KEYS": str(folder / "keys.yaml"),
            "FAIRWEATHER_OBSERVATIONS": f"sqlite:///{database}",
            "FAIRWEATHER_RELOAD_SECONDS": str(RELOAD_SECONDS),
            "FAIRWEATHER_LOG_FORMAT": "json",
            "FAIRWEATHER_LOG_REQUESTS": "false",
        }
        self._seed = seed
        self._clients = options.clients
        self._keep_server = options.keep_server
        self._folder = folder
        self._stopping = threading.Event()
        self._stop_asking = threading.Event()
        self._journal = Journal()
        resources = Resources()
        self._weather = Weather(AREAS, self._chance("weather"))
        keys = Keys(folder / "keys.yaml", self._chance("keys"))
        self._maker = Maker(
            folder / OWN, folder / "store", self._journal, self._chance("maker"), keys
        )
        self.served = Served(folder, settings, options.workers, free_port())
        self._oracle = Oracle(self._journal, self._weather)
        self._counts = Counts()
        self._operators = Operators(
            served=self.served,
            maker=self._maker,
            keys=keys,
            weather=self._weather,
            journal=self._journal,
            resources=resources,
            stopping=self._stopping,
        )
        self._faults = Faults(
            served=self.served,
            maker=self._maker,
            journal=self._journal,
            resources=resources,
            stopping=self._stopping,
            database=database,
            cache=folder / "cache",
        )

    def run(self, seconds: float) -> dict[str, Any]:
        """Soak for so long, then let everything settle and stop; what was found."""
        self._prepare()
        self.served.start()
        clients = [
            Client(
                port=self.served.port,
                oracle=self._oracle,
                journal=self._journal,
                counts=self._counts,
                stopping=self._stop_asking,
                chance=self._chance(f"client {number}"),
            )
            for number in range(self._clients)
        ]
        memory = Memory(self.served, self._stop_asking)
        for each in (*clients, memory):
            each.start()
        time.sleep(WARM_SECONDS)
        working = self._start_work()
        self._wait(seconds)
        self._stopping.set()
        for each in working:
            each.join()
        difference = self._operators.settled(SETTLE_SECONDS)
        if difference is not None:
            self._journal.complain(f"not settled after {SETTLE_SECONDS:g} s: {difference}")
        self._stop_asking.set()
        for each in (*clients, memory):
            each.join()
        code = self.served.stop()
        if code:
            self._journal.complain(f"the server ended with {code} after SIGTERM, expected 0")
        self._read_log()
        return self._result(memory)

    def _chance(self, who: str) -> random.Random:
        """Everybody has chances of his own, so that one is not changed by what another does."""
        return random.Random(f"{self._seed} {who}")  # noqa: S311 - no secret

    def _prepare(self) -> None:
        for area in AREAS:
            self._maker.deliver(self._maker.make("plain", (area,), base=True))
        self._operators.bring(self._weather.first_days(), by_command=True)

    def _start_work(self) -> list[threading.Thread]:
        operators, faults = self._operators, self._faults
        steps: list[tuple[Callable[[random.Random], None], float]] = [
            (operators.deliver, 4.0),
            (operators.observe, 1.5),
            (operators.decide, 5.0),
            (operators.rotate, 12.0),
            (operators.watch, 1.0),
        ]
        working = [
            threading.Thread(target=operators.run, args=(step, self._chance(step.__name__), every))
            for step, every in steps
        ]
        working += [
            threading.Thread(
                target=faults.run,
                args=(self._chance(f"faults {number}"), 4.0),
                kwargs={"keep_server": self._keep_server},
                daemon=True,
            )
            for number in range(2)
        ]
        for each in working:
            each.start()
        return working

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        told = time.monotonic()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            if time.monotonic() - told > 30:  # noqa: PLR2004 - seconds
                told = time.monotonic()
                print(
                    f"{left / 60:.1f} minutes left: {self._so_far()}", file=sys.stderr, flush=True
                )

    def _so_far(self) -> str:
        verdicts = ", ".join(f"{n} {name}" for name, n in sorted(self._counts.verdicts.items()))
        return f"{verdicts}; {len(self._journal.complaints)} complaints"

    def _read_log(self) -> None:
        lines = (self._folder / "server.log").read_text(encoding="utf-8").splitlines()
        found = Counter(each for line in lines for each in FAILURES if each in line)
        for sentence, count in found.items():
            self._journal.complain(f"the server's log says {count} times: {sentence}")

    def _result(self, memory: Memory) -> dict[str, Any]:
        counts, journal = self._counts, self._journal
        sizes = [size for at, size in memory.samples if at >= WARM_SECONDS] or [0.0]
        times = np.array(counts.milliseconds or [0.0])
        found = Counter(
            f"{state}{f', {code}' if code else ''}"
            for states in self._operators.seen.values()
            for state, code in states
        )
        return {
            "requests": sum(counts.asked.values()),
            "asked": dict(counts.asked.most_common()),
            "statuses": dict(sorted(counts.statuses.items())),
            "verdicts": dict(counts.verdicts),
            "explained": dict(counts.explained),
            "answered_by": dict(counts.answered_by.most_common()),
            "wrong": counts.wrong,
            "unexplained": counts.unexplained,
            "complaints": journal.complaints,
            "done": dict(sorted(journal.done.items())),
            "imports": len(self._weather.imports),
            "seen": dict(sorted(found.items())),
            "deliveries_seen": len(self._operators.seen),
            "milliseconds": {
                name: round(float(np.percentile(times, share)), 1)
                for name, share in (("p50", 50), ("p99", 99), ("max", 100))
            },
            "memory_mb": {
                "start": round(sizes[0], 1),
                "end": round(sizes[-1], 1),
                "most": round(max(sizes), 1),
            },
            "memory_samples_mb": [(round(at), round(size, 1)) for at, size in memory.samples[::15]],
            "machine": {"cores": len(os.sched_getaffinity(0))},
        }


def _print(result: dict[str, Any]) -> None:
    def table(title: str, content: dict[str, Any]) -> None:
        print(f"\n{title}")
        for name, value in content.items():
            print(f"  {value:>8}  {name}")

    print(f"\n{result['requests']} requests in {result['minutes']:g} minutes")
    table("requests by kind", result["asked"])
    table("answers by status", result["statuses"])
    table("200s by kind of delivery", result["answered_by"])
    table("what was done", result["done"])
    table(f"states seen, of {result['deliveries_seen']} deliveries", result["seen"])
    table("failures explained by a fault", result["explained"])
    table("milliseconds", result["milliseconds"])
    table("memory of all processes, MB (PSS)", result["memory_mb"])
    for name in ("wrong", "unexplained", "complaints"):
        print(f"\n{name}: {len(result[name])}")
        for each in result[name][:TOLD]:
            print(f"  {each}")


if __name__ == "__main__":
    raise SystemExit(main())
