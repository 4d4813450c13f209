"""The files that docs/own-domain.md has a reader write, taken from the page itself."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "own-domain.md"

_FILE = re.compile(
    r"^<!-- new file (?P<name>\S+) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def files() -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        found["name"]: found["text"] for found in _FILE.finditer(PAGE.read_text(encoding="utf-8"))
    }
