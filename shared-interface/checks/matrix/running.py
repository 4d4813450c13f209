"""One cell: an app of one release, started for real on what research of another delivered.

What the app did is recorded as facts, beside everything that could change them; while that stays,
nothing runs. Judging those facts costs nothing and is done anew every time (``judging``).
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from judging import FAILED, Result, excluded, judged
from matrix_axes import Cell, must_serve, recipes
from matrix_environments import (
    MatrixError,
    Wheels,
    clean_environment,
    digest,
    python_of,
    state,
    wheels,
)
from producing import Produced, produced, produced_before, producer_key

ASKING = Path(__file__).parent / "asking.py"
COMMAND = ("-m", "flask", "--app", "fairweather_app")
_TIMEOUT = 300.0
_TAIL = 1500


def run(cell: Cell) -> Result:
    """Run a cell unless it passed before with the same code and deliveries; judge what it did.

    What a producer did not deliver is not asked for again; ``produced`` tries that once more.

    Raises:
        MatrixError: a wheel cannot be had, or a delivery is not whole.
    """
    before = known(cell)
    if before is not None and not before.app_failed:
        return before
    consumer, producer = wheels(cell.consumer), wheels(cell.producer)
    made = produced(cell.producer)
    found = _ask(cell, consumer, made)
    return _result(cell, consumer, producer, made, found, ran=bool(made.delivered))


def known(cell: Cell) -> Result | None:
    """Return what a cell did when it last ran, None when that was not with what is there now.

    Raises:
        MatrixError: as ``run`` does.
    """
    consumer, producer = wheels(cell.consumer), wheels(cell.producer)
    if consumer.excluded or producer.excluded:
        return _excluded(cell, consumer, producer)
    made = produced_before(cell.producer)
    found = None if made is None else _remembered(cell, consumer, made)
    if made is None or found is None:
        return None
    return _result(cell, consumer, producer, made, found, ran=False)


def cell_key(cell: Cell) -> dict[str, str]:
    """Return the digests of everything that a cell depends on, but for the ids of deliveries."""
    producer = wheels(cell.producer)
    made = producer_key(producer, recipes(producer.version))
    return {
        **{f"app side, {name}": value for name, value in wheels(cell.consumer).key.items()},
        **{f"research side, {name}": value for name, value in made.items()},
        "questions": digest(ASKING.read_bytes()),
    }


def _excluded(cell: Cell, consumer: Wheels, producer: Wheels) -> Result:
    reason = consumer.excluded or producer.excluded or ""
    kinds = [recipe.kind for recipe in recipes(producer.version)]
    return Result(cell=cell, outcomes=dict.fromkeys(kinds, excluded(reason)))


def _result(
    cell: Cell,
    consumer: Wheels,
    producer: Wheels,
    made: Produced,
    found: dict[str, Any],
    *,
    ran: bool,
) -> Result:
    outcomes = {
        recipe.kind: judged(
            *(recipe, cell.consumer, made, found),
            must=must_serve(consumer.version, producer.version, recipe),
        )
        for recipe in recipes(producer.version)
    }
    return Result(
        cell=cell,
        outcomes=outcomes,
        app_failed=any(outcomes[kind].outcome == FAILED for kind in made.delivered),
        seconds=found.get("seconds", 0.0),
        ran=ran,
    )


def _remembered(cell: Cell, consumer: Wheels, made: Produced) -> dict[str, Any] | None:
    """Return the facts of an earlier run that still hold; where nothing was delivered, none."""
    path = _path(cell)
    if not made.delivered:
        return {}
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found if found["depends on"] == _dependencies(consumer, made) else None


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
    if not made.delivered:
        return {}
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
        python = str(python_of(consumer))
    except MatrixError as error:
        return {"failed": f"the app cannot be installed: {error}"}
    work, job = store.parent / "work", store.parent / "job.json"
    work.mkdir()
    content = {"command": [python, *COMMAND], "store": str(store), "work": str(work)}
    job.write_text(json.dumps({**content, "deliveries": deliveries}), encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own
            [python, str(ASKING), str(job)],
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
        return {"failed": f"the app could not be asked: {done.stderr.strip()[-_TAIL:]}"}
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
