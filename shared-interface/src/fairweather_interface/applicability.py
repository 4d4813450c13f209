"""Applicability: may this model answer, by what it declares of itself?

Pure rules over plain numbers. Each returns a refusal, or ``None`` where the model holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from fairweather_interface.metadata import Input, ModelMetadata
from fairweather_interface.refusals import Code, Refusal

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def check_season(metadata: ModelMetadata, area: str, reference_time: datetime) -> Refusal | None:
    """Hold the local month of an aware reference time against the months the model declares.

    Raises:
        KeyError: the model does not declare the area.
        ValueError: the reference time has no zone.
    """
    if reference_time.tzinfo is None:
        raise ValueError("found a reference time without a zone, expected an aware datetime")
    month = _local_month(reference_time, ZoneInfo(metadata.areas[area].timezone))
    if month in metadata.valid_months:
        return None
    declared = ", ".join(_MONTHS[valid - 1] for valid in metadata.valid_months)
    return Refusal(
        code=Code.OUT_OF_SEASON,
        reason=f"asked in {_MONTHS[month - 1]} at {area}, valid in {declared}",
    )


def check_domain(
    metadata: ModelMetadata,
    highest: Mapping[str, float | None],
    *,
    margins: Mapping[str, float] | None = None,
) -> Refusal | None:
    """Hold the highest observed value of each variable against what the model has seen.

    Args:
        metadata: the model's.
        highest: variable to the highest value over all its windows, in the variable's unit;
            ``None`` where no value is present.
        margins: variable to how far above the training data the reader goes, in the
            variable's unit; nothing where it is not named.
    """
    bound, found = metadata.max_temperature_seen, highest.get("temperature")
    margin = (margins or {}).get("temperature", 0.0)
    if bound is None or found is None or math.isnan(found) or found <= bound + margin:
        return None
    beyond = f" and the margin of {margin:g} degC" if margin else ""
    return Refusal(
        code=Code.OUT_OF_DOMAIN,
        reason=f"temperature reached {found:g} degC, above the {bound:g} degC seen in "
        f"training{beyond}",
    )


def check_missing(required: Input, missing: int) -> Refusal | None:
    """Hold the number of missing values in a window against the share the input allows.

    The law is ``missing / samples <= max_missing``, in floating point.
    """
    allowed = required.max_missing or 0.0
    if missing / required.samples <= allowed:
        return None
    return Refusal(
        code=Code.OBSERVATIONS_MISSING,
        reason=f"{required.name}: {missing} of {required.samples} observations are missing, "
        f"at most {100 * allowed:g} % may be",
    )


def _local_month(moment: datetime, zone: ZoneInfo) -> int:
    try:
        return moment.astimezone(zone).month
    except OverflowError:  # the first or the last day that a calendar can say
        return moment.month
