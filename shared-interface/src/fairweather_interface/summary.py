"""A summary of what a model declares, in words: of the command `show` and of a plain card."""

from __future__ import annotations

from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import Bounds, ModelMetadata, Performance, Score


def describe(metadata: ModelMetadata, digest: str = "") -> list[tuple[str, str]]:
    """Return what a person wants to know of a delivery, as names and values, in order."""
    rows = [
        ("delivery", metadata.delivery_id),
        ("digest", digest),
        ("schema", f"{metadata.schema_version} (readers of {metadata.min_reader} and later)"),
        ("topic", metadata.topic or ""),
        ("model type", metadata.model_type),
        ("author", metadata.author),
        ("created", metadata.created_at.isoformat()),
        ("areas", ", ".join(metadata.areas)),
        ("months", ", ".join(map(str, metadata.valid_months))),
    ]
    for item in metadata.required_inputs:
        if item.period is not None and item.sample_rate is not None:
            window = f"{format_duration(item.period)} at {format_duration(item.sample_rate)}"
            named = f"{item.variable} [{item.unit}] of {', '.join(item.areas or ('the area',))}"
            fresh = f", newest at most {format_duration(item.max_age)} old" if item.max_age else ""
            fit = f"at most {item.max_missing:.0%} missing{fresh}"
            rows.append(("requires", f"{named}, {window}, {fit}"))
    for output in metadata.outputs:
        steps = f"{format_duration(output.horizon)}, every {format_duration(output.step)}"
        rows.append(("forecasts", f"{output.variable} [{output.unit}] for {steps}"))
    for name, bounds in (metadata.applicability_domain or {}).items():
        (unit,) = {item.unit or "" for item in metadata.required_inputs if item.name == name}
        rows.append(("fit for", f"{name} {_bounds(bounds, unit)}"))
    for output in metadata.outputs:
        quantiles = [f"{each.probability:.6g}" for each in metadata.quantiles(output.name)]
        if quantiles:
            rows.append(("uncertainty", f"{output.variable}: quantiles {', '.join(quantiles)}"))
    for artifact in metadata.artifacts:
        place = f"left out, {artifact.omitted}" if artifact.path is None else artifact.path
        mark = " (canonical)" if artifact.canonical else ""
        rows.append(("artifact", f"{artifact.format}: {place}{mark}"))
    for name, each in (metadata.declared_variables or {}).items():
        limits = f"{each.minimum:g} to {each.maximum:g} {each.unit}"
        rows.append(("variable", f"{name} ({each.row(name).label}), from {limits}"))
    for score in metadata.performance:
        of = f"{score.area} {score.variable}: "
        days = [f"day {each.day} {_skill(each)}" for each in score.by_lead_day or ()]
        ages = [f"{format_duration(each.age)} old {_skill(each)}" for each in score.by_age or ()]
        rows.append(("skill", f"{of}{_skill(score)}, MAE {score.mae:.2f}"))
        rows += [("by lead day", of + ", ".join(days))] if days else []
        rows += [("day 1 by age", of + ", ".join(ages))] if ages else []
    people = ("intended use", "limitations", "licence", "contact")
    training = metadata.training
    made_up = " (synthetic)" if training.synthetic else ""
    rows += [(name, getattr(metadata, name.replace(" ", "_")) or "") for name in people]
    rows += [
        ("trained on", (training.data_source or "what is not said") + made_up),
        ("trained until", training.train_end_time.isoformat()),
        *(("unknown field", path) for path in metadata.unknown_fields),
    ]
    return [(name, value) for name, value in rows if value]


def _skill(score: Performance | Score) -> str:
    """Return a skill, and the share inside the band where it is declared, in words."""
    skill = "none to tell" if score.skill is None else f"{score.skill:+.1%}"
    coverage = score.coverage if isinstance(score, Score) else None
    return skill if coverage is None else f"{skill} ({coverage:.0%} in the band)"


def _bounds(bounds: Bounds, unit: str) -> str:
    """Return bounds in words."""
    parts = [] if bounds.minimum is None else [f"from {bounds.minimum:g} {unit}"]
    parts += [] if bounds.maximum is None else [f"up to {bounds.maximum:g} {unit}"]
    if bounds.max_missing is not None:
        parts.append(f"at most {100 * bounds.max_missing:g} % missing")
    return ", ".join(parts)
