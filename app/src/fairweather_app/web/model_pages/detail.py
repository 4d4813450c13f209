"""Show one delivery as a page: its state, its metadata in words, and how it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import flask
from fairweather_interface.metadata import Input, ModelMetadata
from fairweather_interface.metadata.evidence import Performance, Score
from fairweather_interface.names import LONGEST_NAME
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.api.model_listing import model_detail
from fairweather_app.api.schemas import LiveScoreSummary
from fairweather_app.errors import UnknownDeliveryError
from fairweather_app.forecasting.context import current_context
from fairweather_app.web.forecast.trust import DAY, mark
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import MONTHS, date_name
from fairweather_app.web.layout.rendering import answer_with, render

ALL_MONTHS = 12


def show_model(delivery_id: str) -> flask.Response:
    """Return the page of one delivery."""
    app_context = current_context()
    snapshot = app_context.catalogue.snapshot
    try:
        detail = model_detail(app_context, delivery_id)
        entry = snapshot.entry(delivery_id)
    except UnknownDeliveryError:
        lines = (
            f"asked for: {delivery_id[:LONGEST_NAME]}",
            "it may have left the store, or not have been read yet",
        )
        return answer_with(render("notice.html", title="No such delivery", lines=lines), 404)
    delivery = app_context.catalogue.delivery(entry)
    metadata = delivery.metadata if delivery is not None else None
    units = {each.variable: each.unit for each in metadata.outputs} if metadata else {}
    variables = metadata.variable_table if metadata else VARIABLES
    page = render(
        "model.html",
        detail=detail,
        metadata=metadata,
        model=_described(metadata, units, variables) if metadata else {},
        scores=[_score_row(each, units, variables) for each in detail.live_scores or ()],
        lived=snapshot.contents.rollout.compared(delivery_id),
        date_name=date_name,
        switched_off=app_context.selectors.rules.why_nowhere(entry) if entry.live else None,
    )
    return answer_with(page)


def _described(
    metadata: ModelMetadata, units: Mapping[str, str], variables: Mapping[str, Variable]
) -> dict[str, Any]:
    """Return what the page shows of metadata in words, by its names in the template."""
    training = metadata.training
    begin, until = training.train_start_time, f"to {date_name(training.train_end_time.date())}"
    guesses = _baselines(metadata)
    columns = ("Mean error", *map(wording.baseline, guesses), "Skill", "In the range")
    steps = sorted({(each.step, each.horizon) for each in metadata.outputs})
    return {
        "season": season(metadata.valid_months),
        "horizon": wording.listed(
            [f"{wording.duration(horizon)}, every {_step(step)}" for step, horizon in steps]
        ),
        "inputs": [_input(each, variables) for each in metadata.required_inputs],
        "bounds": list(_bounds(metadata, variables)),
        "period": f"{date_name(begin.date())} {until}" if begin else f"up {until}",
        "performance": [_performance_row(each, units, variables) for each in metadata.performance],
        "day_columns": ("Day", *columns, "The forecast is"),
        "by_lead_day": [
            (
                _group(each, units, variables),
                [
                    (
                        str(row.day),
                        *_score_cells(each, row, guesses, variables),
                        mark(days, row.day * DAY),
                    )
                    for row in days
                ],
            )
            for each in metadata.performance
            if (days := each.by_lead_day)
        ],
        "age_columns": ("Age", *columns),
        "by_age": [
            (
                _group(each, units, variables),
                [
                    (wording.duration(row.age), *_score_cells(each, row, guesses, variables))
                    for row in ages
                ],
            )
            for each in metadata.performance
            if (ages := each.by_age)
        ],
    }


def season(months: Sequence[int]) -> str:
    """Return ``October to March``, ``all year``, or ``January, June and July``."""
    if not months or len(set(months)) == ALL_MONTHS:
        return "all year" if months else ""
    chosen = set(months)
    begins = [each for each in sorted(chosen) if (each - 2) % ALL_MONTHS + 1 not in chosen]
    if len(begins) == 1 and len(chosen) > 1:
        last = (begins[0] + len(chosen) - 2) % ALL_MONTHS
        return f"{MONTHS[begins[0] - 1]} to {MONTHS[last]}"
    return wording.listed([MONTHS[each - 1] for each in sorted(chosen)])


def _step(step: timedelta) -> str:
    """Return what follows ``every``: ``hour``, ``5 minutes``."""
    return wording.duration(step).removeprefix("1 ")


def _input(wanted: Input, variables: Mapping[str, Variable]) -> str:
    """Return ``Hourly temperature for the last 30 days (up to 10 % missing)``."""
    if wanted.variable is None or wanted.period is None or wanted.sample_rate is None:
        return wanted.name
    name = wording.label(wanted.variable, variables)
    step = _step(wanted.sample_rate)
    what = f"Hourly {name.lower()}" if step == "hour" else f"{name} every {step}"
    where = f", mean of {wording.listed(wanted.areas)}," if wanted.areas else ""
    share = wanted.max_missing
    missing = f"up to {wording.percent(share)} missing" if share else "none missing"
    if wanted.max_age is not None:
        missing += f", the newest at most {wording.duration(wanted.max_age)} old"
    return f"{what}{where} for the last {wording.duration(wanted.period)} ({missing})"


def _bounds(metadata: ModelMetadata, variables: Mapping[str, Variable]) -> Iterator[str]:
    """Yield the limits of each input: ``Temperature: not above 35.0 °C``."""
    domain = metadata.applicability_domain or {}
    for wanted in metadata.required_inputs:
        bounds, variable = domain.get(wanted.name), wanted.variable or wanted.name
        if bounds is None:
            continue
        unit = wording.symbol(variable, wanted.unit or "")
        digits = wording.digits(variable, 1, variables=variables)
        parts = [
            f"not {word} {wording.quantity(limit, unit, digits)}"
            for word, limit in (("below", bounds.minimum), ("above", bounds.maximum))
            if limit is not None
        ]
        if bounds.max_missing is not None:
            parts.append(f"at most {wording.percent(bounds.max_missing)} missing")
        yield f"{wording.label(wanted.name, variables)}: {wording.listed(parts)}"


def _baselines(metadata: ModelMetadata) -> list[str]:
    """Return the names of the baselines of all scores by day and by age, in their order."""
    scores: list[Score] = []
    for each in metadata.performance:
        scores += (*(each.by_lead_day or ()), *(each.by_age or ()))
    return list(dict.fromkeys(name for score in scores for name in score.baselines))


def _group(each: Performance, units: Mapping[str, str], variables: Mapping[str, Variable]) -> str:
    """Return what a group of scores is of: ``JFK: temperature, °C``."""
    name = wording.label(each.variable, variables).lower()
    return f"{each.area}: {name}, {_error_unit(each.variable, units)}"


def _score_cells(
    each: Performance, score: Score, baselines: Sequence[str], variables: Mapping[str, Variable]
) -> tuple[str, ...]:
    """Return the error of the model and of each baseline, the skill and the share in the band."""
    errors = [score.mae, *(score.baselines.get(name) for name in baselines)]
    digits = wording.digits(each.variable, 2, variables=variables)
    return (
        *(wording.number(error, digits) for error in errors),
        wording.number(score.skill, 2),
        wording.NO_VALUE if score.coverage is None else wording.percent(score.coverage),
    )


def _performance_row(
    each: Performance, units: Mapping[str, str], variables: Mapping[str, Variable]
) -> tuple[str, ...]:
    skill = wording.number(each.skill, 2)
    if each.skill_interval:
        low, high = (wording.number(end, 2) for end in each.skill_interval)
        skill += f" ({low} to {high})"
    error = _error(each.variable, each.mae, units, variables)
    return (each.area, wording.label(each.variable, variables), error, skill)


def _score_row(
    each: LiveScoreSummary, units: Mapping[str, str], variables: Mapping[str, Variable]
) -> tuple[str, ...]:
    return (
        each.area,
        wording.label(each.variable, variables),
        str(each.lead_day),
        str(each.count),
        _error(each.variable, each.mae, units, variables),
        _error(each.variable, each.bias, units, variables),
    )


def _error(
    variable: str, value: float, units: Mapping[str, str], variables: Mapping[str, Variable]
) -> str:
    digits = wording.digits(variable, 2, variables=variables)
    return wording.quantity(value, _error_unit(variable, units), digits)


def _error_unit(variable: str, units: Mapping[str, str]) -> str:
    return wording.error_symbol(wording.symbol(variable, units.get(variable, "")))
