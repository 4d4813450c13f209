"""What a forecast is asked for, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fairweather_app.observations.request_windows import Series


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastRequest:
    """A request for a forecast; without observations it can be a key.

    Attributes:
        area: the name of the area, exactly.
        variables: what is wanted; None asks for as many as one model gives.
        reference_time: when the forecast starts (aware); None asks the app's clock.
        observations: a series for each input by name; an input that is not among them is read from
            the app's own observations.
    """

    area: str
    variables: tuple[str, ...] | None = None
    reference_time: datetime | None = None
    observations: Mapping[str, Series] | None = None
