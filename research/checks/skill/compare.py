"""Train every network on every place we have, and print how they compare.

Run by ``nox -s skill``; ``-- --network package.module:callable`` takes a network of one's own in.
Every training is a whole one, judged as any delivery is: on held-out time that nothing was chosen
by. What is compared lies in ``skill.json``, and the deliveries beside it for a closer look.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fairweather_interface.errors import FairweatherError
from table import tables, targets

from fairweather_research import Progress, Recipe, load_recipe, train
from fairweather_research.networks.base import NETWORKS

RECIPES = {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}


def main() -> int:
    """Train, compare, print and write; 1 when the default network misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where deliveries and table go")
    parser.add_argument(
        "--network", action="append", default=[], help="another one; may be said more than once"
    )
    parser.add_argument("--place", action="append", choices=RECIPES, help="this place alone")
    parser.add_argument("--alone", action="store_true", help="leave our own networks out")
    options = parser.parse_args()
    networks = [*([] if options.alone else NETWORKS), *options.network]
    runs: list[dict[str, Any]] = []
    failed = False
    for place in options.place or RECIPES:
        recipe = load_recipe(RECIPES[place])
        for network in networks:
            try:
                runs.append(compare(place, recipe, network, options.folder / "store"))
            except FairweatherError as error:
                print(f"{place}, {network}: {error}", file=sys.stderr)  # noqa: T201 - for people
                failed = True
    path = options.folder / "skill.json"
    path.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    print("\n".join(tables(runs)))  # noqa: T201 - the result
    missed = targets([run for run in runs if run["network"] == default_network()])
    print("\n".join(missed), file=sys.stderr)  # noqa: T201
    print(f"written to {path}", file=sys.stderr)  # noqa: T201
    return int(failed or bool(missed))


def default_network() -> str:
    """The network of a recipe that names none."""
    return str(Recipe.model_fields["network"].default)


def compare(place: str, recipe: Recipe, network: str, store: Path) -> dict[str, Any]:
    """Train one network for one place and return what is to be known of it."""
    print(f"training {network} for {place}", file=sys.stderr)  # noqa: T201 - it takes a while
    began: dict[str, float] = {}

    def note(progress: Progress) -> None:
        began.setdefault(progress.stage, time.monotonic())

    started = time.monotonic()
    plan = recipe.model_copy(update={"network": network})
    delivery = train(plan, store, progress=note)
    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    return {
        "place": place,
        "network": network,
        "delivery": delivery.path.name,
        "step_minutes": plan.step.total_seconds() / 60,
        "held_out": _spans(metrics["judgements"][0]["held_out"]),
        "fit_seconds": began["export"] - began["fit"],
        "seconds": time.monotonic() - started,
        "judgements": metrics["judgements"],
    }


def _spans(spans: list[list[int]]) -> list[str]:
    """Blocks of held-out time as people write days: both ends count."""
    return [
        f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d} to "
        f"{datetime.fromtimestamp(end - 1, UTC):%Y-%m-%d}"
        for start, end in spans
    ]


if __name__ == "__main__":
    sys.exit(main())
