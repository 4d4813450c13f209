"""Selection: the models that may answer for an area, the best first, and why the others may not.

`find_best_model` is pure: the same snapshot, settings and request give the same answer. It looks
at what deliveries declare and at what the operator decided, and at nothing else (`selector`); the
request path (`forecaster`) then walks the candidates, checks each against start and observations,
and takes the first that is fit. A nearby city is never a substitute.

A pinned delivery goes before the ranking, and never instead of it: while it answers the others are
refused as overridden; where it may not answer, or refuses, the ranking goes on as if there were no
pin. So no pin can leave an area without an answer.

Under a rollout by evidence the same holds for a delivery that was not promoted yet: it ranks after
all that were, and answers only where none of them does, or as a canary.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Protocol

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.errors import LoadError
from fairweather_app.forecasting.selector import Choice, Selectors, Variables, refused
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.refusals import Refusals, RefusedDelivery

logger = logging.getLogger(__name__)


class SelectionContext(Protocol):
    """The part of an `AppContext` that a selection depends on."""

    @property
    def catalogue(self) -> Catalogue:
        """The deliveries."""

    @property
    def selectors(self) -> Selectors:
        """The settings and overrides that count, and the choices made under them."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice, and the models of one request.

    `candidates` yields, lazily and once, the models that may answer, the best first; one that can
    no longer be opened is passed over and added to `failed_to_open`.
    """

    choice: Choice
    candidates: Iterator[RuntimeModel]
    failed_to_open: list[RefusedDelivery]

    def refusals(self, passed_over: Sequence[RefusedDelivery]) -> Refusals:
        """Return all refusals: candidates, then what else declares the area, then the rest."""
        choice, failed = self.choice, self.failed_to_open
        if not passed_over and not failed:
            return choice.default_refusals
        pin_failed = any(each.delivery_id == choice.pinned for each in (*passed_over, *failed))
        pinned_away = () if pin_failed else choice.pinned_away
        known = (*failed, *pinned_away, *choice.declared_refusals)
        return Refusals(known, choice.undeclared_refusals, tried=passed_over)


def find_best_model(
    area: str,
    app_context: SelectionContext,
    *,
    variables: Variables = None,
    snapshot: Snapshot | None = None,
    time: datetime | None = None,
) -> Selection:
    """Split the deliveries of a snapshot, by default the current one: candidates and refusals.

    Under a canary rollout the reference `time` decides whether a trial comes first.
    """
    catalogue = app_context.catalogue
    contents = (catalogue.snapshot if snapshot is None else snapshot).contents
    choice = app_context.selectors.of(contents).choose(area, variables)
    failed: list[RefusedDelivery] = []
    ranked = choice.ranked
    if time is not None and choice.trials:
        canary = contents.rollout.canary(area, time, choice.trials)
        if canary is not None:
            ranked = chain((canary,), (each for each in ranked if each is not canary))
    candidates = _open_models(ranked, catalogue, failed)
    return Selection(choice=choice, candidates=candidates, failed_to_open=failed)


def _open_models(
    ranked: Iterable[Entry], catalogue: Catalogue, failed: list[RefusedDelivery]
) -> Iterator[RuntimeModel]:
    for entry in ranked:
        try:
            yield catalogue.model(entry)
        except LoadError as error:
            logger.warning("delivery %s cannot be opened: %s", entry.delivery_id, error)
            failed.append(refused(entry, error.code, str(error)))
