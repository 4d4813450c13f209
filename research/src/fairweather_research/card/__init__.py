"""The model card: one page for people, generated from metadata and evaluation.

``index.html`` carries everything inside itself - styles and plots, no scripts, no address it would
ask for - and reads under the strictest content security policy. ``metrics.json`` holds the numbers.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import jinja2
import yaml
from fairweather_interface.applicability import domain_of
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.durations import format_duration

from fairweather_research.card.plots import (
    coverage_plot,
    error_plot,
    forecast_plot,
    training_plot,
)

if TYPE_CHECKING:
    from fairweather_interface.metadata import Bounds, Input, ModelMetadata

    from fairweather_research.evaluation import Judgement
    from fairweather_research.observations import QualityReport
    from fairweather_research.results import TrainingResult

__all__ = ["write_card"]

_VERDICTS = {
    "as declared": "as declared, within the doubt",
    "too narrow": "too narrow, more fell outside than declared",
    "too wide": "too wide, less fell outside than declared",
    "not known": "too little held-out time to tell",
}
_MONTHS = "January February March April May June July August September October November December"


def write_card(
    folder: Path, metadata: ModelMetadata, result: TrainingResult, report: QualityReport
) -> None:
    """Write ``index.html`` and ``metrics.json`` into ``folder``, which is made."""
    folder.mkdir()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "image": _image,
        "label": lambda variable: VARIABLES[variable].label,
        "symbol": lambda variable: VARIABLES[variable].symbol,
        "utc": lambda time: f"{time:%Y-%m-%d %H:%M} UTC",
        "share": _share,
        "percent": lambda share: f"{round(100 * share, 8):g} %",
        "counted": lambda share: f"{100 * share:.1f} %",
    }
    page = environment.get_template("card.html.j2").render(
        metadata=metadata,
        months=[_MONTHS.split()[month - 1] for month in metadata.valid_months],
        judgements=[_section(judgement, metadata) for judgement in result.judgements],
        domain=[_bounds(item, bounds) for item, bounds in _bounded(metadata)],
        verdicts=_VERDICTS,
        training=training_plot(
            result.epochs,
            [branch.best_epoch for branch in result.branches] or [result.best_epoch],
        ),
        result=result,
        report=report,
        recipe=yaml.safe_dump(dict(metadata.training.recipe), sort_keys=False, allow_unicode=True),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "metrics.json").write_text(
        json.dumps(_metrics(metadata, result, report), indent=2, default=_plain) + "\n",
        encoding="utf-8",
    )


def _section(judgement: Judgement, metadata: ModelMetadata) -> dict[str, Any]:
    return {
        "judgement": judgement,
        "forecast": forecast_plot(judgement, metadata.areas[judgement.area].timezone),
        "errors": error_plot(judgement),
        "coverage": judgement.coverage and coverage_plot(judgement, judgement.coverage),
        "off": [
            f"{day.verdict} on lead day {day.day}"
            for day in (judgement.coverage.days if judgement.coverage else ())
            if day.verdict.startswith("too")
        ],
    }


def _bounded(metadata: ModelMetadata) -> list[tuple[Input, Bounds]]:
    bounds = domain_of(metadata)
    return [(item, bounds[item.name]) for item in metadata.required_inputs if item.name in bounds]


def _bounds(item: Input, bounds: Bounds) -> tuple[str, str]:
    """The bounds of an input: what it is called, and what was seen of it."""
    spec = VARIABLES[item.variable or ""]
    least, most, gaps = bounds.minimum, bounds.maximum, bounds.max_missing
    said = []
    if least is not None or most is not None:
        edges = [
            f"{word} {edge:.1f}"
            for word, edge in (("from", least), ("up to", most))
            if edge is not None
        ]
        said.append(f"observations {' '.join(edges)} {spec.symbol}")
    if gaps is not None:
        said.append(f"windows that lack up to {gaps:.1%} of their values")
    over = f" over {', '.join(item.areas)}" if item.areas else ""
    return spec.label + over, " and ".join(said) + " were seen"


def _metrics(
    metadata: ModelMetadata, result: TrainingResult, report: QualityReport
) -> dict[str, Any]:
    return {
        "delivery_id": metadata.delivery_id,
        "model_digest": metadata.model_digest,
        **result.model_dump(mode="json"),
        "quality": [dataclasses.asdict(series) for series in report.series],
    }


def _plain(value: object) -> str | float:
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no place in metrics.json")


def _image(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _share(value: float | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    percent = round(100 * value, 1) + 0.0  # never a negative zero
    sign = "+" if percent > 0 else "\N{MINUS SIGN}" if percent < 0 else ""
    return f"{sign}{abs(percent):.1f} %"
