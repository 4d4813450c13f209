"""The changes that docs/own-domain.md asks for, read from the page itself and applied to copies."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "shared-interface" / "docs" / "own-domain.md"
SOURCES = ("shared-interface/src", "research/src")

_CHANGE = re.compile(
    r"^<!-- change: (?P<how>.*?) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change: ``how`` and where, in the page's words, and the lines it brings."""

    how: str
    text: str

    def apply(self, folder: Path) -> None:
        """Do it to the copies in ``folder``.

        Raises:
            ValueError: the page asks for something else than this can do, or the place is gone.
        """
        if found := re.fullmatch(r"append to (\S+)", self.how):
            path = folder / found[1]
            path.write_text(_lines(path) + self.text, encoding="utf-8")
        elif found := re.fullmatch(r'after "(.+)" in (\S+)', self.how):
            path, place = folder / found[2], f"{found[1]}\n"
            text = _lines(path)
            if text.count(place) != 1:
                raise ValueError(f"{found[2]} has {text.count(place)} lines {found[1]!r}, not one")
            path.write_text(text.replace(place, place + self.text), encoding="utf-8")
        elif found := re.fullmatch(r"new file (\S+)", self.how):
            (folder / found[1]).write_text(self.text, encoding="utf-8")
        else:
            raise ValueError(f"{PAGE.name} asks for {self.how!r}, which nobody can do")


def changes() -> Iterator[Change]:
    """Yield the page's changes, in its order."""
    for found in _CHANGE.finditer(PAGE.read_text(encoding="utf-8")):
        yield Change(how=found["how"], text=found["text"])


def copy_sources(folder: Path) -> None:
    """Copy what the page changes, so that it can be changed."""
    for source in SOURCES:
        shutil.copytree(
            ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__")
        )


def _lines(path: Path) -> str:
    return path.read_text(encoding="utf-8")
