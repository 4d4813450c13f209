"""How a fleet is doing, on stderr: bars where someone is watching, a line an end where not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from fairweather_research.cli.terminal import console
from fairweather_research.fleet.tasks import Outcome, State
from fairweather_research.training.train import STAGES, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import TaskID

    from fairweather_research.fleet.index import Row

__all__ = ["Board", "show_summary"]


class Board:
    """Takes what happens to each training, for as long as its block runs; safe among threads."""

    def __init__(self, total: int) -> None:
        from rich import progress  # noqa: PLC0415 - rich is slow

        self._console = console()
        self._total = total
        self._lock = threading.Lock()
        self.came: dict[str, Outcome] = {}  # the trainings that have ended, by name
        self._rows: dict[str, TaskID] = {}
        self._bars = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            progress.TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._whole = self._bars.add_task("fleet", total=total, note="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def progress(self, name: str, progress: Progress) -> None:
        """A training has come to a stage, or through an epoch."""
        note = STAGES[progress.stage]
        if progress.epoch:
            note += f", epoch {progress.epoch.number}"
        with self._lock:
            if name not in self._rows:
                self._rows[name] = self._bars.add_task(name, total=len(STAGES), note="")
            done = list(STAGES).index(progress.stage)
            self._bars.update(self._rows[name], completed=done, note=note)

    def ended(self, outcome: Outcome) -> None:
        """A training has ended."""
        with self._lock:
            self.came[outcome.name] = outcome
            if (row := self._rows.pop(outcome.name, None)) is not None:
                self._bars.remove_task(row)
            failed = sum(each.state is State.FAILED for each in self.came.values())
            self._bars.update(self._whole, advance=1, note=f"{failed or 'none'} failed")
            took = "" if outcome.state is State.FOUND else f" ({outcome.seconds:.0f} s)"
            line = f"{len(self.came)} of {self._total}: {outcome.state}: {outcome.name}{took}"
            if outcome.reason:
                line += f": {outcome.reason.splitlines()[0]}"  # all of it at the end
            if outcome.reason or not self._console.is_terminal:
                self._console.print(line, markup=False, soft_wrap=True)


def show_summary(rows: Sequence[Row]) -> None:
    """The table at the end: every training, what became of it, its skill."""
    from rich.table import Table  # noqa: PLC0415 - rich is slow

    columns = ("model type", "areas", "network", "seed", "state", "error and skill")
    table = Table(*columns, title="The fleet", title_justify="left", show_lines=True)
    for row in rows:
        areas, state = ", ".join(row.areas), str(row.outcome.state)
        skills = "\n".join(row.skills)
        table.add_row(row.model_type, areas, row.network, str(row.seed), state, skills)
    console().print(table)
