"""Known exceptions: cells that may fail for a while, as data that cannot be forgotten."""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from judging import FAILED, Result
from matrix_axes import Cell
from matrix_environments import MatrixError

PATH = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFailure:
    """One entry of ``exceptions.toml``: which delivery of which cell fails, why, until when."""

    app: str
    research: str
    kind: str
    reason: str
    until: dt.date

    def __str__(self) -> str:
        """Name the entry as messages do."""
        return f"the exception app={self.app}, research={self.research}, {self.kind}"


def known_failures(path: Path = PATH) -> tuple[KnownFailure, ...]:
    """Read the exceptions.

    Raises:
        MatrixError: an entry lacks a key, or has one that nobody knows.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("exception", [])
    keys = list(KnownFailure.__dataclass_fields__)
    for entry in entries:
        if sorted(entry) != sorted(keys) or not isinstance(entry["until"], dt.date):
            raise MatrixError(
                f"{path.name}: found an exception with {', '.join(entry)}, expected "
                f"{', '.join(keys)} (until is a date, without quotes)"
            )
    return tuple(KnownFailure(**entry) for entry in entries)


def unexplained(result: Result, known: Iterable[KnownFailure], *, today: dt.date) -> Iterator[str]:
    """Yield every problem of a cell that no exception covers, and every exception that is over."""
    names = (result.cell.consumer.name, result.cell.producer.name)
    covered = {entry.kind: entry for entry in known if (entry.app, entry.research) == names}
    for kind, outcome in result.outcomes.items():
        entry = covered.pop(kind, None)
        failed = outcome.outcome == FAILED
        if entry is not None and not failed:
            yield f"{entry} passes ({outcome.words}): remove it"
        elif entry is not None and today > entry.until:
            yield f"{entry} is past its day, {entry.until}: {'; '.join(outcome.problems)}"
        elif failed and entry is None:
            yield from (f"{kind}: {problem}" for problem in outcome.problems)
    yield from (
        f"{entry} names a recipe that this cell does not have" for entry in covered.values()
    )


def aimless(known: Iterable[KnownFailure], cells: Iterable[Cell]) -> Iterator[str]:
    """Yield every exception that names no cell."""
    names = {(cell.consumer.name, cell.producer.name) for cell in cells}
    for entry in known:
        if (entry.app, entry.research) not in names:
            yield f"{entry} names no cell of the matrix: remove it"
