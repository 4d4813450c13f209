"""Run a fleet and show it on stderr: bars on a terminal, elsewhere a line for each training."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Self

import typer
from fairweather_interface.errors import FairweatherError
from rich import progress as rich_progress
from rich.table import Table

from fairweather_research.cli.terminal import console, echo, printed
from fairweather_research.delivery.keys import SigningKey
from fairweather_research.delivery.signing import envelope_at, sign
from fairweather_research.fleet import Fleet
from fairweather_research.fleet.index import Row, default_page, rows, write_index
from fairweather_research.fleet.tasks import Outcome, State
from fairweather_research.training.train import STAGES, Progress


def run_fleet(
    fleet: Fleet,
    index: Path | None,
    warnings: Sequence[str],
    *,
    engine: str,
    jobs: int | None,
    key: SigningKey | None = None,
) -> bool:
    """Run a fleet, show it, and write its page; return whether all is in the store, and signed.

    With a key, what is delivered is signed as soon as it is there. What was in the store before is
    not: only who trained it knows whose it is.
    """
    plan = fleet.plan
    unsigned: list[str] = []

    def end(outcome: Outcome) -> None:
        shown.ended(outcome)
        if key is not None:
            unsigned.extend(_sign(outcome, key))

    page = (index or default_page(plan, fleet.store)).expanduser().resolve()
    with FleetProgress(len(plan.trainings)) as shown:
        try:
            with redirect_stdout(sys.stderr):  # where Ray prints what it lost
                outcomes = fleet.run(engine=engine, jobs=jobs, progress=shown.progress, ended=end)
        except KeyboardInterrupt:
            ended = dict(shown.outcomes)
            ended |= {outcome.name: outcome for outcome in fleet.waiting(but=ended)}
            found = rows(plan, [ended[training.name] for training in plan.trainings])
            with suppress(FairweatherError):  # it was stopped, with or without a page
                write_index(page, plan, fleet.store, found, warnings=warnings)
                typer.echo(f"Model cards so far: {page}", err=True)
            raise
    found = rows(plan, outcomes)
    _show_summary(found)
    for outcome in outcomes:
        if outcome.path is not None:
            typer.echo(outcome.path)
    for line in unsigned:
        echo(line)
    missing = [outcome for outcome in outcomes if outcome.path is None]
    for outcome in missing:
        echo(f"{outcome.state}: {outcome.name}: {outcome.reason}")
    write_index(page, plan, fleet.store, found, warnings=warnings)
    new = sum(outcome.state is State.DELIVERED for outcome in outcomes)
    console().print(
        f"{len(outcomes) - len(missing)} of {len(outcomes)} delivered ({new} new), "
        f"{len(missing) or 'none'} failed. Store: {fleet.store}\n"
        f"Model cards: {page}\n"
        f"Serve: FAIRWEATHER_STORE={fleet.store} flask --app fairweather_app run",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return not missing and not unsigned


def _sign(outcome: Outcome, key: SigningKey) -> Iterator[str]:
    """Sign what was delivered now; yield why a delivery of the fleet is not signed, if so."""
    try:
        if outcome.path is not None and outcome.state is State.DELIVERED:
            sign(outcome.path, key)
        elif outcome.path is not None and envelope_at(outcome.path) is None:
            yield f"not signed, was in the store before: {outcome.path}"
    except FairweatherError as error:
        yield f"not signed: {outcome.path}: {error}"


def list_trainings(fleet: Fleet) -> bool:
    """List what a run would train, and what could not begin; return whether all could."""
    found = list(fleet.waiting())
    for outcome in found:
        detail = outcome.path or outcome.reason
        line = f"{outcome.state}: {outcome.name}{f': {detail}' if detail else ''}"
        typer.echo(line, err=outcome.reason is not None)
    waiting = sum(outcome.state is State.WAITING for outcome in found)
    typer.echo(f"{waiting} of {len(found)} models would be trained", err=True)
    return all(outcome.reason is None for outcome in found)


class FleetProgress:
    """Show the progress of each training inside a ``with`` block; safe among threads."""

    def __init__(self, total: int) -> None:
        self._console = console()
        self._total = total
        self._lock = threading.Lock()
        self.outcomes: dict[str, Outcome] = {}  # of the trainings that have ended, by name
        self._tasks: dict[str, rich_progress.TaskID] = {}
        self._bars = rich_progress.Progress(
            rich_progress.SpinnerColumn(),
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(bar_width=24),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
            rich_progress.TimeElapsedColumn(),
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
        """Show a stage of a training, or an epoch."""
        note = STAGES[progress.stage]
        if progress.epoch:
            note += f", epoch {progress.epoch.number}"
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=len(STAGES), note="")
            done = list(STAGES).index(progress.stage)
            self._bars.update(self._tasks[name], completed=done, note=note)

    def ended(self, outcome: Outcome) -> None:
        """Show the end of a training."""
        with self._lock:
            self.outcomes[outcome.name] = outcome
            if (task := self._tasks.pop(outcome.name, None)) is not None:
                self._bars.remove_task(task)
            failed = sum(one.state is State.FAILED for one in self.outcomes.values())
            self._bars.update(self._whole, advance=1, note=f"{failed or 'none'} failed")
            took = "" if outcome.state is State.FOUND else f" ({outcome.seconds:.0f} s)"
            line = f"{len(self.outcomes)} of {self._total}: {outcome.state}: {outcome.name}{took}"
            if outcome.reason:
                line += f": {outcome.reason.splitlines()[0]}"  # all of it at the end
            if outcome.reason or not self._console.is_terminal:
                self._console.print(printed(line), markup=False, soft_wrap=True)


def _show_summary(rows: Sequence[Row]) -> None:
    """Print a table of every training, its state and its skill."""
    columns = ("model type", "areas", "network", "seed", "state", "error and skill")
    table = Table(*columns, title="The fleet", title_justify="left", show_lines=True)
    for row in rows:
        recipe = row.recipe
        table.add_row(
            recipe.model_type,
            ", ".join(recipe.areas),
            str(recipe.network),
            str(recipe.seed),
            str(row.outcome.state),
            "\n".join(row.skills),
        )
    console().print(table)
