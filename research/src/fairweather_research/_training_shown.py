"""What a person sees of a training on a terminal: its stages, its skill, and what to type next."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fairweather_research._terminal import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairweather_interface.delivery import Delivery

    from fairweather_research.training import Progress

__all__ = ["show_skill", "shown"]


@contextmanager
def shown(end: str = "delivered") -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar where someone is watching, a line a stage where not."""
    from rich.progress import (  # noqa: PLC0415 - rich is slow
        BarColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars  # noqa: PLC0415

    from fairweather_research.training import STAGES  # noqa: PLC0415

    terminal = console()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=terminal, disable=not terminal.is_terminal) as bars:
        task = bars.add_task("", total=len(STAGES), note="")
        order = list(STAGES)

        def show(progress: Progress) -> None:
            done = float(order.index(progress.stage))
            note = ""
            if progress.epoch and progress.epochs:
                done += progress.epoch.number / progress.epochs
                note = f"epoch {progress.epoch.number}, loss {progress.epoch.calibration:.3f}"
            elif not terminal.is_terminal:
                terminal.print(STAGES[progress.stage])
            for line in progress.foresight.lines if progress.foresight else ():
                terminal.print(f"warning: {line}", markup=False, soft_wrap=True)
            bars.update(task, completed=done, description=STAGES[progress.stage], note=note)

        yield show
        bars.update(task, completed=len(STAGES), description=end, note="")


def show_skill(delivery: Delivery) -> None:
    """The table of skill, and what to type next."""
    from fairweather_interface.definitions import VARIABLES  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415 - rich is slow

    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    judgements: list[dict[str, Any]] = metrics["judgements"]
    metadata = delivery.metadata
    table = Table(
        title=f"{metadata.model_type}: mean absolute error on held-out time, by lead day",
        title_justify="left",
        caption="skill: the share of the better baseline's error that the model takes away",
        caption_justify="left",
    )
    table.add_column("area, variable")
    table.add_column("")
    for day in judgements[0]["days"]:
        table.add_column(str(day["day"]), justify="right")
    table.add_column("all", justify="right")
    off: list[str] = []
    for one in judgements:
        name = f"{one['area']} {one['variable']} ({VARIABLES[one['variable']].symbol})"
        for label, key in (
            ("model", "mae"),
            ("climatology", "climatology_mae"),
            ("persistence", "persistence_mae"),
        ):
            errors = [f"{day[key]:.2f}" for day in one["days"]]
            table.add_row(name if key == "mae" else "", label, *errors, f"{one[key]:.2f}")
        skills = [_percent(day["skill"]) for day in one["days"]]
        table.add_row("", "skill", *skills, _percent(one["skill"]), end_section=not one["coverage"])
        if one["coverage"]:
            held = [_percent(day["inside"]) for day in one["coverage"]["days"]]
            whole = one["coverage"]["whole"]
            band = f"in the {_percent(one['coverage']['declared'])} band"
            table.add_row("", band, *held, _percent(whole["inside"]), end_section=True)
            if whole["verdict"].startswith("too"):
                off.append(f"The band of {name} is {whole['verdict']}.")
    terminal = console()
    terminal.print(table)
    for line in off:
        terminal.print(line, markup=False)
    for artifact in metadata.artifacts:
        if artifact.omitted:
            terminal.print(
                f"No {artifact.format} artifact: {artifact.omitted}", markup=False, soft_wrap=True
            )
    terminal.print(
        f"Model card: {delivery.path / 'card' / 'index.html'}\n"
        f"Look closer: fairweather-interface show {delivery.path}\n"
        f"Serve it: FAIRWEATHER_STORE={delivery.path.parent} flask --app fairweather_app run",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{round(100 * share) + 0} %"
