"""Describe the delivery of a forecast: its rank, its training data, the age of its inputs.

A receipt names the delivery. The rest follows from the delivery's metadata, from the ranking, and
from the observations; nothing is known where the delivery has left the store meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from fairweather_interface.metadata import ModelMetadata

from fairweather_app.api.schemas import Forecast
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.observations import WindowCache
from fairweather_app.web.forecast.series import Series


@dataclass(frozen=True, kw_only=True, slots=True)
class InputStatus:
    """When an input was observed last, of a region by at least half of its members.

    None where it never was, and `areas` are then those that it lacks.
    """

    variable: str
    areas: tuple[str, ...]
    latest: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What is known of the delivery of a forecast; None where it is not.

    Attributes:
        better: how many better-ranked deliveries refused.
        pinned: whether the operator pinned the area to it.
        metadata: what it declares.
        oldest: of its inputs, the one that was observed last the longest ago, or never.
    """

    better: int | None = None
    pinned: bool = False
    metadata: ModelMetadata | None = None
    oldest: InputStatus | None = None


UNKNOWN = Provenance()


def describe(app_context: AppContext, forecast: Forecast) -> Provenance:
    """Return what is known of the delivery that made a forecast of all its variables."""
    receipt, area = forecast.receipt, forecast.area
    name = receipt.delivery_id
    entry = app_context.catalogue.snapshot.entries.get(name)
    delivery = app_context.catalogue.delivery(entry) if entry is not None else None
    if delivery is None:
        return UNKNOWN
    selection = find_best_model(area, app_context, time=forecast.reference_time)
    tried = islice(selection.candidates, sum(receipt.refused_counts.values()) + 1)
    rank = next((k for k, each in enumerate(tried) if each.delivery_id == name), None)
    return Provenance(
        better=None if rank is None else rank + len(selection.failed_to_open),
        pinned=selection.choice.pinned == name,
        metadata=delivery.metadata,
        oldest=_oldest(delivery.metadata, area, app_context.windows),
    )


def _oldest(metadata: ModelMetadata, area: str, ready: WindowCache) -> InputStatus | None:
    """Return the input that was observed last the longest ago, or never."""
    oldest: InputStatus | None = None
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
            return InputStatus(variable=wanted.variable, areas=never, latest=None)
        latest = found[half - 1]
        if oldest is None or oldest.latest is None or latest < oldest.latest:
            oldest = InputStatus(variable=wanted.variable, areas=areas, latest=latest)
    return oldest


def count_trained(
    metadata: ModelMetadata, area: str, series: Sequence[Series], times: Sequence[datetime]
) -> tuple[int, int]:
    """Count the verified values that may be training data, and those held out to evaluate.

    A value at a time is of what is before it, so it lies in (start, end] of a range.
    """
    training = metadata.training
    rows = (each for each in metadata.performance if each.area == area)
    held_out = {each.variable: each.held_out or () for each in rows}
    begin = training.train_start_time
    trained = kept_out = 0
    for each in series:
        for time, value, observed in zip(times, each.values, each.observed, strict=False):
            if value is None or observed is None:
                continue
            if any(block.start < time <= block.end for block in held_out.get(each.variable, ())):
                kept_out += 1
            elif time <= training.train_end_time and (begin is None or begin < time):
                trained += 1
    return trained, kept_out
