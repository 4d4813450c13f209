"""One cell: an app of one release, started for real on what research of another delivered.

What the app did is recorded as facts under a key of everything that could change them; while the
key stays, nothing runs. Judging those facts costs nothing and is done anew every time.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wheelhouse
from axes import HEAD, Cell, Recipe, Side, must_serve, recipes
from environments import MatrixError, Wheels, clean_environment, digest, python_of, state, wheels
from policy import LIVE, expect_delivery, judge
from producing import Produced, produced

ASKING = Path(__file__).parent / "asking.py"
SERVED, REFUSED, FAILED, EXCLUDED = "served", "refused", "failed", "excluded"
_TIMEOUT = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one delivery in one cell.

    Attributes:
        outcome: ``served``, ``refused``, ``failed``, or ``excluded`` where requirements do not
            allow this installation.
        code: of the refusal.
        problems: why it failed, or is excluded; one line a reason.
        examples: how many examples were answered with a forecast.
        refused: how many were refused, by code.
        worst: the largest error, as a share of what is tolerated.
    """

    outcome: str
    code: str | None = None
    problems: tuple[str, ...] = ()
    examples: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    worst: float | None = None

    @property
    def words(self) -> str:
        """What a table says: ``served``, or ``schema-too-new``, or ``failed``."""
        return self.code if self.outcome == REFUSED and self.code else self.outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of a cell.

    Attributes:
        cell: which.
        key: digests of everything it depends on; what random ids a delivery has is not in it.
        outcomes: by kind of recipe.
        seconds: what the run took when it ran.
        ran: whether it ran now, and was not remembered.
    """

    cell: Cell
    key: dict[str, str]
    outcomes: dict[str, Outcome]
    seconds: float = 0.0
    ran: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """Every reason why this cell fails; none when it passes."""
        return tuple(
            f"{kind}: {problem}"
            for kind, outcome in self.outcomes.items()
            if outcome.outcome == FAILED
            for problem in outcome.problems
        )


def run(cell: Cell, *, only_known: bool = False) -> Result | None:
    """Run a cell unless it ran before with the same code and deliveries, and judge what it did.

    Args:
        cell: which.
        only_known: return None instead of running anything that trains or serves.

    Raises:
        MatrixError: a wheel cannot be had, or a delivery is not whole.
    """
    consumer, producer = wheels(cell.consumer), wheels(cell.producer)
    key = cell_key(consumer, producer)
    chosen = recipes(producer.version)
    if consumer.excluded or producer.excluded:
        reason = consumer.excluded or producer.excluded or ""
        none = Outcome(outcome=EXCLUDED, problems=(reason,))
        return Result(cell=cell, key=key, outcomes={recipe.kind: none for recipe in chosen})
    if only_known and not _produced_before(cell.producer, key):
        return None
    made = produced(cell.producer)
    found = _remembered(cell, consumer, made)
    ran = found is None
    if found is None:
        if only_known and made.delivered:
            return None
        found = _ask(cell, consumer, made)
    outcomes = {
        recipe.kind: judged(found, made, recipe, consumer, cell.consumer) for recipe in chosen
    }
    return Result(
        cell=cell, key=key, outcomes=outcomes, seconds=found.get("seconds", 0.0), ran=ran
    )


def cell_key(consumer: Wheels, producer: Wheels) -> dict[str, str]:
    """Return the digests that both sides of a cell, its recipes and its questions have."""
    from producing import producer_key  # noqa: PLC0415 - beside its use

    made = producer_key(producer, recipes(producer.version))
    return {
        **{f"app side, {name}": value for name, value in consumer.key.items()},
        **{f"research side, {name}": value for name, value in made.items()},
        "questions": digest(ASKING.read_bytes()),
    }


def judged(
    found: dict[str, Any], made: Produced, recipe: Recipe, consumer: Wheels, side: Side
) -> Outcome:
    """Judge what an app did with the delivery of one recipe, by the policy and by the rule."""
    failed = made.failures.get(recipe.kind) or found.get("failed")
    if failed:
        return Outcome(outcome=FAILED, problems=(failed,))
    facts, metadata = found["deliveries"][recipe.kind], made.metadata(recipe.kind)
    software = _software(side, found)
    problems = [*_unlike(found, software), *judge(facts, metadata, software)]
    expected = expect_delivery(metadata, software)
    if must_serve(consumer.version, recipe) and expected.state != LIVE:
        problems.append(
            f"the policy foretells {expected.code}, but the rule of parallel movement asks every "
            f"such app to serve {recipe.kind}: its min_reader ({metadata.get('min_reader')}) or "
            "artifacts ask too much"
        )
    refused = Counter(each["code"] for each in facts["examples"] if each["status"] != 200)  # noqa: PLR2004 - HTTP
    served = [each for each in facts["examples"] if each["status"] == 200]  # noqa: PLR2004 - HTTP
    return Outcome(
        outcome=FAILED if problems else SERVED if facts["state"] == LIVE else REFUSED,
        code=facts["code"],
        problems=tuple(problems),
        examples=len(served),
        refused={str(code): count for code, count in sorted(refused.items(), key=str)},
        worst=max((round(each["worst"], 4) for each in served), default=None),
    )


def _software(side: Side, found: dict[str, Any]) -> dict[str, Any]:
    """Return what a release says it supports: as recorded, else as its command prints it."""
    recorded = wheelhouse.RECORDS / f"app-{side.version}.json"
    if side.version != HEAD:
        document: dict[str, Any] = json.loads(recorded.read_text(encoding="utf-8"))
        return document
    printed: dict[str, Any] = found["printed_software"]
    return printed


def _unlike(found: dict[str, Any], software: dict[str, Any]) -> list[str]:
    return [
        f"{name} says {found[where].get(key)!r} of {key}, expected {value!r} as recorded"
        for where, name in (("printed_software", "the command"), ("software", "/software"))
        for key, value in software.items()
        if found[where].get(key) != value
    ]


def _produced_before(side: Side, key: dict[str, str]) -> bool:
    record = state() / "producers" / side.name / "producer.json"
    if not record.is_file():
        return False
    known = json.loads(record.read_text(encoding="utf-8"))["key"]
    prefix = "research side, "
    return bool(
        known == {n.removeprefix(prefix): v for n, v in key.items() if n.startswith(prefix)}
    )


def _remembered(cell: Cell, consumer: Wheels, made: Produced) -> dict[str, Any] | None:
    path = _path(cell)
    if not made.delivered:
        return {}
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    same = found["depends on"] == _dependencies(consumer, made)
    return found if same and "failed" not in found else None


def _dependencies(consumer: Wheels, made: Produced) -> dict[str, Any]:
    return {
        "app": consumer.key,
        "deliveries": {kind: each["digest"] for kind, each in made.delivered.items()},
        "questions": digest(ASKING.read_bytes()),
    }


def _path(cell: Cell) -> Path:
    return state() / "cells" / f"app-{cell.consumer.name}--research-{cell.producer.name}.json"


def _ask(cell: Cell, consumer: Wheels, made: Produced) -> dict[str, Any]:
    """Put copies of the deliveries before the app, and keep what it did."""
    started = time.monotonic()
    deliveries = {kind: made.delivery(kind) for kind in made.delivered}
    with tempfile.TemporaryDirectory() as work:
        store = Path(work) / "store"
        for folder in deliveries.values():
            shutil.copytree(folder, store / folder.name)
        found = _facts(consumer, store, {kind: each.name for kind, each in deliveries.items()})
    found["seconds"] = round(time.monotonic() - started, 1)
    found["depends on"] = _dependencies(consumer, made)
    path = _path(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _facts(consumer: Wheels, store: Path, deliveries: dict[str, str]) -> dict[str, Any]:
    try:
        python = python_of(consumer)
    except MatrixError as error:
        return {"failed": f"the app cannot be installed: {error}"}
    job = store.parent / "job.json"
    work = store.parent / "work"
    work.mkdir()
    content = {
        "command": [str(python), "-m", "flask", "--app", "fairweather_app"],
        "store": str(store),
        "work": str(work),
        "deliveries": deliveries,
    }
    job.write_text(json.dumps(content), encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own
            [str(python), str(ASKING), str(job)],
            env=clean_environment(),
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"the app did not answer everything within {_TIMEOUT:.0f} seconds"}
    if done.returncode:
        return {"failed": f"the app could not be asked: {done.stderr.strip()[-1500:]}"}
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


