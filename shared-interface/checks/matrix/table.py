"""What was found, committed: small records of every cell on the axes, and the README's table.

A record of two releases carries the digests of all it depends on, so that a fresh clone can tell
without running anything whether it still speaks of what is there. Cells with HEAD change with every
commit: their records say the outcome alone, and are held against the runs of the day.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import wheelhouse
from judging import REFUSED, SERVED, Result
from matrix_axes import HEAD, Cell, Side, must_serve, recipes, version_of
from matrix_environments import MatrixError

BEGIN = "<!-- matrix: written by `nox -s matrix-table` from recorded runs -->"
END = "<!-- end of matrix -->"
Record = dict[str, Any]


def record(result: Result, key: Mapping[str, str]) -> Record:
    """Return what is committed of a cell; ``key`` holds the digests it depends on."""
    released = _released(result.cell)
    outcomes: Record = {}
    for kind, outcome in result.outcomes.items():
        said: Record = {"outcome": outcome.outcome}
        if outcome.code:
            said["code"] = outcome.code
        if released and outcome.outcome == SERVED:
            said |= {"examples": outcome.examples, "worst": outcome.worst}
            said["refused"] = outcome.refused
        outcomes[kind] = said
    return {"outcomes": outcomes, **({"key": dict(key)} if released else {})}


def records_folder() -> Path:
    """Return where the records are committed."""
    return wheelhouse.ROOT / "shared-interface" / "checks" / "matrix" / "records"


def read_records() -> dict[tuple[str, str], Record]:
    """Return every committed record by app and research."""
    found = {}
    for path in sorted(records_folder().glob("app-*.json")):
        for research, content in json.loads(path.read_text(encoding="utf-8")).items():
            found[path.stem.removeprefix("app-"), research] = content
    return found


def write_records(results: Iterable[Result], keys: Mapping[str, Mapping[str, str]]) -> None:
    """Write one file for each app, and remove those of apps that are no longer on the axis."""
    by_app: dict[str, Record] = {}
    for result in results:
        cell = result.cell
        by_app.setdefault(cell.consumer.version, {})[cell.producer.version] = record(
            result, keys[cell.name]
        )
    folder = records_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("app-*.json"):
        path.unlink()
    for app, content in by_app.items():
        text = json.dumps(content, indent=1) + "\n"
        (folder / f"app-{app}.json").write_text(text, encoding="utf-8")


def expected_served(cells: Iterable[Cell]) -> set[tuple[str, str, str]]:
    """Return who must serve what, ``(app, research, kind)``, from the list of releases alone."""
    return {
        (cell.consumer.version, cell.producer.version, recipe.kind)
        for cell in cells
        for recipe in recipes(version_of(cell.producer))
        if must_serve(version_of(cell.consumer), version_of(cell.producer), recipe)
    }


def table(
    records: Mapping[tuple[str, str], Record], apps: Sequence[Side], researches: Sequence[Side]
) -> str:
    """Return the README's table: who serves whom, and who refuses with which code."""
    lines = [
        "| what was delivered by | " + " | ".join(f"app {app.version}" for app in apps) + " |",
        "|---" * (len(apps) + 1) + "|",
    ]
    for research in researches:
        said = [_words(records.get((app.version, research.version))) for app in apps]
        lines.append(f"| research {research.version} | " + " | ".join(said) + " |")
    kinds = [
        (key, kind, said["outcome"])
        for key, content in records.items()
        for kind, said in content["outcomes"].items()
    ]
    served = sum(outcome == SERVED for *_, outcome in kinds)
    refused = sum(outcome == REFUSED for *_, outcome in kinds)
    rest = len(kinds) - served - refused
    counted = (
        f"{len(records)} cells, {len(kinds)} deliveries put before an app: {served} served with "
        f"every example's forecast within tolerance, {refused} refused with the code the policy "
        f"foretells, {rest} otherwise."
    )
    return "\n".join([*lines, "", counted])


def with_table(text: str, block: str) -> str:
    """Return the README with its table replaced.

    Raises:
        MatrixError: it has no place for one.
    """
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MatrixError(f"README.md has no place for the table: write {BEGIN} and {END} there")
    return f"{before}{begin}{block}\n{end}{after}"


def stale(
    cells: Sequence[Cell],
    records: Mapping[tuple[str, str], Record],
    results: Mapping[str, Result | None],
    keys: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """Yield how the committed records differ from what they speak of.

    Args:
        cells: those on the axes.
        records: what is committed.
        results: by name of the cell, what was found when it ran here; None where it did not.
        keys: by name of the cell, the digests it depends on now.
    """
    wanted = {(cell.consumer.version, cell.producer.version): cell for cell in cells}
    yield from (
        f"app={app}, research={research}: is recorded and no cell of the matrix"
        for app, research in records.keys() - wanted.keys()
    )
    for pair, cell in wanted.items():
        content, result = records.get(pair), results.get(cell.name)
        if content is None:
            yield f"{cell.name}: is not recorded"
            continue
        changed = _changed(content.get("key", {}), keys[cell.name]) if _released(cell) else []
        if changed:
            yield f"{cell.name}: was recorded with another {', '.join(changed)}"
        now = None if result is None else _outcomes(record(result, keys[cell.name]))
        if now is not None and now != _outcomes(content):
            yield f"{cell.name}: is recorded as {_outcomes(content)}, here it is {now}"
    for app, research, kind in sorted(expected_served(cells)):
        if (app, research) in records:
            said = records[app, research]["outcomes"].get(kind, {})
            if said.get("outcome") != SERVED:
                yield f"app={app}, research={research}: must serve {kind}, is recorded as {said}"


def _released(cell: Cell) -> bool:
    return HEAD not in (cell.consumer.version, cell.producer.version)


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]


def _outcomes(content: Record) -> dict[str, str]:
    return {
        kind: said["code"] if said["outcome"] == REFUSED else said["outcome"]
        for kind, said in content["outcomes"].items()
    }


def _words(content: Record | None) -> str:
    if content is None:
        return "not run"
    kinds: dict[str, list[str]] = {}
    for kind, said in _outcomes(content).items():
        kinds.setdefault(said, []).append(kind)
    served = kinds.pop(SERVED, [])
    others = [f"{', '.join(each)}: `{said}`" for said, each in kinds.items()]
    return "; ".join([f"serves {', '.join(served)}"] * bool(served) + others)


def readme() -> Path:
    """Return the page that carries the table."""
    return wheelhouse.ROOT / "README.md"
