"""New deliveries while the app serves: does a swap cost requests, does memory level off?"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from bodies import body
from contenders import Bench, Contender, on_port
from fairweather_interface.delivery import new_delivery_id, staged_delivery

CLIENTS = 4
SECONDS = 4.0
PATIENCE = 120.0
SAMPLE_EVERY = 50


@dataclass
class Clients:
    """A few clients with a connection each, which remember when each answer came and from whom."""

    port: int
    asked: list[bytes]
    stopping: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self) -> list[threading.Thread]:
        """Start asking."""
        threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(CLIENTS)]
        for each in threads:
            each.start()
        return threads

    def _ask(self, at: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stopping.is_set():
            at += CLIENTS
            started = time.perf_counter()
            try:
                connection.request(
                    "POST",
                    "/weather/predict",
                    self.asked[at % len(self.asked)],
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status != http.HTTPStatus.OK:
                self.failures.append(f"{answer.status}: {content[:200]!r}")
                continue
            took = (time.perf_counter() - started) * 1000
            delivery = json.loads(content)["receipt"]["delivery_id"]
            self.answers.append((started, took, delivery))


def deliver_again(delivery: Path, store: Path, day: int) -> str:
    """Deliver the same model anew under another id, with data of `day` days later: preferred."""
    made = new_delivery_id()
    with staged_delivery(store, made) as staged:
        shutil.copytree(delivery, staged, dirs_exist_ok=True, ignore=_no_manifest)
        about = json.loads((staged / "metadata.json").read_text())
        training = about["training"]
        until = datetime.fromisoformat(training["train_end_time"]) + timedelta(days=day)
        training["train_end_time"] = until.isoformat().replace("+00:00", "Z")
        about["delivery_id"] = made
        (staged / "metadata.json").write_text(json.dumps(about))
    return made


def swap_under_load(
    bench: Bench, delivery: Path, asked: list[dict[str, Any]], *, rounds: int
) -> dict[str, Any]:
    """Deliver while clients ask; compare the time around the swaps with the time without."""
    contender = bench.ours("swap", workers=2)
    bodies = [body("ours", window) for window in asked]
    on_port(contender, 19_900)
    contender.start(bench.folder, bodies[0])
    clients = Clients(contender.port, bodies)
    threads = clients.run()
    live_after, windows = [], []
    try:
        time.sleep(SECONDS)
        usual_until = time.perf_counter()
        for number in range(rounds):
            delivered = time.perf_counter()
            made = deliver_again(delivery, bench.store, number + 1)
            live_after.append(_wait_for_answer(clients, made) - delivered)
            time.sleep(SECONDS)
            windows.append((delivered, time.perf_counter()))
    finally:
        clients.stopping.set()
        for each in threads:
            each.join()
        contender.stop()
        _empty(bench.store, keep=delivery.name)
    usual = [took for at, took, _ in clients.answers if at < usual_until]
    swaps = [took for at, took, _ in clients.answers if at >= usual_until]
    p99 = [float(np.percentile(each, 99)) for each in (usual, swaps)]
    return {
        "requests": len(clients.answers),
        "failed": len(clients.failures),
        "failures": clients.failures[:3],
        "reload_seconds": float(contender.environment["FAIRWEATHER_RELOAD_SECONDS"]),
        "live_after_seconds": [round(each, 2) for each in live_after],
        "p99_ms_usual": round(p99[0], 2),
        "p99_ms_swapping": round(p99[1], 2),
        "p99_ratio": round(p99[1] / p99[0], 2),
    }


def pick_up_many(bench: Bench, delivery: Path, *, count: int) -> dict[str, Any]:
    """Deliver one after the other, the one before leaving the store; watch one worker's memory."""
    contender = bench.ours("deliveries", workers=1)
    contender.environment["FAIRWEATHER_RELOAD_SECONDS"] = "0.05"
    on_port(contender, 19_910)
    window = {"temperature": [4.0] * 720, "humidity": [60.0] * 720}
    asked = body("ours", window)
    contender.start(bench.folder, asked)
    sizes = {0: round(contender.memory(), 1)}
    before = None
    try:
        for number in range(1, count + 1):
            made = deliver_again(delivery, bench.store, number)
            _wait_until_live(contender, made, asked)
            if before is not None:
                shutil.rmtree(bench.store / before)
            before = made
            if number % SAMPLE_EVERY == 0 or number == count:
                sizes[number] = round(contender.memory(), 1)
    finally:
        contender.stop()
        _empty(bench.store, keep=delivery.name)
    return {"count": count, "memory_mb": sizes}


def _wait_for_answer(clients: Clients, delivery_id: str) -> float:
    """When the first answer of a delivery came, by any worker."""
    end = time.perf_counter() + PATIENCE
    seen = 0
    while time.perf_counter() < end:
        answers = clients.answers
        for at in range(seen, len(answers)):
            if answers[at][2] == delivery_id:
                return answers[at][0] + answers[at][1] / 1000
        seen = len(answers)
        time.sleep(0.01)
    raise RuntimeError(f"delivery {delivery_id} was not live after {PATIENCE:g} s")


def _wait_until_live(contender: Contender, delivery_id: str, asked: bytes) -> None:
    end = time.perf_counter() + PATIENCE
    while contender.ask(asked)["receipt"]["delivery_id"] != delivery_id:
        if time.perf_counter() > end:
            raise RuntimeError(f"delivery {delivery_id} was not live after {PATIENCE:g} s")
        time.sleep(0.01)


def _no_manifest(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "manifest.json"]


def _empty(store: Path, *, keep: str) -> None:
    for each in store.iterdir():
        if each.name != keep:
            shutil.rmtree(each)
