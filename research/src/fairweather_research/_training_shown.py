"""What a person sees of a training on a terminal: its stages, its skill, and what to type next."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fairweather_research._terminal import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fairweather_interface.delivery import Delivery
    from rich.table import Table

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


def show_skill(delivery: Delivery, unserved: Sequence[str] = ()) -> None:
    """The table of skill, what stands in the way of being served, and what to type next.

    Args:
        delivery: what was trained.
        unserved: why no live software can serve it; empty where one does.
    """
    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    metadata = delivery.metadata
    table, off = _table(metadata.model_type, metrics["judgements"])
    terminal = console()
    terminal.print(table)
    if metadata.training.synthetic:
        terminal.print(
            "Synthetic: trained on generated weather, and judged on it; these figures say nothing "
            "about real weather.",
            markup=False,
            soft_wrap=True,
        )
    for line in off:
        terminal.print(line, markup=False)
    for artifact in metadata.artifacts:
        if artifact.omitted:
            terminal.print(
                f"No {artifact.format} artifact: {artifact.omitted}", markup=False, soft_wrap=True
            )
    for reason in unserved:
        terminal.print(f"No live software can serve this: {reason}", markup=False, soft_wrap=True)
    serve = f"Serve it: FAIRWEATHER_STORE={delivery.path.parent} flask --app fairweather_app run"
    if unserved:
        serve = f"It stays in the store, for software that can: {delivery.path}"
    terminal.print(
        f"Model card: {delivery.path / 'card' / 'index.html'}\n"
        f"Look closer: fairweather-interface show {delivery.path}\n"
        f"{serve}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _table(model_type: str, judgements: Sequence[dict[str, Any]]) -> tuple[Table, list[str]]:
    """The table of skill, and the bands that do not hold, a sentence each."""
    from fairweather_interface.definitions import VARIABLES  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415 - rich is slow

    from fairweather_research.evaluation import BASELINES  # noqa: PLC0415 - NumPy is slow

    table = Table(
        title=f"{model_type}: mean absolute error on held-out time, by lead day",
        title_justify="left",
        caption="skill: the share of the better baseline's error that the model takes away",
        caption_justify="left",
    )
    table.add_column("area, variable")
    table.add_column("")
    numbers = sorted({day["day"] for one in judgements for day in one["days"]})
    for number in numbers:
        table.add_column(str(number), justify="right")
    table.add_column("all", justify="right")
    off: list[str] = []
    for one in judgements:
        name = f"{one['area']} {one['variable']} ({VARIABLES[one['variable']].symbol})"
        for label in ("model", *reversed(BASELINES)):
            key = "mae" if label == "model" else f"{label}_mae"
            errors = {day["day"]: f"{day[key]:.2f}" for day in one["days"]}
            cells = (errors.get(number, "-") for number in numbers)
            table.add_row(name if key == "mae" else "", label, *cells, f"{one[key]:.2f}")
        skills = _percents(one["days"], "skill", numbers)
        table.add_row("", "skill", *skills, _percent(one["skill"]), end_section=not one["coverage"])
        if one["coverage"]:
            held = _percents(one["coverage"]["days"], "inside", numbers)
            whole = one["coverage"]["whole"]
            band = f"in the {_percent(one['coverage']['declared'])} band"
            table.add_row("", band, *held, _percent(whole["inside"]), end_section=True)
            if whole["verdict"].startswith("too"):
                off.append(f"The band of {name} is {whole['verdict']}.")
    return table, off


def _percents(days: Sequence[dict[str, Any]], key: str, numbers: Sequence[int]) -> list[str]:
    """A cell for each lead day; on some nothing may have been observed."""
    found = {day["day"]: _percent(day[key]) for day in days}
    return [found.get(number, "-") for number in numbers]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{round(100 * share) + 0} %"
