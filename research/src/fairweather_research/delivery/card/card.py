"""The model card: one page for people, made from metadata and evaluation.

``index.html`` carries everything inside itself - styles and drawings, no scripts, no address it
would ask for - and reads under the strictest content security policy. ``metrics.json`` holds the
numbers. A result whose figures are not those of the metadata is refused: the card cannot disagree
with its delivery.
"""

from __future__ import annotations

import calendar
import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import yaml
from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import Bounds, Input, ModelMetadata
from fairweather_interface.variables import Variable
from fairweather_interface.verdict import Verdict
from markupsafe import Markup

from fairweather_research.delivery.card.plots import (
    Plot,
    bias_plot,
    coverage_plot,
    error_plot,
    named,
    reliability_plot,
    season_plot,
    spread_plot,
    training_plot,
    week_plot,
)
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.evaluation.scores import BASELINES, Evaluation
from fairweather_research.evaluation.trust import trust_sentence
from fairweather_research.networks.base import NETWORKS
from fairweather_research.observations.report import QualityReport
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes.blueprint import lead_days

_HELD = {
    "as declared": "as declared (within sampling error)",
    "too narrow": "too narrow (more values outside than declared)",
    "too wide": "too wide (fewer values outside than declared)",
    "not known": "unknown (too little held-out data)",
}
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

    ``verdicts`` are of releases of the software, by name, such as ``fairweather-app 0.3.0``.
    """
    folder.mkdir()
    most = max(_FEWEST, min(_MOST, _POINTS // min(len(result.judgements), _PICTURED)))
    training = Provenance.of(metadata)
    network = training.recipe.get("network")
    variables = metadata.variable_table
    labels = {name: each.label.lower() for name, each in variables.items()}
    trust = trust_sentence([(labels[one.variable], one.days) for one in result.judgements])
    page = _template().render(
        metadata=metadata,
        variables=variables,
        training=training,
        months=[calendar.month_name[month] for month in metadata.valid_months],
        series=[
            {
                "evaluation": one,
                "better": fmean(day.baselines[day.baseline] for day in one.days),
                "pictures": _pictures(
                    one, variables[one.variable], metadata.areas[one.area].timezone, most
                )
                if place < _PICTURED
                else [],
            }
            for place, one in enumerate(result.judgements)
        ],
        pictured=_PICTURED,
        baselines=BASELINES,
        domain=[
            _input(item, variables[item.variable or ""], metadata, result)
            for item in metadata.required_inputs
        ],
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
        source=SOURCES.get(training.data_source),
        packaged=training.data_source in SOURCES,
        plugged=None if network in (None, *NETWORKS) else network,
        trust=trust,
        use={
            "Intended use": metadata.intended_use,
            "Limitations": metadata.limitations,
            "Licence": metadata.licence,
            "Contact": metadata.contact,
        },
        network_trust=[
            (output.variable, _by_day(result.shrinkage[output.name], output.step))
            for output in metadata.outputs
        ],
        recipe=yaml.safe_dump(dict(training.recipe), sort_keys=False, allow_unicode=True),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "metrics.json").write_text(
        json.dumps(_metrics(metadata, result, report, trust), indent=2, default=_plain) + "\n",
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
        "number": lambda value: f"{value:.2f}".replace("-", "\N{MINUS SIGN}"),
        "percent": lambda share: f"{round(100 * share, 8):g} %",
        "share": _share,
        "signed": lambda value: f"{value:+.2f}".replace("-", "\N{MINUS SIGN}"),
        "utc": lambda time: f"{time:%Y-%m-%d %H:%M} UTC",
    }
    return environment.get_template("card.html.j2")


def _pictures(evaluation: Evaluation, spec: Variable, timezone: str, most: int) -> list[Plot]:
    """Plot the errors by lead day and in two weeks, and the coverage of the bands."""
    plots = [error_plot(evaluation, spec), bias_plot(evaluation, spec)]
    for rule, trace in (("median", evaluation.trace), ("largest", evaluation.worst)):
        if trace:
            plots.append(week_plot(evaluation, spec, trace, timezone, rule=rule, most=most))
    if coverage := evaluation.coverage:
        plots += [
            coverage_plot(evaluation, spec, coverage),
            reliability_plot(evaluation, spec, coverage),
        ]
    return plots


def _input(
    item: Input, spec: Variable, metadata: ModelMetadata, result: TrainingResult
) -> dict[str, Any]:
    """Describe one input: its name, its bounds, and its distribution in training."""
    bounds = (metadata.applicability_domain or {}).get(item.name, Bounds())
    statistics = result.portraits.get(item.name)
    return {
        "input": item,
        "name": named(item, spec),
        "bounds": _bounds(spec, bounds),
        "pictures": [
            spread_plot(item, spec, bounds, statistics),
            season_plot(item, spec, bounds, statistics),
        ]
        if statistics
        else [],
    }


def _bounds(spec: Variable, bounds: Bounds) -> str:
    """Describe the bounds of an input; empty where there are none."""
    edges = [
        f"{word} {edge:.1f}"
        for word, edge in (("from", bounds.minimum), ("up to", bounds.maximum))
        if edge is not None
    ]
    parts = [f"{' '.join(edges)} {spec.symbol}"] if edges else []
    if bounds.max_missing is not None:
        parts.append(f"with up to {bounds.max_missing:.1%} of the values missing")
    return ", ".join(parts)


def _by_day(leads: Sequence[float], step: timedelta) -> list[float]:
    """Return the value in the middle of each lead day, the last of which may be short."""
    days = lead_days(len(leads), timedelta(days=1) // step)
    return [leads[(day.start + day.stop) // 2] for day in days]


def _metrics(
    metadata: ModelMetadata, result: TrainingResult, report: QualityReport, trust: str
) -> dict[str, Any]:
    found = result.model_dump(mode="json")
    for evaluation in found["judgements"]:
        for score in (evaluation, *evaluation["days"], *evaluation["ages"]):
            score |= {f"{name}_mae": error for name, error in score.pop("baselines").items()}
    return {
        "delivery_id": metadata.delivery_id,
        "model_digest": metadata.model_digest,
        "synthetic": metadata.training.synthetic,
        "trust": trust,
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
