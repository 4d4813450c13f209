"""Losses: what this release would lose of a store, found before it serves anybody.

Every delivery is picked up as a serving app does it, proof included: numbers and bands within
tolerance. Then this release's verdict on each example is held against the one that the example
expects, in the order in which a request is judged: season, missing observations, domain, output.
Three things are judged otherwise than in a request, because an example speaks for the model and
not for an operator:

- Margins are 0, and overrides do not count: an example that must be refused is refused by the
  declared bounds themselves.
- Windows are float32, bounds are not: where one step of float32, at the largest value observed,
  to either side makes the verdict the expected one, it is. So no model is lost for a window that
  lies on the very edge.
- An expected code that no window can give, or that this release does not know, is not judged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
from fairweather_interface.applicability import check_season
from fairweather_interface.examples import SERVE
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.ingestion import Ingested
from fairweather_app.common.times import write_time
from fairweather_app.errors import LoadError
from fairweather_app.forecasting.selector import refused
from fairweather_app.models_backend.acceptance import read_examples, run_examples
from fairweather_app.models_backend.checks import check_observed, check_predictions, check_windows
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Arrays
from fairweather_app.observations import Window
from fairweather_app.refusals import REPEATABLE, RefusedDelivery

JUDGED = REPEATABLE | {SERVE, Code.INVALID_OUTPUT}
"""The verdicts that a window can get."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """What this release would lose of a store.

    Attributes:
        deliveries: how many there are.
        lost: those that it would not serve as they ask to be, by code, type and id.
        areas: those that lost deliveries declare and no other one does, sorted.
        unreadable: how many of the lost have metadata that cannot be read, so that nobody knows
            which areas they declare.
    """

    deliveries: int
    lost: tuple[RefusedDelivery, ...]
    areas: tuple[str, ...]
    unreadable: int


def find_losses(deliveries: Iterable[Ingested]) -> Losses:
    """Hold deliveries, freshly picked up, against this release; none is kept in memory."""
    count = unreadable = 0
    lost: list[RefusedDelivery] = []
    kept_areas: set[str] = set()
    lost_areas: set[str] = set()
    for each in deliveries:
        count += 1
        loss = find_loss(each)
        areas = each.delivery.metadata.areas if each.delivery else ()
        (lost_areas if loss else kept_areas).update(areas)
        if loss is not None:
            lost.append(loss)
            unreadable += each.delivery is None
    return Losses(
        deliveries=count,
        lost=tuple(sorted(lost, key=lambda each: (each.code, each.model_type or ""))),
        areas=tuple(sorted(lost_areas - kept_areas)),
        unreadable=unreadable,
    )


def find_loss(ingested: Ingested) -> RefusedDelivery | None:
    """Why this release does not serve a delivery as it asks to be served; None where it does."""
    if ingested.model is None:
        entry = ingested.entry
        return refused(entry, entry.code, entry.reason)
    try:
        refusal = check_examples(ingested.model)
    except LoadError as error:
        refusal = Refusal(code=error.code, reason=str(error))
    except Exception as error:
        logger.exception("the examples of delivery %s failed", ingested.entry.delivery_id)
        reason = f"this release failed on its examples: {type(error).__name__}: {error}"
        refusal = Refusal(code=Code.CORRUPT, reason=reason)
    if refusal is None:
        return None
    return refused(ingested.model.metadata, refusal.code, refusal.reason)


def check_examples(model: RuntimeModel) -> Refusal | None:
    """This release gives every example the verdict that it expects; see the laws above.

    The code is the one given in place of the expected one; ``corrupt`` where this release would
    serve what must be refused: then the examples and what is declared disagree.

    Raises:
        LoadError: the runtime failed.
    """
    examples = read_examples(model)
    found = run_examples(model, examples)
    judge = partial(_judge, model, examples, found)
    expected = examples["expect"].tolist()
    wrong = [
        row
        for row, verdict in enumerate(expected)
        if verdict in JUDGED
        and not any(_named(judge(row, steps=steps)) == verdict for steps in (0, 1, -1))
    ]
    if not wrong:
        return None
    row, verdict = wrong[0], judge(wrong[0], steps=0)
    must = "be served" if expected[row] == SERVE else f"be refused with {expected[row]}"
    here = "serves it" if verdict is None else f"refuses it with {verdict.code}: {verdict.reason}"
    more = f" ({len(wrong) - 1} more of its examples differ)" if len(wrong) > 1 else ""
    where = f"example {row + 1} ({examples['area'][row]}, {write_time(_time(examples, row))})"
    return Refusal(
        code=Code.CORRUPT if verdict is None else verdict.code,
        reason=f"{where} must {must}, and this release {here}{more}",
    )


def _judge(
    model: RuntimeModel, examples: Arrays, found: Arrays, row: int, *, steps: int
) -> Refusal | None:
    """What this release says to one example, with bounds widened by so many steps of float32."""
    time = _time(examples, row)
    windows = {
        each.name: Window(
            values=examples[f"input/{each.name}"][row],
            reference_time=time,
            sample_rate=each.sample_rate,
        )
        for each in model.required_inputs
        if each.sample_rate is not None
    }
    seen = [each.observed for each in windows.values()]
    extremes = [value or 0.0 for each in seen for value in (each.lowest, each.highest)]
    step = float(np.spacing(np.float32(max([0.0, *map(abs, extremes)]))))
    margins = {each.variable: steps * step for each in model.required_inputs if each.variable}
    return (
        check_season(model.metadata, str(examples["area"][row]), time)
        or check_windows(model.metadata, windows)
        or check_observed(model.metadata, windows, margins=margins)
        or check_predictions(model.metadata, model.predictions(found, row))
    )


def _named(verdict: Refusal | None) -> str:
    return SERVE if verdict is None else verdict.code


def _time(examples: Arrays, row: int) -> datetime:
    return datetime.fromtimestamp(int(examples["reference_time"][row]), UTC)
