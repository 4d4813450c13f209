"""What the parts of a recipe are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fairweather_interface.durations import format_duration, parse_duration
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

__all__ = ["Part", "Words"]

#: A duration, written in words.
Words = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]


class Part(BaseModel):
    """Some keys of a recipe: frozen, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
