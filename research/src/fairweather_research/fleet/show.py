"""How a fleet is doing, on stderr: bars where someone is watching, a line an end where not."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairweather_research._terminal import console
from fairweather_research.fleet.tasks import Outcome, State
from fairweather_research.training import STAGES, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairweather_research.fleet.index import Row

__all__ = ["Board", "board", "show_summary"]


class Board:
    """Takes what happens to each training; safe among threads."""

    def __init__(self, total: int) -> None:
        from rich.progress import (  # noqa: PLC0415 - rich is slow
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as Bars  # noqa: PLC0415

        self._console = console()
        self._total = total
        self._lock = threading.Lock()
        self._came: list[Outcome] = []
        self._rows: dict[str, object] = {}
        self.bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._whole = self.bars.add_task("fleet", total=total, note="")

    def progress(self, name: str, progress: Progress) -> None:
        """A training has come to a stage, or through an epoch."""
        note = STAGES[progress.stage]
        if progress.epoch:
            note += f", epoch {progress.epoch.number}"
        with self._lock:
            if name not in self._rows:
                self._rows[name] = self.bars.add_task(name, total=len(STAGES), note="")
            self.bars.update(
                self._rows[name],  # type: ignore[arg-type]  # rich's TaskID is an int
                completed=list(STAGES).index(progress.stage),
                note=note,
            )

    @property
    def came(self) -> dict[str, Outcome]:
        """The trainings that have ended, by name."""
        with self._lock:
            return {outcome.name: outcome for outcome in self._came}

    def ended(self, outcome: Outcome) -> None:
        """A training has ended."""
        with self._lock:
            self._came.append(outcome)
            if (row := self._rows.pop(outcome.name, None)) is not None:
                self.bars.remove_task(row)  # type: ignore[arg-type]
            failed = sum(each.state is State.FAILED for each in self._came)
            self.bars.update(
                self._whole, advance=1, note=f"{failed} failed" if failed else "none failed"
            )
            took = "" if outcome.state is State.FOUND else f" ({outcome.seconds:.0f} s)"
            line = f"{len(self._came)} of {self._total}: {outcome.state}: {outcome.name}{took}"
            if outcome.reason:
                line += f": {outcome.reason.splitlines()[0]}"  # all of it at the end
            if outcome.reason or not self._console.is_terminal:
                self._console.print(line, markup=False, soft_wrap=True)


@contextmanager
def board(total: int) -> Iterator[Board]:
    """A board for as long as a fleet runs."""
    made = Board(total)
    with made.bars:
        yield made


def show_summary(rows: Sequence[Row]) -> None:
    """The table at the end: every training, what became of it, its skill."""
    from rich.table import Table  # noqa: PLC0415 - rich is slow

    table = Table(title="The fleet", title_justify="left", show_lines=True)
    for name in ("model type", "areas", "network", "seed", "state", "error and skill"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row.model_type,
            ", ".join(row.areas),
            row.network,
            str(row.seed),
            str(row.outcome.state),
            "\n".join(row.skills),
        )
    console().print(table)
