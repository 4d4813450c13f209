"""Durations, in words for people (``30 days``) and in ISO 8601 for documents (``P30D``).

Both forms are exact, in days, hours, minutes and seconds; words may also say weeks.
Months and years have no fixed length and are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from operator import mul

from fairweather_interface.errors import DurationError, short

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_WORDS = re.compile(r"(?P<count>[1-9][0-9]{0,14}) (?P<unit>second|minute|hour|day|week)s?")
_NUMBER = "[0-9]{1,15}"
ISO_PATTERN = (
    rf"^P(?=[0-9T])(?:({_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?$"
)
"""The ISO 8601 durations the contract takes, as a regular expression."""


def parse_duration(text: object) -> timedelta:
    """Return the duration that words such as ``30 days`` or ``1 minute`` name.

    Raises:
        DurationError: it is anything else, also when YAML made a number of it.
    """
    match = _WORDS.fullmatch(text) if isinstance(text, str) else None
    duration = _from_seconds(int(match["count"]) * _SECONDS[match["unit"]]) if match else None
    if duration is None:
        raise DurationError(
            f"found {short(text)}, expected a duration such as '30 days' or '1 minute': write a "
            f"whole number, a space and one of {', '.join(_SECONDS)} (with or without an s)"
        )
    return duration


def format_duration(duration: timedelta) -> str:
    """Return the words for a duration; ``parse_duration(format_duration(d)) == d``.

    The largest unit up to a day that divides the duration is used.

    Raises:
        DurationError: the duration is not a positive whole number of seconds.
    """
    seconds = _whole_seconds(duration)
    for unit in ("day", "hour", "minute", "second"):
        count, rest = divmod(seconds, _SECONDS[unit])
        if rest == 0:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("a second divides every whole number of seconds")


def parse_iso_duration(text: str) -> timedelta:
    """Return the duration an ISO 8601 text such as ``P30D`` or ``PT1H`` names.

    Raises:
        DurationError: the text is anything else, names a zero duration, or uses years, months
            or fractions.
    """
    match = re.fullmatch(ISO_PATTERN, text)
    counts = [int(count) for count in match.groups("0")] if match else [0]
    sizes = (86400, 3600, 60, 1)
    duration = _from_seconds(sum(map(mul, counts, sizes)))
    if not duration:
        raise DurationError(
            f"found {short(text)}, expected a positive ISO 8601 duration in days, hours, minutes "
            "and seconds such as 'P30D' or 'PT1H'"
        )
    return duration


def iso_duration(duration: timedelta) -> str:
    """Return the ISO 8601 form; ``parse_iso_duration(iso_duration(d)) == d``.

    Raises:
        DurationError: the duration is not a positive whole number of seconds.
    """
    minutes, seconds = divmod(_whole_seconds(duration), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = "".join(
        f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count
    )
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def _from_seconds(seconds: int) -> timedelta | None:
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return None


def _whole_seconds(duration: timedelta) -> int:
    if duration <= timedelta(0) or duration.microseconds:
        raise DurationError(
            f"found a duration of {duration}, expected a positive whole number of seconds"
        )
    return duration.days * 86400 + duration.seconds
