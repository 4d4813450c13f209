"""What a fleet delivered, for people: rows for a table, and a page with links to all model cards.

The page is one file, with no scripts and nothing loaded from outside. It lies in the store's hidden
folder ``.fleet/``, which no reader takes for a delivery, and finds the cards by relative paths: a
store that is moved or copied takes it along. It is written anew by every run of the plan.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import jinja2
from fairweather_interface.delivery import CARD, METADATA
from fairweather_interface.metadata import ModelMetadata, read_metadata

from fairweather_research.errors import TrainingError
from fairweather_research.fleet.store_index import HIDDEN
from fairweather_research.fleet.tasks import Outcome, State
from fairweather_research.recipes.plan import Plan
from fairweather_research.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Row:
    """One training, and the metadata of its delivery, where there is one."""

    outcome: Outcome
    recipe: Recipe
    metadata: ModelMetadata | None

    @property
    def skills(self) -> tuple[str, ...]:
        """For each area and variable, its error and its skill on held-out time."""
        if self.metadata is None:
            return ()
        variables = self.metadata.variable_table
        return tuple(
            f"{one.area} {variables[one.variable].label.lower()}: {one.mae:.2f} "
            f"{variables[one.variable].symbol}, skill "
            + ("not known" if one.skill is None else f"{round(100 * one.skill) + 0} %")
            for one in self.metadata.performance
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of it."""
        if self.metadata is None:
            return (self.outcome.reason or "",)
        omitted = (artifact.omitted for artifact in self.metadata.artifacts if artifact.omitted)
        made_up = ("trained on synthetic data",) if self.metadata.training.synthetic else ()
        return (*made_up, *(f"no ONNX artifact: {reason}" for reason in omitted))


def rows(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[Row, ...]:
    """Return the rows of a fleet, in the plan's order."""
    return tuple(
        Row(
            outcome=outcome,
            recipe=training.recipe,
            metadata=None
            if outcome.path is None
            else read_metadata((Path(outcome.path) / METADATA).read_bytes()),
        )
        for training, outcome in zip(plan.trainings, outcomes, strict=True)
    )


def default_page(plan: Plan, store: Path) -> Path:
    """Return where a plan's page lies when no other place is asked for."""
    return store / HIDDEN / f"{plan.name}.html"


def write_index(
    path: Path, plan: Plan, store: Path, found: Sequence[Row], *, warnings: Sequence[str] = ()
) -> None:
    """Write the page; it appears whole, in place of the one before.

    Raises:
        TrainingError: it cannot be written. The deliveries are there all the same.
    """
    template = jinja2.Template(
        Path(__file__).with_name("index.html.j2").read_text(encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = template.render(
        plan=plan,
        store=store,
        rows=found,
        card=lambda row: quote(os.path.relpath(Path(row.outcome.path) / CARD, path.parent)),
        warnings=warnings,
        there=sum(row.metadata is not None for row in found),
        waiting=State.WAITING,
        now=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}.{os.getpid()}")
        staged.write_text(page, encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        raise TrainingError(
            f"{path}: the index could not be written ({error.strerror}); every delivery of this "
            "fleet lies in the store all the same; give another place with --index"
        ) from error
