"""What every document of this package is made of: recipes, and what a training hands back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fairweather_interface.durations import format_duration, parse_duration
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

__all__ = ["Duration", "StrictModel"]

#: A duration, written in words.
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]


class StrictModel(BaseModel):
    """Frozen, with no other keys than its own, and with numbers that JSON can say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
