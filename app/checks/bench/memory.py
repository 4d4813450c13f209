"""Memory: what one worker takes with one model, and what each further model adds.

    python app/checks/bench/memory.py DELIVERY [--models 1 21 51]

The same model is delivered again and again under new ids, and each delivery is loaded and proven.
Proportional set size, of the worker and of the whole server; prints one JSON object.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from bodies import body
from contenders import Bench, Contender, on_port
from deliveries import deliver_again

MODELS = (1, 21, 51)
PATIENCE = 120.0
CALLS = 200
WINDOW = {"temperature": [4.0] * 720, "humidity": [60.0] * 720}


def memory_per_model(
    bench: Bench, delivery: Path, *, models: Sequence[int] = MODELS
) -> dict[str, Any]:
    """Load more and more models into one worker; MB by number of models, and the slope.

    `bench.store` holds the one delivery, and does again afterwards.
    """
    contender = bench.ours("memory", workers=1)
    contender.environment["FAIRWEATHER_RELOAD_SECONDS"] = "0.2"
    on_port(contender, 19_920)
    asked = body("ours", WINDOW)
    contender.start(bench.folder, asked)
    worker: dict[int, float] = {}
    server: dict[int, float] = {}
    made = 1
    try:
        for count in models:
            for day in range(made, count):
                deliver_again(delivery, bench.store, day)
            made = max(made, count)
            _wait_until_live(contender, made)
            for _ in range(CALLS):
                contender.ask(asked)
            worker[made] = round(_worker(contender), 1)
            server[made] = round(contender.memory(), 1)
    finally:
        contender.stop()
        for each in bench.store.iterdir():
            if each.name != delivery.name:
                shutil.rmtree(each)
    slope = np.polyfit(list(worker), list(worker.values()), 1)[0] if len(worker) > 1 else None
    return {
        "worker_mb": worker,
        "server_mb": server,
        "mb_per_model": None if slope is None else round(float(slope), 2),
    }


def _worker(contender: Contender) -> float:
    if contender.process is None:
        raise RuntimeError("the server was not started")
    children = psutil.Process(contender.process.pid).children(recursive=True)
    return max(float(each.memory_full_info().pss) for each in children) / 1e6


def _wait_until_live(contender: Contender, count: int) -> None:
    address = f"http://127.0.0.1:{contender.port}/readyz"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with urllib.request.urlopen(address, timeout=10) as answer:
            if json.load(answer)["live"] == count:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{count} models were not live after {PATIENCE:g} s")


def main() -> None:
    """Measure one delivery in a folder that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("delivery", type=Path, help="a delivery that carries model.onnx")
    parser.add_argument("--models", type=int, nargs="+", default=list(MODELS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        delivery = folder / "store" / options.delivery.resolve().name
        shutil.copytree(options.delivery, delivery)
        bench = Bench(
            folder=folder,
            model=delivery / "model.onnx",
            store=delivery.parent,
            observations=f"sqlite:///{folder / 'observations.sqlite'}",
        )
        print(json.dumps(memory_per_model(bench, delivery, models=sorted(options.models))))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
