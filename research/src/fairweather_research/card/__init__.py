"""The model card: one page for people, generated from metadata and evaluation.

``index.html`` carries everything inside itself - styles and drawings, no scripts, no address it
would ask for - and reads under the strictest content security policy. ``metrics.json`` holds the
numbers. What the metadata say is taken from them; what they do not say comes from the training's
own result, which is held against them first: the card cannot disagree with its delivery.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import yaml
from fairweather_interface.applicability import domain_of
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import Bounds, Input, ModelMetadata, Performance
from fairweather_interface.verdict import Verdict
from markupsafe import Markup

from fairweather_research.blueprint import lead_days
from fairweather_research.card.plots import (
    Plot,
    bias_plot,
    coverage_plot,
    error_plot,
    reliability_plot,
    season_plot,
    spread_plot,
    training_plot,
    week_plot,
)
from fairweather_research.errors import TrainingError
from fairweather_research.evaluation import BASELINES, Judgement
from fairweather_research.networks import NETWORKS
from fairweather_research.observations import QualityReport
from fairweather_research.results import TrainingResult
from fairweather_research.sources import SOURCES

__all__ = ["write_card"]

_HELD = {
    "as declared": "as declared, within the doubt",
    "too narrow": "too narrow, more fell outside than declared",
    "too wide": "too wide, less fell outside than declared",
    "not known": "too little held-out time to tell",
}
_MONTHS = "January February March April May June July August September October November December"
#: Series that are drawn; a card of many areas would be too large to open on a phone.
_PICTURED = 12
#: Points that all lines of one kind may have together, and each of them at least and at most.
_POINTS, _FEWEST, _MOST = 2400, 56, 168


def write_card(
    folder: Path,
    metadata: ModelMetadata,
    result: TrainingResult,
    report: QualityReport,
    *,
    verdicts: Sequence[tuple[str, Verdict]] = (),
) -> None:
    """Write ``index.html`` and ``metrics.json`` into ``folder``, which is made.

    Args:
        folder: where; its parent is there.
        metadata: what the delivery says of itself.
        result: what its training found out besides.
        report: of the quality control of its observations.
        verdicts: releases of the software it was checked against, such as ``fairweather-app
            0.3.0``, each with what it said.

    Raises:
        TrainingError: metadata and result are not of one training.
    """
    _hold(metadata, result)
    folder.mkdir()
    drawn = min(len(result.judgements), _PICTURED)
    most = max(_FEWEST, min(_MOST, _POINTS // drawn))
    page = _template().render(
        metadata=metadata,
        training=metadata.training,
        months=[_MONTHS.split()[month - 1] for month in metadata.valid_months],
        series=[
            _section(one, said, metadata, most if place < _PICTURED else 0)
            for place, (one, said) in enumerate(
                zip(result.judgements, metadata.performance, strict=True)
            )
        ],
        pictured=_PICTURED,
        baselines=BASELINES,
        domain=[_input(item, metadata, result) for item in metadata.required_inputs],
        held=_HELD,
        curve=training_plot(
            result.epochs,
            [branch.best_epoch for branch in result.branches] or [result.best_epoch],
        )
        if result.epochs
        else None,
        result=result,
        report=report,
        verdicts=verdicts,
        source=SOURCES.get(metadata.training.data_source),
        packaged=metadata.training.data_source in SOURCES,
        plugged=_plugged(metadata.training.recipe),
        trust=[
            (output.variable, _by_day(result.shrinkage[output.name], output.step))
            for output in metadata.outputs
        ],
        recipe=yaml.safe_dump(dict(metadata.training.recipe), sort_keys=False, allow_unicode=True),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "metrics.json").write_text(
        json.dumps(_metrics(metadata, result, report), indent=2, default=_plain) + "\n",
        encoding="utf-8",
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": lambda share: f"{100 * share:.1f} %",
        "drawn": Markup,  # our own drawings, whose texts are escaped
        "duration": format_duration,
        "label": lambda variable: VARIABLES[variable].label,
        "number": lambda value: f"{value:.2f}".replace("-", "\N{MINUS SIGN}"),
        "percent": lambda share: f"{round(100 * share, 8):g} %",
        "share": _share,
        "signed": lambda value: f"{value:+.2f}".replace("-", "\N{MINUS SIGN}"),
        "symbol": lambda variable: VARIABLES[variable].symbol,
        "utc": lambda time: f"{time:%Y-%m-%d %H:%M} UTC",
    }
    return environment.get_template("card.html.j2")


def _hold(metadata: ModelMetadata, result: TrainingResult) -> None:
    """Refuse to draw a result under metadata that say other things."""
    said = [(p.area, p.variable, p.mae, p.rmse, p.bias, p.skill) for p in metadata.performance]
    found = [(j.area, j.variable, j.mae, j.rmse, j.bias, j.skill) for j in result.judgements]
    if said != found:
        raise TrainingError(
            f"found metadata of {len(said)} and a result of {len(found)} judgements that do not "
            "agree, expected those of one training: no card was written"
        )


def _section(
    judgement: Judgement, said: Performance, metadata: ModelMetadata, most: int
) -> dict[str, Any]:
    """One area and variable: its figures from the metadata, its pictures from the result."""
    timezone = metadata.areas[judgement.area].timezone
    coverage = judgement.coverage
    return {
        "said": said,
        "judgement": judgement,
        "pictures": _pictures(judgement, timezone, most) if most else [],
        "off": [
            f"{day.verdict} on lead day {day.day}"
            for day in (coverage.days if coverage else ())
            if day.verdict.startswith("too")
        ],
    }


def _pictures(judgement: Judgement, timezone: str, most: int) -> list[Plot]:
    """How far it is off, by lead day and in two weeks, and how its bands held."""
    coverage = judgement.coverage
    weeks = [("median", judgement.trace), ("largest", judgement.worst)]
    return [
        error_plot(judgement),
        bias_plot(judgement),
        *(
            week_plot(judgement, trace, timezone, rule=rule, most=most)
            for rule, trace in weeks
            if trace
        ),
        *(
            (coverage_plot(judgement, coverage), reliability_plot(judgement, coverage))
            if coverage
            else ()
        ),
    ]


def _input(item: Input, metadata: ModelMetadata, result: TrainingResult) -> dict[str, Any]:
    """One input: what it is called, what bounds hold, and how training saw it."""
    bounds = domain_of(metadata).get(item.name)
    portrait = result.portraits.get(item.name)
    over = f" over {', '.join(item.areas)}" if item.areas else ""
    return {
        "input": item,
        "name": VARIABLES[item.variable or ""].label + over,
        "bounds": bounds and _bounds(item, bounds),
        "pictures": [spread_plot(item, bounds, portrait), season_plot(item, bounds, portrait)]
        if portrait
        else [],
    }


def _bounds(item: Input, bounds: Bounds) -> str:
    """What was seen of an input, in words."""
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
    return " and ".join(said) + " were seen"


def _by_day(leads: Sequence[float], step: timedelta) -> list[float]:
    """What holds in the middle of each lead day, the last of which may be short."""
    days = lead_days(len(leads), timedelta(days=1) // step)
    return [leads[(day.start + day.stop) // 2] for day in days]


def _plugged(recipe: Mapping[str, object]) -> str | None:
    """The network from outside this package that a recipe names."""
    network = recipe.get("network")
    return None if network is None or network in NETWORKS else str(network)


def _metrics(
    metadata: ModelMetadata, result: TrainingResult, report: QualityReport
) -> dict[str, Any]:
    found = result.model_dump(mode="json")
    for judgement in found["judgements"]:
        for score in (judgement, *judgement["days"]):
            score |= {f"{name}_mae": error for name, error in score.pop("baselines").items()}
    return {
        "delivery_id": metadata.delivery_id,
        "model_digest": metadata.model_digest,
        "synthetic": metadata.training.synthetic,
        **found,
        "quality": [dataclasses.asdict(series) for series in report.series],
    }


def _plain(value: object) -> str | float:
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no place in metrics.json")


def _share(value: float | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    percent = round(100 * value, 1) + 0.0  # never a negative zero
    sign = "+" if percent > 0 else "\N{MINUS SIGN}" if percent < 0 else ""
    return f"{sign}{abs(percent):.1f} %"
