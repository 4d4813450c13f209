"""Release check: the deliveries of a store that this release would no longer serve.

Every delivery is ingested as a serving app does it, acceptance test included: numbers and bands
within tolerance. Then this release's verdict on each example is compared with the one that the
example expects, by the checks of a request in their order (`models_backend.checks`). Three things
differ from a request, because an example stands for the model and not for an operator:

- Margins are 0, and overrides do not count: an example that must be refused is refused by the
  declared bounds themselves.
- Windows are float32, bounds are not: where one step of float32, at the largest value observed,
  to either side makes the verdict the expected one, it is. So no model is lost for a window that
  lies on the very edge.
- An expected code that no window can give, or that this release does not know, is passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from fairweather_interface.examples import SERVE
from fairweather_interface.names import plain_name
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.ingestion import Ingested
from fairweather_app.common.times import write_time
from fairweather_app.errors import LoadError
from fairweather_app.forecasting.selector import refused
from fairweather_app.models_backend.acceptance import read_examples, run_examples
from fairweather_app.models_backend.checks import Trial, first_refusal
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel
from fairweather_app.observations import Window
from fairweather_app.refusals import RefusedDelivery

VERDICTS = {SERVE, Code.INVALID_OUTPUT, *(each for each in Code if each.repeatable)}
"""The verdicts that a window can get."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Regressions:
    """What this release would lose of a store.

    Attributes:
        deliveries: how many there are.
        lost: those that it would not serve as they ask to be, by code, type and id.
        areas: those that lost deliveries declare and no other one does, sorted.
        unreadable: how many of the lost have metadata that cannot be read, so that the areas they
            declare are not known.
    """

    deliveries: int
    lost: tuple[RefusedDelivery, ...]
    areas: tuple[str, ...]
    unreadable: int


def find_regressions(deliveries: Iterable[Ingested]) -> Regressions:
    """Check deliveries, freshly ingested, with this release; none is kept in memory."""
    count = unreadable = 0
    lost: list[RefusedDelivery] = []
    kept_areas: set[str] = set()
    lost_areas: set[str] = set()
    for each in deliveries:
        count += 1
        regression = find_regression(each)
        areas = each.delivery.metadata.areas if each.delivery else ()
        (lost_areas if regression else kept_areas).update(areas)
        if regression is not None:
            lost.append(regression)
            unreadable += each.delivery is None
    return Regressions(
        deliveries=count,
        lost=tuple(sorted(lost, key=lambda each: (each.code, each.model_type or ""))),
        areas=tuple(sorted(lost_areas - kept_areas)),
        unreadable=unreadable,
    )


def find_regression(ingested: Ingested) -> RefusedDelivery | None:
    """Return why this release does not serve a delivery as it asks to be; None where it does."""
    entry = ingested.entry
    if ingested.model is None:
        return refused(entry, entry.code, entry.reason)
    try:
        refusal = check_examples(ingested.model)
    except LoadError as error:
        refusal = Refusal(code=error.code, reason=str(error))
    except Exception as error:
        logger.exception("the examples of delivery %s failed", entry.delivery_id)
        reason = f"this release failed on its examples: {type(error).__name__}: {error}"
        refusal = Refusal(code=Code.CORRUPT, reason=reason)
    return None if refusal is None else refused(entry, refusal.code, refusal.reason)


def check_examples(model: RuntimeModel) -> Refusal | None:
    """Give every example this release's verdict, and refuse where it is not the expected one.

    The code is the one given in place of the expected one; ``corrupt`` where this release would
    serve what must be refused: then the examples and what is declared disagree.
    """
    examples = read_examples(model)
    found = run_examples(model, examples)
    expected = examples["expect"].tolist()
    wrong = [
        row
        for row, verdict in enumerate(expected)
        if verdict in VERDICTS
        and not any(
            (SERVE if refusal is None else refusal.code) == verdict
            for steps in (0, 1, -1)
            for refusal in [_evaluate(model, examples, found, row, steps=steps)]
        )
    ]
    if not wrong:
        return None
    row, more = wrong[0], f" ({len(wrong) - 1} more of its examples differ)" * (len(wrong) > 1)
    refusal = _evaluate(model, examples, found, row, steps=0)
    must = "be served" if expected[row] == SERVE else f"be refused with {expected[row]}"
    here = "serves it" if refusal is None else f"refuses it with {refusal.code}: {refusal.reason}"
    where = f"example {row + 1} ({examples['area'][row]}, {write_time(_time(examples, row))})"
    return Refusal(
        code=Code.CORRUPT if refusal is None else refusal.code,
        reason=f"{where} must {must}, and this release {here}{more}",
    )


def _evaluate(
    model: RuntimeModel, examples: Arrays, found: Arrays, row: int, *, steps: int
) -> Refusal | None:
    """Make all checks with one example, its bounds widened by so many steps of float32."""
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
    return first_refusal(
        Trial(
            metadata=model.metadata,
            area=plain_name(str(examples["area"][row])),
            reference_time=time,
            margins={
                each.variable: steps * step for each in model.required_inputs if each.variable
            },
            windows=windows,
            predictions=model.predictions(found, row),
        )
    )


def _time(examples: Arrays, row: int) -> datetime:
    return datetime.fromtimestamp(int(examples["reference_time"][row]), UTC)
