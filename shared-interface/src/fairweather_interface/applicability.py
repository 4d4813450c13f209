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
from fairweather_interface.variables import VARIABLES

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
    beyond = []
    for variable, bound in highest_seen(metadata).items():
        found, margin = highest.get(variable), (margins or {}).get(variable, 0.0)
        if found is None or math.isnan(found) or found <= bound + margin:
            continue
        unit = VARIABLES[variable].unit
        allowed = f" and the margin of {margin:g} {unit}" if margin else ""
        beyond.append(
            f"{variable} reached {found:g} {unit}, above the {bound:g} {unit} seen in "
            f"training{allowed}"
        )
    return Refusal(code=Code.OUT_OF_DOMAIN, reason="; ".join(beyond)) if beyond else None


def highest_seen(metadata: ModelMetadata) -> dict[str, float]:
    """Return the bounds a model declares: variable to the highest value it has seen of it."""
    bounds = {
        "temperature": metadata.max_temperature_seen,
        "humidity": metadata.max_humidity_seen,
    }
    return {variable: bound for variable, bound in bounds.items() if bound is not None}


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
