"""Selection: which models may answer for an area, the best first, and why each other may not.

`find_best_model` is pure: the same snapshot, settings and request give the same answer. It looks
at what deliveries declare and at nothing else; the request path (`forecasts`) then walks the
candidates, holds each against observations and season, and takes the first that is fit. A
nearby city is never a substitute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairweather_interface.refusals import Code, Refusal

from fairweather_app.api.schemas import RefusedDelivery
from fairweather_app.app_context import AppContext
from fairweather_app.catalogue import Snapshot
from fairweather_app.pickup import Entry
from fairweather_app.ranking import rank
from fairweather_app.runtime_model import RuntimeModel


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Who may answer, and who may not.

    `candidates` yields, lazily and once, the models that may, the best first. `declaring` are
    the refusals of deliveries that declare the area, `others` those of all the rest: together
    with the candidates every delivery of the snapshot, each exactly once.
    """

    candidates: Iterator[RuntimeModel]
    declaring: tuple[RefusedDelivery, ...]
    others: tuple[RefusedDelivery, ...]


def find_best_model(
    area: str,
    app_context: AppContext,
    *,
    variables: tuple[str, ...] | None = None,
    snapshot: Snapshot | None = None,
) -> Selection:
    """Split the deliveries of a snapshot into ranked candidates and refusals.

    Args:
        area: what the forecast is for.
        app_context: its settings and overrides count.
        variables: what is wanted; None asks for as many as there are.
        snapshot: the catalogue's current one, if not given.
    """
    snapshot = app_context.catalogue.snapshot if snapshot is None else snapshot
    candidates: list[RuntimeModel] = []
    declaring: list[RefusedDelivery] = []
    others: list[RefusedDelivery] = []
    for model in snapshot.live:
        refusal = check_declared(model, area, app_context, variables)
        if refusal is None:
            candidates.append(model)
        elif refusal.code is Code.AREA_NOT_DECLARED:
            others.append(refused(model, refusal))
        else:
            declaring.append(refused(model, refusal))
    for entry in snapshot.not_live:
        declares = entry.delivery is not None and area in entry.delivery.metadata.areas
        (declaring if declares else others).append(refused_entry(entry))
    return Selection(
        candidates=rank(candidates, area, variables),
        declaring=tuple(declaring),
        others=tuple(others),
    )


def check_declared(
    model: RuntimeModel,
    area: str,
    app_context: AppContext,
    variables: tuple[str, ...] | None,
) -> Refusal | None:
    """Why a live model may not answer, from what it declares and what the operator narrowed."""
    metadata = model.metadata
    if area not in metadata.areas:
        declared = ", ".join(model.areas)
        return Refusal(
            code=Code.AREA_NOT_DECLARED, reason=f"it declares {declared}, and not {area}"
        )
    overridden = app_context.overrides.check(metadata, area)
    if overridden is not None:
        return overridden
    answered = [each for each in model.variables if variables is None or each in variables]
    if not answered:
        return Refusal(
            code=Code.VARIABLE_NOT_DECLARED,
            reason=f"it forecasts {', '.join(model.variables)}, "
            f"and not {', '.join(variables or ())}",
        )
    if app_context.settings.refuse_below_baseline:
        return _check_skill(model, area, answered)
    return None


def refused(model: RuntimeModel, refusal: Refusal) -> RefusedDelivery:
    """A refusal of a live model, as answers list it."""
    return RefusedDelivery(
        delivery_id=model.delivery_id,
        model_type=model.metadata.model_type,
        code=refusal.code.value,
        reason=refusal.reason,
    )


def refused_entry(entry: Entry) -> RefusedDelivery:
    """The refusal of a delivery that is not live, as answers list it."""
    return RefusedDelivery(
        delivery_id=entry.delivery_id,
        model_type=entry.delivery.metadata.model_type if entry.delivery else None,
        code=str(entry.code),
        reason=str(entry.reason),
    )


def _check_skill(model: RuntimeModel, area: str, answered: list[str]) -> Refusal | None:
    """Refuse when any variable that would be answered is no better than the baseline."""
    below = {
        variable: skill
        for variable in answered
        if (skill := model.skill(area, variable)) is not None and skill <= 0
    }
    if not below:
        return None
    figures = ", ".join(f"{variable} {skill:.2f}" for variable, skill in below.items())
    return Refusal(
        code=Code.BELOW_BASELINE,
        reason=f"its skill for {area} is no better than the baseline's: {figures}",
    )
