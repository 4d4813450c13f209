"""Time zones by their IANA names."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fairweather_interface.errors import short


def known_zone(name: str) -> str:
    """Return ``name`` when it is a time zone this machine knows.

    Raises:
        ValueError: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"found {short(name)}, expected an IANA time zone such as 'America/New_York' "
            "(a machine without a time-zone database needs the package tzdata)"
        ) from None
    return name
