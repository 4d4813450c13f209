"""The benchmark, side by side in one run: ``nox -s bench``, or ``nox -s bench -- --quick``.

Serves one delivered model through fairweather-app and through its peers, drives all with the same
load tool in interleaved rounds, compares what they answer, prints one table and writes it to
``bench.json``. A peer that cannot be installed or started is left out, with the reason.
"""

# ruff: noqa: INP001, T201 - scripts beside each other, not a package; it prints on purpose

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from bodies import AREA, AREA_INDEX, REFERENCE_TIME, body, windows, write
from contenders import OUTPUTS, REQUIREMENTS, Bench, Contender, on_port
from deliveries import pick_up_many, swap_under_load
from load import Load, drive, find_wrk
from memory import memory_per_model

CONNECTIONS = (1, 8, 32)
COMPARED = 20
TOLERANCE = 1e-3
GET = f"/weather/predict?area={AREA}&reference_time={REFERENCE_TIME:%Y-%m-%dT%H:%MZ}"
OURS, OURS_GET = "fairweather-app", "fairweather-app GET"
FLOOR, FLOOR_GET = "flask, no model", "flask, constant GET"


@dataclass
class Measured:
    """What was measured of one contender."""

    name: str
    first_answer: float
    memory_idle: float
    memory: float = 0.0
    worst_difference: float | None = None
    loads: list[Load] = field(default_factory=list)

    def median(self, connections: int) -> float:
        """The median rate of all rounds."""
        return statistics.median(
            each.rate for each in self.loads if each.connections == connections
        )

    @property
    def best(self) -> float:
        """The median rate at the number of connections that suits it best."""
        return max(self.median(each) for each in {load.connections for load in self.loads})


def main() -> int:
    """Run the benchmark; 0 when every answer of every server was right and none failed."""
    options = _options()
    find_wrk()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    store = _store_of_one(options.store, folder)
    (delivery,) = store.iterdir()
    bench = Bench(
        folder=folder,
        model=delivery / "model.onnx",
        store=store,
        observations=f"sqlite:///{folder / 'observations.sqlite'}",
    )
    bench.import_observations(options.archive.resolve())
    print(f"writing {options.bodies} distinct bodies", file=sys.stderr)
    asked = windows(options.bodies)
    write(folder, asked)
    running: dict[str, Contender] = {}
    try:
        measured, skipped = _start_all(bench, options, asked[0], running)
        _compare(running, measured, asked[:COMPARED], bench.model)
        idle = _idle_load(running)
        _rounds(options, folder, running, measured)
        memo = _memo_hits(running[OURS])
        for name, contender in running.items():
            measured[name].memory = contender.memory()
    finally:
        for contender in running.values():
            contender.stop()
    result: dict[str, Any] = {
        "machine": {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "options": {name: str(value) for name, value in vars(options).items()},
        "bare_model_call_ms": _bare_call(bench.model, asked[0]),
        "idle_processors": idle,
        "skipped": skipped,
        "memo": memo,
        "measured": [
            asdict(each) | {"median": {n: each.median(n) for n in CONNECTIONS}}
            for each in measured.values()
        ],
    }
    if not options.servers_only:
        result["swap"] = swap_under_load(bench, delivery, asked[:500], rounds=options.swaps)
        result["deliveries"] = pick_up_many(bench, delivery, count=options.deliveries)
        result["memory_per_model"] = memory_per_model(bench, delivery)
    _print(result, measured)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"\nall of it: {options.output}")
    failed = sum(load.failed for each in measured.values() for load in each.loads)
    failed += result.get("swap", {}).get("failed", 0)
    wrong = [n for n, each in measured.items() if (each.worst_difference or 0) > TOLERANCE]
    if failed or wrong:
        print(f"failed requests: {failed}; wrong answers: {', '.join(wrong) or 'none'}")
    return 1 if failed or wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="holds a WinterPredictor")
    parser.add_argument("--archive", type=Path, required=True, help="observations, for GET")
    parser.add_argument("--folder", type=Path, required=True, help="where the bench may write")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    parser.add_argument("--peers", nargs="*", default=list(REQUIREMENTS), help="which to compare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load, each time")
    parser.add_argument("--bodies", type=int, default=10_000, help="distinct request bodies")
    parser.add_argument("--swaps", type=int, default=5, help="new deliveries under load")
    parser.add_argument("--deliveries", type=int, default=500, help="successive deliveries")
    parser.add_argument("--servers-only", action="store_true", help="no swap, no deliveries")
    parser.add_argument("--quick", action="store_true", help="short, and proves nothing")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.bodies = 2, 1, 2_000
        options.swaps, options.deliveries = 1, 20
    return options


def _store_of_one(source: Path, folder: Path) -> Path:
    """A store that holds nothing but the winter model: two outputs of 168 steps."""
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    for delivery in sorted(source.iterdir()):
        about = delivery / "metadata.json"
        if about.exists() and json.loads(about.read_text())["model_type"] == "WinterPredictor":
            shutil.copytree(delivery, store / delivery.name)
            return store
    raise SystemExit(f"found no WinterPredictor in {source}; nox -s demo-deliver trains it")


def _start_all(
    bench: Bench, options: argparse.Namespace, window: dict[str, Any], running: dict[str, Contender]
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Start every contender, one after the other, with the machine to itself."""
    answer = bench.folder / "answer.json"
    measured: dict[str, Measured] = {}
    skipped: dict[str, str] = {}

    def start(contender: Contender) -> None:
        on_port(contender, _free_port())
        content = body(contender.wire, window) if contender.wire else None
        contender.start(bench.folder, content)
        running[contender.name] = contender
        idle = contender.memory()
        measured[contender.name] = Measured(contender.name, contender.first_answer, idle)
        print(
            f"{contender.name}: first good answer after {contender.first_answer:.1f} s",
            file=sys.stderr,
        )

    ours = bench.ours(OURS, workers=2)
    start(ours)
    answer.write_text(json.dumps(ours.ask(body("ours", window)), separators=(",", ":")))
    start(bench.ours(f"{OURS}, 1 worker", workers=1))
    start(bench.ours(OURS_GET, workers=2, get=GET))
    start(bench.floor(FLOOR, "/no-model", "ours", answer=answer))
    start(bench.floor(FLOOR_GET, "/constant", None, answer=answer))
    for name in options.peers:
        try:
            start(bench.peer(name))
        except RuntimeError as error:
            skipped[name] = str(error)
            print(f"{name} is left out: {error}", file=sys.stderr)
    return measured, skipped


def _compare(
    running: dict[str, Contender],
    measured: dict[str, Measured],
    asked: list[dict[str, Any]],
    model: Path,
) -> None:
    """Hold what each server answers against the bare model."""
    for name, contender in running.items():
        if contender.read is None or contender.wire is None:
            continue
        worst = 0.0
        for window in asked:
            found = contender.read(contender.ask(body(contender.wire, window)))
            expected = _run(_session(model), window)
            for variable in OUTPUTS:
                gap = np.abs(np.array(found[variable]) - expected[variable])
                worst = max(worst, float(gap.max()))
        measured[name].worst_difference = worst


def _rounds(
    options: argparse.Namespace,
    folder: Path,
    running: dict[str, Contender],
    measured: dict[str, Measured],
) -> None:
    """Drive all, round by round, so that whatever else the machine does falls on all alike."""
    done = dict.fromkeys(running, 0)
    for number in range(options.rounds):
        for connections in CONNECTIONS:
            for name, contender in running.items():
                load = drive(
                    contender,
                    folder,
                    connections=connections,
                    seconds=options.seconds,
                    first=done[name],
                )
                done[name] += load.requests
                measured[name].loads.append(load)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)


def _idle_load(running: dict[str, Contender]) -> float:
    """Processors that all servers together use while nobody asks them."""
    before = sum(each.processor_seconds() for each in running.values())
    time.sleep(3)
    return round((sum(each.processor_seconds() for each in running.values()) - before) / 3, 3)


def _memo_hits(contender: Contender) -> dict[str, float]:
    """How often our app answered from the forecasts it keeps; never, where windows came along."""
    from urllib.request import urlopen  # noqa: PLC0415

    with urlopen(f"http://127.0.0.1:{contender.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("fairweather_memo_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in found} or {"hit": 0.0}


def _session(model: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _feeds(window: dict[str, Any]) -> dict[str, Any]:
    return {
        "temperature": np.array([window["temperature"]], np.float32),
        "humidity": np.array([window["humidity"]], np.float32),
        "reference_time": np.array([int(REFERENCE_TIME.timestamp())], np.int64),
        "area_index": np.array([AREA_INDEX], np.int64),
    }


def _run(session: ort.InferenceSession, window: dict[str, Any]) -> dict[str, Any]:
    found = session.run(list(OUTPUTS.values()), _feeds(window))
    return {name: each[0] for name, each in zip(OUTPUTS, found, strict=True)}


def _bare_call(model: Path, window: dict[str, Any]) -> float:
    """Milliseconds of one call, without any server: the median of many."""
    session, feeds, took = _session(model), _feeds(window), []
    for _ in range(500):
        started = time.perf_counter()
        session.run(list(OUTPUTS.values()), feeds)
        took.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(took), 4)


def _free_port() -> int:
    """A port that is free now, as are the two after it (MLServer listens on three)."""
    for port in range(20_100, 29_000, 10):
        try:
            for at in range(3):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port + at))
        except OSError:
            continue
        return port
    raise SystemExit("found no free port between 20100 and 29000")


def _print(result: dict[str, Any], measured: dict[str, Measured]) -> None:
    heads = [f"{each} conn." for each in CONNECTIONS]
    print("\n| server | req/s: " + " | ".join(heads) + " | p99 at 8, ms | first answer | MB |")
    print("|---" * (len(heads) + 4) + "|")
    for each in measured.values():
        rates = " | ".join(f"{each.median(number):,.0f}" for number in CONNECTIONS)
        p99 = statistics.median(load.p99 for load in each.loads if load.connections == 8)  # noqa: PLR2004
        print(
            f"| {each.name} | {rates} | {p99:.1f} | {each.first_answer:.1f} s | {each.memory:.0f} |"
        )
    peers = {name: each.best for name, each in measured.items() if name in REQUIREMENTS}
    ours = measured[OURS].best
    print(f"\nbare model call: {result['bare_model_call_ms']:.2f} ms")
    if peers:
        fastest = max(peers, key=lambda name: peers[name])
        result["ratio_to_fastest_peer"] = ours / peers[fastest]
        print(f"ours to the fastest peer, {fastest}: {ours / peers[fastest]:.2f} (aim 3.5)")
    result["ratio_to_floor"] = ours / measured[FLOOR].best
    result["ratio_to_constant"] = measured[OURS_GET].best / measured[FLOOR_GET].best
    print(f"ours to the floor without a model: {result['ratio_to_floor']:.2f} (aim 0.5)")
    print(f"our GET to a constant: {result['ratio_to_constant']:.2f} (aim 0.8)")
    print(f"memo of POST: {result['memo']}; idle servers use {result['idle_processors']} cores")
    for name, each in measured.items():
        if each.worst_difference is not None:
            print(f"answers of {name}: at most {each.worst_difference:.1e} from the bare model's")
    for name in ("swap", "deliveries"):
        if name in result:
            print(f"{name}: {json.dumps(result[name])}")


if __name__ == "__main__":
    raise SystemExit(main())
