"""Answers: forecasts as they were written down, and what an answer that is kept was made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from fairweather_app.catalogue.snapshot import Contents


@dataclass(frozen=True, eq=False)
class Answer:
    """A forecast as JSON."""

    body: bytes

    @cached_property
    def etag(self) -> str:
        """What its bytes are known by: the same exactly when they are."""
        return f'"{blake2b(self.body, digest_size=16).hexdigest()}"'


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KeptAnswer:
    """An answer, true for as long as contents and observations are those it was made of."""

    answer: Answer
    delivery_id: str
    contents: Contents
    revision: int
