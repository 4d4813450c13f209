"""Measure the catalogue at scale: starting, looking, choosing, and memory.

    python app/checks/bench/catalogue.py [--deliveries 50000] [--areas 500]

A few deliveries are real and rank first. The others are links to one of them under ids of their
own, and their entries are written to the index: starting and looking do with them what they do
with real ones, and nobody loads them. Prints one JSON object.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from itertools import islice
from pathlib import Path

from fairweather_interface.testing import build_delivery

from fairweather_app import create_app
from fairweather_app.catalogue.entries import Entry
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model

REAL = 20


def context_of(folder: Path) -> AppContext:
    """An app over the folder, which has not looked at its store yet."""
    app = create_app(
        {
            "store": folder / "store",
            "cache": folder / "cache",
            "observations": f"sqlite:///{folder / 'observations.sqlite'}",
        }
    )
    context: AppContext = app.extensions["fairweather"]
    return context


def prepare(folder: Path, *, deliveries: int, areas: list[str]) -> None:
    """Write the store and the index."""
    store = folder / "store"
    store.mkdir()
    chance = random.Random(1)  # noqa: S311 - no secret
    for area in areas[:REAL]:
        names = (area, *chance.sample(areas, min(2, len(areas) - 1)))
        build_delivery(store, areas=tuple(dict.fromkeys(names)), skill_interval=(0.8, 0.9))
    context = context_of(folder)
    catalogue = context.catalogue
    pattern = next(iter(catalogue.refresh().live))
    files = [path for path in (store / pattern.delivery_id).rglob("*") if path.is_file()]
    made: list[Entry] = []
    for _ in range(deliveries - len(catalogue.snapshot.live)):
        name = str(uuid.uuid4())
        for path in files:
            copy = store / name / path.relative_to(store / pattern.delivery_id)
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)
        document = json.loads(pattern.record)
        chosen = tuple(chance.sample(areas, min(3, len(areas))))
        document["areas"] = {area: [40.0, -74.0, "America/New_York"] for area in chosen}
        low = chance.uniform(0.0, 0.5)
        stated = next(iter(next(iter(document["performance"].values())).values()))
        document["performance"] = {
            area: {each: stated | {"interval": [low, low + 0.1]} for each in document["variables"]}
            for area in chosen
        }
        made.append(
            replace(
                pattern,
                delivery_id=name,
                fingerprint=catalogue.store.fingerprint(name),
                digest=f"sha256:{uuid.uuid4().hex * 2}",
                areas=chosen,
                record=json.dumps(document, separators=(",", ":")).encode(),
            )
        )
    catalogue._index.put(made)  # noqa: SLF001 - what pickup would have done, one after another
    context.observations.close()


def measure(folder: Path, areas: list[str]) -> dict[str, float]:
    """Start on what was prepared, look again, and choose: after a swap, and again."""
    began = time.perf_counter()
    context = context_of(folder)
    before = _memory()
    snapshot = context.catalogue.refresh()
    started = time.perf_counter() - began
    looks = []
    for _ in range(5):
        began = time.perf_counter()
        context.catalogue.refresh()
        looks.append(time.perf_counter() - began)
    asked = areas[:REAL]
    selections = [find_best_model(area, context) for area in asked]
    if not all(list(islice(each.candidates, 1)) for each in selections):
        raise SystemExit("an area has no model")
    build_delivery(folder / "store", areas=tuple(asked), skill_interval=(0.95, 0.99))
    began = time.perf_counter()
    context.catalogue.refresh()
    swap = time.perf_counter() - began
    first: list[float] = []
    again: list[float] = []
    for times in (first, *[again] * 50):
        for area in asked:
            began = time.perf_counter()
            selection = find_best_model(area, context)
            model = next(selection.candidates)
            counts = selection.refusals(()).counts
            times.append(time.perf_counter() - began)
            if area not in model.metadata.areas or not counts.get("area-not-declared", 1):
                raise SystemExit(f"a wrong model answers for {area}")
    return {
        "deliveries": len(snapshot.entries),
        "areas": len(areas),
        "start_s": started,
        "look_s": statistics.median(looks),
        "swap_s": swap,
        "choice_after_swap_us": statistics.median(first) * 1e6,
        "slowest_after_swap_us": max(first) * 1e6,
        "choice_us": statistics.median(again) * 1e6,
        "memory_mb": (_memory() - before) / 1e6,
    }


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Prepare in this process, measure in a fresh one."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deliveries", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=500)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    areas = [f"Area-{number}" for number in range(options.areas)]
    if options.folder is not None:
        print(json.dumps(measure(options.folder, areas)))  # noqa: T201 - its result
        return
    with tempfile.TemporaryDirectory() as made:
        prepare(Path(made), deliveries=options.deliveries, areas=areas)
        again = [sys.executable, __file__, *sys.argv[1:], "--folder", made]
        subprocess.run(again, check=True)  # noqa: S603 - ourselves


if __name__ == "__main__":
    main()
