"""Put what a delivery declares into words, for the page of one delivery.

Metadata are read as plain data, so that a delivery of a newer schema is shown with all that this
release does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fairweather_interface.definitions import VARIABLES
from fairweather_interface.durations import parse_iso_duration

from fairweather_app.api.schemas import LiveScoreSummary, ModelDetail
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import MONTHS, NO_BREAK

ALL_MONTHS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillRow:
    """How well it did on held-out time, for one area and variable."""

    area: str
    variable: str
    error: str
    skill: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """How well its answers did, for one area and variable on one lead day."""

    area: str
    variable: str
    lead_day: int
    count: int
    error: str
    bias: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredView:
    """What the page of a delivery shows of what it declares.

    Attributes:
        source: what it learned from.
        location: where that can be had again, and whom its licence wants to be named.
        span: from when to when that goes; empty while it is not known.
    """

    season: str
    horizon: str
    needs: tuple[str, ...]
    bounds: tuple[str, ...]
    artifacts: tuple[str, ...]
    source: str
    location: str
    span: str
    skills: tuple[SkillRow, ...]
    scores: tuple[ScoreRow, ...]


def declared_view(detail: ModelDetail) -> DeclaredView:
    """Return what to show of a delivery; all of it empty while its metadata cannot be read."""
    metadata = detail.metadata or {}
    training = metadata.get("training", {})
    units = {each["variable"]: each["unit"] for each in metadata.get("outputs", ())}
    return DeclaredView(
        season=season(detail.valid_months),
        horizon=_horizon(metadata.get("outputs", ())),
        needs=tuple(_needs(metadata.get("inputs", ()))),
        bounds=tuple(_bounds(metadata)),
        artifacts=tuple(each["format"] for each in metadata.get("artifacts", ())),
        source=training.get("data_source", ""),
        location=training.get("data_location", ""),
        span=" to ".join(
            wording.trained_until(datetime.fromisoformat(training[end]))
            for end in ("train_start_time", "train_end_time")
            if training.get(end)
        ),
        skills=tuple(_skill(each, units) for each in metadata.get("performance", ())),
        scores=tuple(_score(each, units) for each in detail.live_scores or ()),
    )


def season(months: Sequence[int]) -> str:
    """``October to March``, ``all year``, ``January, June and July``."""
    if not months or len(set(months)) == ALL_MONTHS:
        return "all year" if months else ""
    chosen = set(months)
    begins = [each for each in sorted(chosen) if (each - 2) % ALL_MONTHS + 1 not in chosen]
    if len(begins) == 1 and len(chosen) > 1:
        last = (begins[0] + len(chosen) - 2) % ALL_MONTHS
        return f"{MONTHS[begins[0] - 1]} to {MONTHS[last]}"
    return wording.listed([MONTHS[each - 1] for each in sorted(chosen)])


def _horizon(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Return how far it forecasts: ``7 days, every hour``."""
    spans = {(parse_iso_duration(each["step"]), each["shape"][-1]) for each in outputs}
    return wording.listed(
        [f"{duration(step * count)}, {every(step)}" for step, count in sorted(spans)]
    )


def duration(span: timedelta) -> str:
    """``7 days``, ``1 hour``, ``90 minutes``; in the largest unit that says it whole."""
    for size, word in (
        (timedelta(days=1), "day"),
        (timedelta(hours=1), "hour"),
        (timedelta(minutes=1), "minute"),
    ):
        if span >= size and not span % size:
            return wording.counted(span // size, word)
    return wording.counted(round(span.total_seconds()), "second")


def every(span: timedelta) -> str:
    """``every hour``, ``every 5 minutes``."""
    return f"every {duration(span).removeprefix('1 ')}"


def _needs(inputs: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return its inputs: ``temperature of the last 30 days, every hour``."""
    told = []
    for each in inputs:
        if each.get("role") != "observations":
            continue
        period, rate = parse_iso_duration(each["period"]), parse_iso_duration(each["sample_rate"])
        where = f", mean of {wording.listed(each['areas'])}" if each.get("areas") else ""
        told.append(
            f"{wording.label(each['variable']).lower()} of the last {duration(period)}, "
            f"{every(rate)}{where}; {round(100 * each['max_missing'])}"
            f"{NO_BREAK}% may be missing"
        )
    return told


def _bounds(metadata: Mapping[str, Any]) -> Sequence[str]:
    """Return the bounds of the inputs that it declares itself fit for."""
    found = {
        name: dict(bounds) for name, bounds in metadata.get("applicability_domain", {}).items()
    }
    for variable in ("temperature", "humidity"):
        seen = metadata.get(f"max_{variable}_seen")
        if seen is not None:
            found.setdefault(variable, {}).setdefault("maximum", seen)
    return [_bound(name, bounds) for name, bounds in found.items()]


def _bound(variable: str, bounds: Mapping[str, Any]) -> str:
    said = []
    known = VARIABLES.get(variable)
    unit = f"{NO_BREAK}{known.symbol}" if known else ""
    if bounds.get("minimum") is not None:
        said.append(f"not below {wording.number(bounds['minimum'], 1)}{unit}")
    if bounds.get("maximum") is not None:
        said.append(f"not above {wording.number(bounds['maximum'], 1)}{unit}")
    if bounds.get("max_missing") is not None:
        said.append(f"at most {round(100 * bounds['max_missing'])}{NO_BREAK}% missing")
    return f"{wording.label(variable)}: {wording.listed(said)}"


def _skill(each: Mapping[str, Any], units: Mapping[str, str]) -> SkillRow:
    unit = wording.symbol(each["variable"], units.get(each["variable"], ""))
    skill, interval = each.get("skill"), each.get("skill_interval")
    text = wording.NOTHING if skill is None else wording.number(skill, 2)
    if interval:
        low, high = (wording.number(end, 2) for end in interval)
        text += f" ({low} to {high})"
    return SkillRow(
        area=each["area"],
        variable=wording.label(each["variable"]),
        error=f"{wording.number(each['mae'], 2)}{NO_BREAK}{unit}",
        skill=text,
    )


def _score(each: LiveScoreSummary, units: Mapping[str, str]) -> ScoreRow:
    unit = wording.symbol(each.variable, units.get(each.variable, ""))
    return ScoreRow(
        area=each.area,
        variable=wording.label(each.variable),
        lead_day=each.lead_day,
        count=each.count,
        error=f"{wording.number(each.mae, 2)}{NO_BREAK}{unit}",
        bias=f"{wording.number(each.bias, 2)}{NO_BREAK}{unit}",
    )
