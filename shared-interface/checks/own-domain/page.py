"""What docs/own-domain.md has a reader write and type, taken from the page itself."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "own-domain.md"
ROADS = ("Forecast another quantity", "Serve a model that is none of ours")

_FILE = re.compile(
    r"^<!-- new file (?P<name>\S+) -->\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def road(name: str) -> str:
    """Return the part of the page under a heading."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {name}\n")
    return rest.partition("\n## ")[0]


def files(text: str) -> dict[str, str]:
    """Return the text of each file of a part, by its name."""
    return {found["name"]: found["text"] for found in _FILE.finditer(text)}


def commands(text: str) -> list[str]:
    """Return the lines of a part that are typed, in order."""
    blocks = (found for found in _BLOCK.finditer(text) if not found["language"])
    return [line for found in blocks for line in found["text"].splitlines()]
