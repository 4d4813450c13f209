"""Providers: the sources of `observations fetch`.

To add one, write a callable that takes an address, or None for the provider's own, and returns an
object with `fetch`. It yields what it finds without checks: units, limits, times and repetitions
are checked by `fairweather_app.observations.fetch`, for every provider alike.

A setting names it: a packaged provider (``open-meteo``), an entry point of the group
``fairweather_app.providers``, or ``package.module:callable``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from fairweather_interface.metadata import Area

from fairweather_app.errors import AppError, SettingsError
from fairweather_app.settings import find_named

GROUP = "fairweather_app.providers"
PACKAGED = {"open-meteo": "fairweather_app.observations.open_meteo:OpenMeteo"}


class Reading(NamedTuple):
    """One row of an archive: `time` is aware, `unit` is UDUNITS, `value` None where missing."""

    area: str
    time: datetime
    variable: str
    unit: str
    value: float | None


class Provider(Protocol):
    """A source of observations."""

    def fetch(
        self, places: Mapping[str, Area], *, since: datetime, until: datetime
    ) -> Iterable[Reading]:
        """Return the observations at `places`, keyed by area, in [since, until].

        May return more times than requested, in any order, and times without a value.

        Raises:
            ProviderError: it cannot be reached, or its response cannot be understood.
        """


def find_provider(name: str, url: str | None) -> Provider:
    """Make the provider of a name, for `url` or for its own address, or raise `SettingsError`."""
    make = find_named("provider", name, GROUP, PACKAGED)
    try:
        provider: Provider = make(url)
    except AppError:
        raise
    except Exception as error:  # noqa: BLE001 - foreign code
        problem = (
            f"FAIRWEATHER_PROVIDER is {name!r}: it cannot be made with the address {url!r} "
            f"({type(error).__name__}: {error}); expected a callable that takes the address of "
            "FAIRWEATHER_PROVIDER_URL, or None, and gives an object with `fetch`"
        )
        raise SettingsError([problem]) from None
    if not callable(getattr(provider, "fetch", None)):
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected it to give an object with `fetch`"]
        )
    return provider
