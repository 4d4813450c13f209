"""Describe the model that answered: its rank, its training data, and the age of its inputs.

A receipt names the delivery. The rest follows from the delivery's metadata, from the ranking, and
from the observations. Where the delivery has left the store meanwhile, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from fairweather_interface.metadata import ModelMetadata

from fairweather_app.api.schemas import Forecast
from fairweather_app.errors import UnknownDeliveryError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.observations import ReadyWindows

Span = tuple[datetime, datetime]
"""From when to when; a value at a time speaks of what is before it, so (start, end]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What a model learned from: a span of time, but for the blocks held out to judge it.

    Attributes:
        source: where the data came from.
        location: where they can be had, and whom to name.
        span: from the first to the last of them.
        held_out: by variable, the blocks of the forecast's area that it was never shown.
    """

    source: str
    location: str
    span: Span
    held_out: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)

    def was_shown(self, variable: str, time: datetime) -> bool:
        """Whether it may have learned from what came of a variable at a time."""
        return _within(time, self.span) and not self.was_judged_by(variable, time)

    def was_judged_by(self, variable: str, time: datetime) -> bool:
        """Whether what came of a variable at a time was held out to judge it."""
        return any(_within(time, block) for block in self.held_out.get(variable, ()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Fed:
    """What a model starts from, of an area or of a region's members.

    `latest` is when it was observed last, of a region by at least half of it; None where there is
    none, and `areas` are then those that it lacks.
    """

    variable: str
    areas: tuple[str, ...]
    latest: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answering:
    """What is known of the delivery that answered; None where it is not.

    Attributes:
        before: how many deliveries were asked before it, and refused.
        pinned: whether the operator pinned the area to it.
        learned: what it learned from.
        oldest: of all that it is fed with, what was observed last the longest ago.
    """

    before: int | None = None
    pinned: bool = False
    learned: Learned | None = None
    oldest: Fed | None = None


NOT_KNOWN = Answering()


def answering(app_context: AppContext, forecast: Forecast) -> Answering:
    """What is known of the delivery that answered with a forecast of all there is.

    Raises:
        ObservationStoreError: the database cannot be used.
    """
    receipt, area = forecast.receipt, forecast.area
    try:
        entry = app_context.catalogue.snapshot.entry(receipt.delivery_id)
    except UnknownDeliveryError:
        return NOT_KNOWN
    delivery = app_context.catalogue.delivery(entry)
    if delivery is None:
        return NOT_KNOWN
    selection = find_best_model(area, app_context)
    asked = islice(selection.candidates, sum(receipt.refused_counts.values()) + 1)
    position = next(
        (k for k, each in enumerate(asked) if each.delivery_id == entry.delivery_id), None
    )
    return Answering(
        before=None if position is None else position + len(selection.failed_to_open),
        pinned=selection.choice.pinned == entry.delivery_id,
        learned=_learned(delivery.metadata, area),
        oldest=_oldest(delivery.metadata, area, app_context.windows),
    )


def _learned(metadata: ModelMetadata, area: str) -> Learned:
    training = metadata.training
    return Learned(
        source=training.data_source,
        location=training.data_location,
        span=(training.train_start_time, training.train_end_time),
        held_out={
            each.variable: tuple((block.start, block.end) for block in each.held_out)
            for each in metadata.performance
            if each.area == area
        },
    )


def _oldest(metadata: ModelMetadata, area: str, ready: ReadyWindows) -> Fed | None:
    """What is fed to the model and was observed last the longest ago, or never."""
    oldest: Fed | None = None
    for wanted in metadata.required_inputs:
        if wanted.variable is None:
            continue
        areas = tuple(wanted.areas or (area,))
        by_area = {each: ready.latest(each, wanted.variable) for each in areas}
        found = sorted((time for time in by_area.values() if time is not None), reverse=True)
        # a region has a value as long as half of its members have one
        half = (len(areas) + 1) // 2
        if len(found) < half:
            never = tuple(each for each, time in by_area.items() if time is None)
            return Fed(variable=wanted.variable, areas=never, latest=None)
        latest = found[half - 1]
        if oldest is None or oldest.latest is None or latest < oldest.latest:
            oldest = Fed(variable=wanted.variable, areas=areas, latest=latest)
    return oldest


def _within(time: datetime, span: Span) -> bool:
    return span[0] < time <= span[1]
