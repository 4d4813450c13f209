"""Replay a year of New York through the app, with trials that are better, equal, worse, and lie.

Every hour an observation arrives, somebody asks, and the background takes its steps, all in this
process: the app, its database, its cache and its models are real. Then the same decision is taken
of the same models' errors from fifty other starts. Exits 1 where a worse one ever answered, the
better one was not promoted, or more than one in twenty of the worse would have been.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
from models import AREA, DAY, HOUR, WINDOW, Linear, Weather, deliver, make_models, read_weather

from fairweather_app import create_app
from fairweather_app.background.recorder import record
from fairweather_app.background.trials import TrialRunner
from fairweather_app.common.times import to_microseconds
from fairweather_app.forecasting.forecast_log import DAYS_KEPT
from fairweather_app.observations import Archive
from fairweather_app.rollout.evidence import MARGIN, Rule, compare

ARRIVALS = {"worse": 30, "liar": 70, "equal": 110, "better": 180}
"""Days after the replay's start."""
DECLARED = {"liar": {"skill": 0.97, "skill_interval": (0.95, 0.98)}}
FIRST_DAY = 5
STARTS = 50
EQUALS = 5
MOST_WRONG = 0.05
UNDECIDED_AFTER = 60


class Replay:
    """The app over a folder, and what it answered."""

    def __init__(self, folder: Path, weather: Weather, models: Mapping[str, Linear]) -> None:
        self._store = folder / "store"
        self._store.mkdir()
        self._weather = weather
        self._models = models
        self.names: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.decided: dict[str, tuple[float, str]] = {}
        self._deliver("incumbent", -1)
        self.app = create_app(
            {
                "store": self._store,
                "cache": folder / "cache",
                "observations": f"sqlite:///{folder / 'observations.sqlite'}",
                "rollout": "evidence",
                "time_limit": 60,
            }
        )
        self._context = self.app.extensions["fairweather"]
        self._runner = TrialRunner(self._context)
        self._client = self.app.test_client()

    def run(self, days: int) -> None:
        """Replay so many days, hour by hour."""
        first = FIRST_DAY * DAY
        self._observe(0, first)
        self._context.catalogue.refresh()
        self._runner.run()
        errors = {name: model.errors(self._weather) for name, model in self._models.items()}
        last = min(first + days * DAY, len(self._weather.values) - DAY)
        for hour in range(first, last):
            self._observe(hour, hour + 1)
            arriving = [name for name, day in ARRIVALS.items() if hour == first + day * DAY]
            for name in arriving:
                self._deliver(name, ARRIVALS[name])
                self._context.catalogue.refresh()
            answer = self._client.get(f"/weather/predict?area={AREA}").json or {}
            kind = self._kind(answer["receipt"]["delivery_id"])
            self.answers[kind] += 1
            at = hour + 1 - WINDOW
            self.errors[kind].append((errors[kind][at], errors["incumbent"][at]))
            record(self._context)
            self._runner.run()
            self._context.catalogue.follow_decisions(3600)
            self._follow((hour - first) / DAY)

    def _follow(self, day: float) -> None:
        for changes in self._context.catalogue.snapshot.contents.rollout.changes.values():
            for change in changes.values():
                kind = self._kind(change.delivery_id)
                if change.state != "trial" and kind not in self.decided:
                    self.decided[kind] = (day - ARRIVALS[kind], f"{change.state}: {change.reason}")

    def _kind(self, name: str) -> str:
        return next(kind for kind, known in self.names.items() if known == name)

    def _deliver(self, kind: str, day: int) -> None:
        end = datetime(2012, 6, 1, tzinfo=UTC) + timedelta(days=day)  # the newest ranks first
        self.names[kind] = deliver(
            self._store, self._models[kind], end=end, declared=DECLARED.get(kind)
        )

    def _observe(self, first: int, last: int) -> None:
        start = to_microseconds(self._weather.start)
        times = start + np.arange(first, last, dtype=np.int64) * (HOUR // timedelta(microseconds=1))
        series = {(AREA, "temperature"): (times, self._weather.values[first:last])}
        self._context.observations.add(Archive(path=Path("replay"), series=series))


def decide(own: Any, other: Any, start: int, rule: Rule) -> tuple[str, float]:  # noqa: ANN401 - arrays
    """Return what the app would decide of errors from a start on, and after how many days."""
    times = np.arange(len(own), dtype=np.int64) * (HOUR // timedelta(microseconds=1))
    for day in range(1, UNDECIDED_AFTER):
        first = max(start, start + (day - DAYS_KEPT) * DAY)
        span = slice(first, start + day * DAY)
        found = compare(
            AREA,
            "temperature",
            own=("new", (times[span], own[span])),
            other=("old", (times[span], other[span])),
            rule=rule,
        )
        if found is not None and found.verdict != "undecided":
            return found.verdict, day + 1.0  # a forecast's own day has to be over
    return "undecided", float(UNDECIDED_AFTER)


def main() -> int:
    """Run it all and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=360)
    days = parser.parse_args().days
    logging.disable(logging.WARNING)
    weather = read_weather()
    models = make_models(weather)
    errors = {kind: model.errors(weather) for kind, model in models.items()}
    problems = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        replay = Replay(Path(folder), weather, models)
        replay.run(days)
    click.echo(f"{days} days hour by hour in {time.monotonic() - began:.0f} s\n")
    click.echo(
        "| model | mean error | answers | their error less the incumbent's | days | decision |"
    )
    click.echo("|---|---|---|---|---|---|")
    changes = {}
    for kind, error in errors.items():
        after, decision = replay.decided.get(kind, (None, "-"))
        answered = np.array(replay.errors[kind] or [(0.0, 0.0)])
        changes[kind] = float((answered[:, 0] - answered[:, 1]).mean())
        cells = (
            *(kind, f"{error.mean():.2f}", replay.answers[kind], f"{changes[kind]:+.2f}"),
            *("-" if after is None else f"{after:.1f}", decision),
        )
        click.echo(f"| {' | '.join(map(str, cells))} |")
    problems += [f"the {kind} one answered" for kind in ("worse", "liar") if replay.answers[kind]]
    due = days > ARRIVALS["better"] + UNDECIDED_AFTER
    if due and not replay.decided.get("better", (0, ""))[1].startswith("promoted"):
        problems.append("the better one was not promoted")
    if abs(changes["equal"]) > MARGIN * errors["incumbent"].mean():
        problems.append(f"the equal one changed the error by {changes['equal']:+.2f} °C")

    click.echo(f"\nThe same decision from {STARTS} other starts:\n")
    click.echo("| model | not worse | worse | undecided | days: median | longest |")
    click.echo("|---|---|---|---|---|---|")
    equals = [make_models(weather, seed)["equal"].errors(weather) for seed in range(EQUALS)]
    for kind in ("better", "equal", "worse", "liar"):
        found = []
        for seed in range(STARTS):
            chance = np.random.default_rng(seed)
            start = int(chance.integers(len(errors[kind]) - (UNDECIDED_AFTER + 1) * DAY))
            own = equals[seed % EQUALS] if kind == "equal" else errors[kind]
            found.append(decide(own, errors["incumbent"], start, Rule()))
        counts = Counter(verdict for verdict, _ in found)
        took = [each for verdict, each in found if verdict != "undecided"]
        cells = (counts["not-worse"], counts["worse"], counts["undecided"])
        click.echo(
            f"| {kind} | {' | '.join(map(str, cells))} | {np.median(took):.0f} | {max(took):.0f} |"
        )
        if kind in {"worse", "liar"} and counts["not-worse"] > MOST_WRONG * STARTS:
            problems.append(f"{counts['not-worse']} of {STARTS} wrong promotions of the {kind} one")
    for each in problems:
        click.echo(f"failed: {each}", err=True)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
