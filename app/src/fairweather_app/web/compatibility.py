"""Compatibility: which released research this and every other released app serves.

``compatibility.json`` lies beside this module. It is written from the records of the matrix, in
which every released research has trained and delivered and every released app was started and
asked; ``app/compatibility/write.py --check`` holds it against them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata as packages
from pathlib import Path
from typing import Any

from fairweather_app.web.words import listed

RECORDS = Path(__file__).with_name("compatibility.json")
SERVED = "served"
HEAD = "HEAD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """What one app did with what one research delivered; either is empty where there is nothing."""

    serves: str
    refuses: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Apps across, researches down, oldest first."""

    version: str
    apps: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Meeting | None, ...]], ...]
    served: int
    refused: int


@cache
def compatibility_table() -> Table:
    """The table of this release."""
    return read_table(json.loads(RECORDS.read_text(encoding="utf-8")))


def read_table(records: dict[str, dict[str, dict[str, str]]]) -> Table:
    """The table of records: by app, then by research, then by kind of recipe, ``served`` or a code.

    What was at HEAD when they were made is called in work.
    """
    apps = list(records)
    researches = list(dict.fromkeys(name for each in records.values() for name in each))
    outcomes = [
        outcome
        for of_app in records.values()
        for kinds in of_app.values()
        for outcome in kinds.values()
    ]
    served = outcomes.count(SERVED)
    return Table(
        version=packages.version("fairweather-app"),
        apps=tuple(_named("app", each) for each in apps),
        rows=tuple(
            (
                _named("research", research),
                tuple(_meeting(records[app].get(research)) for app in apps),
            )
            for research in researches
        ),
        served=served,
        refused=len(outcomes) - served,
    )


def _named(package: str, version: str) -> str:
    return f"{package}, in work" if version == HEAD else f"{package} {version}"


def _meeting(kinds: dict[str, Any] | None) -> Meeting | None:
    if kinds is None:
        return None
    return Meeting(
        serves=listed([kind for kind, outcome in kinds.items() if outcome == SERVED]),
        refuses=tuple((kind, code) for kind, code in kinds.items() if code != SERVED),
    )
