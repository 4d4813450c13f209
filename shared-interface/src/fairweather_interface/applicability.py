"""Applicability: may a model answer, by what it declares?

Pure rules over plain numbers: of the start (:func:`check_start`), of the windows
(:func:`check_missing`, :func:`check_age`, :func:`check_applicability`). Each returns a refusal, or
``None``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fairweather_interface.metadata import Bounds, Input, ModelMetadata
from fairweather_interface.refusals import Code, Refusal

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def check_start(metadata: ModelMetadata, area: str, reference_time: datetime) -> Refusal | None:
    """Return why the model may not be asked at an aware reference time, by all that it declares.

    Today that is the local month; a limit that a newer schema brings is checked here too.

    Raises:
        KeyError: the model does not declare the area.
        ValueError: the reference time has no zone.
    """
    if reference_time.tzinfo is None:
        raise ValueError("found a reference time without a zone, expected an aware datetime")
    zone = ZoneInfo(metadata.areas[area].timezone)
    try:
        month = reference_time.astimezone(zone).month
    except OverflowError:  # the first or the last day of the calendar
        month = reference_time.month
    if month in metadata.valid_months:
        return None
    declared = ", ".join(_MONTHS[valid - 1] for valid in metadata.valid_months)
    return Refusal(
        code=Code.OUT_OF_SEASON,
        reason=f"asked in {_MONTHS[month - 1]} at {area}, valid in {declared}",
    )


def start_months(metadata: ModelMetadata) -> tuple[int, ...]:
    """Return the local months, 1 to 12 ascending, with a reference time that may be asked for."""
    return metadata.valid_months


def starts(metadata: ModelMetadata, area: str, *, until: datetime) -> Iterator[datetime]:
    """Yield reference times in UTC that :func:`check_start` allows, the latest first.

    Tried are ``until`` and, for each of the eleven local months before its own, the last hour that
    begins in that month.

    Raises:
        KeyError: the model does not declare the area.
        ValueError: ``until`` has no zone.
    """
    zone = ZoneInfo(metadata.areas[area].timezone)
    start = until
    for _ in range(12):
        if check_start(metadata, area, start) is None:
            yield start.astimezone(UTC)
        local = start.astimezone(zone)
        first = datetime(local.year, local.month, 1, tzinfo=zone)
        start = first.astimezone(UTC) - timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What a window of one input holds.

    Attributes:
        lowest: its lowest value, in the input's unit; ``None`` where no value is present.
        highest: its highest value, likewise.
        missing: how many of its values are missing.
        age: how far before the reference time its newest sample with a value lies, so a whole
            number of samples, and zero at the last one; ``None`` where no value is present.
    """

    lowest: float | None
    highest: float | None
    missing: int
    age: timedelta | None = None


def check_applicability(
    metadata: ModelMetadata,
    observed: Mapping[str, Observed],
    *,
    margins: Mapping[str, float] | None = None,
) -> Refusal | None:
    """Hold what every window holds against the applicability domain that the model declares.

    Args:
        metadata: the model's.
        observed: what each window of an input holds, by the input's name.
        margins: variable to how far beyond a minimum or maximum the reader goes, in the
            variable's unit; nothing where it is not named. Missing values have no margin.

    Raises:
        KeyError: the window of an input that has bounds is not there.
    """
    beyond: list[str] = []
    domain = metadata.applicability_domain or {}
    for item in metadata.required_inputs:
        if item.name in domain:
            margin = (margins or {}).get(item.variable or "", 0.0)
            found = _beyond(item, domain[item.name], observed[item.name], margin)
            beyond += [f"{_called(item, metadata)} {how}" for how in found]
    return Refusal(code=Code.OUT_OF_DOMAIN, reason="; ".join(beyond)) if beyond else None


def _beyond(item: Input, bounds: Bounds, observed: Observed, margin: float) -> Iterator[str]:
    """Yield how a window lies outside its bounds."""
    unit = item.unit
    allowed = f" and the margin of {margin:g} {unit}" if margin else ""
    low, high = observed.lowest, observed.highest
    if bounds.maximum is not None and high is not None and high > bounds.maximum + margin:
        yield (
            f"reached {high:g} {unit}, above the {bounds.maximum:g} {unit} it is declared fit for"
            f"{allowed}"
        )
    if bounds.minimum is not None and low is not None and low < bounds.minimum - margin:
        yield (
            f"fell to {low:g} {unit}, below the {bounds.minimum:g} {unit} it is declared fit for"
            f"{allowed}"
        )
    if bounds.max_missing is not None and observed.missing / item.samples > bounds.max_missing:
        yield (
            f"lacks {observed.missing} of {item.samples} observations, more than the "
            f"{100 * bounds.max_missing:g} % it is declared fit for"
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


def check_age(metadata: ModelMetadata, observed: Mapping[str, Observed]) -> Refusal | None:
    """Hold the age of every window's newest value against the ``max_age`` of its input.

    Args:
        metadata: the model's.
        observed: what each window of an input holds, by the input's name.

    Raises:
        KeyError: the window of an input that has a ``max_age`` is not there.
    """
    reasons = []
    for item in metadata.required_inputs:
        if item.max_age is None or item.period is None:
            continue
        age = observed[item.name].age
        if age is not None and age <= item.max_age:
            continue
        called = _called(item, metadata)
        newest = f"no {called} in the {_in_hours(item.period)}"
        if age is not None:
            newest = f"newest {called} {_in_hours(age)}"
        reasons.append(f"{newest} before the start; the model is fit for {_in_hours(item.max_age)}")
    return Refusal(code=Code.OBSERVATIONS_STALE, reason="; ".join(reasons)) if reasons else None


def _called(item: Input, metadata: ModelMetadata) -> str:
    """Return the variable of an input, or its name where another input has the variable, too."""
    variables = [other.variable for other in metadata.required_inputs]
    return item.name if variables.count(item.variable) > 1 else str(item.variable)


def _in_hours(duration: timedelta) -> str:
    minutes, seconds = divmod(duration // timedelta(seconds=1), 60)
    parts = ((minutes // 60, "h"), (minutes % 60, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
