"""Selection: which models may answer for an area, the best first, and why each other may not.

`find_best_model` is pure: the same snapshot, settings and request give the same answer. It looks
at what deliveries declare and at what the operator decided, and at nothing else (`selector`); the
request path (`forecasts`) then walks the candidates, holds each against observations and season,
and takes the first that is fit. A nearby city is never a substitute.

A pinned delivery goes before the ranking, and never instead of it: while it answers the others are
refused as overridden; where it may not answer, or refuses, the ranking goes on as if there were no
pin. So no pin can leave an area without an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents, Snapshot
from fairweather_app.errors import LoadError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selector import Choice, refused
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.refusals import Refusals, RefusedDelivery

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice, and the models of one request.

    `candidates` yields, lazily and once, the models that may answer, the best first; one that can
    no longer be opened is passed over and noted in `lost`.
    """

    choice: Choice
    candidates: Iterator[RuntimeModel]
    lost: list[RefusedDelivery]

    def refusals(self, passed_over: Sequence[RefusedDelivery]) -> Refusals:
        """All refusals: candidates first, then what else declares the area, then the rest."""
        if not passed_over and not self.lost:
            return self.choice.unpassed
        tried = (*passed_over, *self.lost)
        pin_failed = any(each.delivery_id == self.choice.pinned for each in tried)
        aside = () if pin_failed else self.choice.aside
        return Refusals((*tried, *aside, *self.choice.declaring), self.choice.others)


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
    contents = (app_context.catalogue.snapshot if snapshot is None else snapshot).contents
    choice = app_context.selectors.of(contents).choose(area, variables)
    lost: list[RefusedDelivery] = []
    candidates = _models(choice.ranked, app_context, lost)
    return Selection(choice=choice, candidates=candidates, lost=lost)


def ranked_entries(
    area: str,
    app_context: AppContext,
    variables: tuple[str, ...] | None,
    contents: Contents,
) -> Iterator[Entry]:
    """Yield the deliveries that `find_best_model` would try for an area, and open no model."""
    return app_context.selectors.of(contents).ranked(area, variables)


def may_answer(app_context: AppContext, entry: Entry, area: str) -> bool:
    """Whether a live delivery may answer for an area that it declares, if only some variable."""
    return app_context.selectors.rules.may_answer(entry, area)


def _models(
    ranked: Iterable[Entry], app_context: AppContext, lost: list[RefusedDelivery]
) -> Iterator[RuntimeModel]:
    for entry in ranked:
        try:
            yield app_context.catalogue.model(entry)
        except LoadError as error:
            logger.warning("delivery %s cannot be opened: %s", entry.delivery_id, error)
            lost.append(refused(entry, error.code, str(error)))
