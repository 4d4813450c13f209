"""Find in the source who reads what readers may ignore, and write it into the handbook.

    python shared-interface/checks/contract/readers.py

A room reads a field where its modules read every name on the way to it. A name that means something
else, too (`start`, `count`), can make a room look like a reader; it never hides one.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import wheelhouse
from rules import parse_ledger

PAGE = wheelhouse.ROOT / "shared-interface" / "docs" / "metadata.md"
_APP, _RESEARCH = (
    wheelhouse.ROOT / each / "src" / f"fairweather_{each}" for each in ("app", "research")
)
ROOMS: Mapping[str, Path] = {
    "choice": _APP / "forecasting",
    "checks and replay": _APP / "models_backend",
    "answers": _APP / "api",
    "page": _APP / "web",
    "commands": _APP / "cli",
    "model card": _RESEARCH / "delivery" / "card",
    "`reproduce`": _RESEARCH / "reproduction",
}
"""Who reads, by what people see of it."""

_ALIASES = {"variables": "declared_variables"}


def readers_table(schema: str) -> str:
    """Return the table of who reads which field that may be ignored, fields of a kind together."""
    ledgers = wheelhouse.ROOT / "shared-interface/src/fairweather_interface/ledgers"
    rows = parse_ledger((ledgers / f"{schema}.txt").read_text(encoding="utf-8")).rows
    read = {room: _names_in(folder) for room, folder in ROOMS.items()}
    fields: dict[str, list[str]] = {}
    for path, row in rows.items():
        if row["unknown"] == "must-obey":
            continue
        names = [_ALIASES.get(name, name) for name in re.sub(r"[\[\]{}]", "", path).split(".")]
        found = [room for room, names_there in read.items() if names_there.issuperset(names)]
        fields.setdefault(", ".join(found) or "nobody", []).append(f"`{path}`")
    lines = [f"| {who} | {', '.join(paths)} |" for who, paths in sorted(fields.items())]
    return "\n".join(["| read by | fields |", "|---|---|", *lines])


def _names_in(folder: Path) -> set[str]:
    return {
        item.attr
        for path in folder.rglob("*.py")
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(item, ast.Attribute)
    }


def written(page: str) -> str:
    """Return a page with its table made anew."""
    schema = re.findall(r"<!-- readers of schema ([\d.]+)", page)[0]
    head, mark, rest = page.partition("from the source of both -->\n")
    _, end, tail = rest.partition("<!-- end of readers -->")
    return f"{head}{mark}{readers_table(schema)}\n{end}{tail}"


def main() -> int:
    """Write the table."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
