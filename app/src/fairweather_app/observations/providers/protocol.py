"""What a provider of observations is.

Whoever brings one writes a callable that takes an address, or None for the provider's own, and
gives an object with `fetch`. It hands on what it found and judges nothing: units, limits, times
and repetitions are judged by `fairweather_app.observations.fetching`, for every provider alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from fairweather_interface.metadata import Area


class Reading(NamedTuple):
    """One row of an archive: `time` is aware, `unit` is UDUNITS, `value` None where missing."""

    area: str
    time: datetime
    variable: str
    unit: str
    value: float | None


class Provider(Protocol):
    """Where observations come from."""

    def fetch(
        self, places: Mapping[str, Area], *, since: datetime, until: datetime
    ) -> Iterable[Reading]:
        """What was observed at `places`, keyed by area, in [since, until].

        May give more times than asked for, in any order, and times without a value.

        Raises:
            ProviderError: it cannot be asked, or answers what cannot be understood.
        """


MakeProvider = Callable[[str | None], Provider]
"""Makes a provider that asks at an address, or at its own where none is given."""
