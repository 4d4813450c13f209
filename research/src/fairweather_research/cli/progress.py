"""Show a training on a terminal: its stages, its skill, and what to type next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import ModelMetadata
from rich import progress as rich_progress
from rich.table import Table

from fairweather_research.cli.terminal import console, printed
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.training.train import STAGES, Progress


@contextmanager
def show_progress(end: str = "delivered") -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar on a terminal, a line a stage elsewhere."""
    terminal = console()
    columns = (
        rich_progress.SpinnerColumn(),
        rich_progress.TextColumn("{task.description:<34}"),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TextColumn("{task.fields[note]}"),
        rich_progress.TimeElapsedColumn(),
    )
    disable = not terminal.is_terminal
    with rich_progress.Progress(*columns, console=terminal, disable=disable) as bars:
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
            if progress.quality:
                terminal.print(progress.quality, markup=False, soft_wrap=True)
            for line in progress.warnings:
                terminal.print(printed(f"warning: {line}"), markup=False, soft_wrap=True)
            bars.update(task, completed=done, description=STAGES[progress.stage], note=note)

        yield show
        bars.update(task, completed=len(STAGES), description=end, note="")


def show_skill(delivery: Delivery, problems: Sequence[str] = ()) -> None:
    """Print the table of skill, why it cannot be served, if so, and what to type next.

    Args:
        delivery: what was trained.
        problems: why no live software can serve it; empty where one does.
    """
    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    metadata = delivery.metadata
    table, lines = _table(metadata, metrics["judgements"])
    if metadata.training.synthetic:
        lines.insert(
            0,
            "Synthetic: trained and evaluated on generated data; these figures do not hold for "
            "what is observed.",
        )
    lines[:0] = [metrics["trust"], *_untrusted(metadata, metrics["shrinkage"])]
    lines += [
        f"No {each.format} artifact: {each.omitted}" for each in metadata.artifacts if each.omitted
    ]
    lines += [f"No live software can serve this: {reason}" for reason in problems]
    lines += [
        f"Model card: {delivery.path / 'card' / 'index.html'}",
        f"Details: fairweather-interface show {delivery.path}",
        f"Kept in the store, for software that can serve it: {delivery.path}"
        if problems
        else f"Serve: FAIRWEATHER_STORE={delivery.path.parent} flask --app fairweather_app run",
    ]
    terminal = console()
    terminal.print(table)
    terminal.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _untrusted(metadata: ModelMetadata, trust: dict[str, list[float]]) -> list[str]:
    """Say for which variables the network counts at no lead, if any."""
    names = [each.variable for each in metadata.outputs if not any(trust[each.name])]
    sentence = (
        f"The network is trusted nowhere for {' and '.join(names)}: on calibration time it was no "
        "better than climatology at any lead, so every forecast is the usual for the season. Bring "
        "more observations, or try another network."
    )
    return [sentence] if names else []


def _table(
    metadata: ModelMetadata, evaluations: Sequence[dict[str, Any]]
) -> tuple[Table, list[str]]:
    """Return the table of skill, and a sentence for each band that is too narrow or too wide."""
    table = Table(
        title=f"{metadata.model_type}: mean absolute error on held-out time, by lead day",
        title_justify="left",
        caption="skill: error reduction relative to the better baseline of each day",
        caption_justify="left",
    )
    table.add_column("area, variable")
    table.add_column("")
    numbers = sorted({day["day"] for one in evaluations for day in one["days"]})
    for number in (*numbers, "all"):
        table.add_column(str(number), justify="right")
    off: list[str] = []
    variables = metadata.variable_table
    for one in evaluations:
        name = f"{one['area']} {one['variable']} ({variables[one['variable']].symbol})"
        rows = [("model", "mae", one)]
        rows += [(baseline, f"{baseline}_mae", one) for baseline in reversed(BASELINES)]
        rows.append(("skill", "skill", one))
        if coverage := one["coverage"]:
            inside = {"days": coverage["days"], "inside": coverage["whole"]["inside"]}
            rows.append((f"in the {_percent(coverage['declared'])} band", "inside", inside))
            if coverage["whole"]["verdict"].startswith("too"):
                off.append(f"The band of {name} is {coverage['whole']['verdict']}.")
        for label, key, scores in rows:
            form = "{:.2f}".format if key.endswith("mae") else _percent
            found = {day["day"]: form(day[key]) for day in scores["days"]}
            cells = (found.get(number, "-") for number in numbers)  # a day may lack observations
            table.add_row(name if label == "model" else "", label, *cells, form(scores[key]))
        table.add_section()
    return table, off


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{round(100 * share) + 0} %"
