"""Refusals: who was passed over, and why, without naming everybody before somebody asks.

An answer lists a few and counts all. Of tens of thousands of deliveries nearly all do not even
declare the area: those are counted from what the catalogue counted once, and spelt out only for
whoever goes through them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Annotated, overload

import orjson
from fairweather_interface.refusals import Code
from pydantic import (
    ConfigDict,
    Field,
)

REPEATABLE = frozenset({Code.OUT_OF_SEASON, Code.OBSERVATIONS_MISSING, Code.OUT_OF_DOMAIN})
"""The codes that the same model, time and windows give again: nothing that ran is behind them."""

MOST_REFUSALS = 20
"""An answer lists at most so many refusals; its counts by code are of all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedDelivery:
    """One delivery that was passed over, and why."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    delivery_id: str
    model_type: Annotated[str | None, Field(description="null when the metadata cannot be read.")]
    code: Annotated[str, Field(description="A stable code, such as area-not-declared.")]
    reason: Annotated[str, Field(description="One sentence for people.")]


def count_refusals(refused: Iterable[RefusedDelivery]) -> dict[str, int]:
    """How many refusals there are of each code, sorted by code."""
    return dict(sorted(Counter(each.code for each in refused).items()))


def first_refusals(refused: Sequence[RefusedDelivery]) -> list[RefusedDelivery]:
    """As many refusals as one answer lists, in the order given."""
    return list(refused[:MOST_REFUSALS])


@dataclass(frozen=True, kw_only=True, slots=True)
class Others:
    """Refusals that are counted by code, and told one after another when asked."""

    counts: Mapping[str, int] = field(default_factory=dict)
    told: Callable[[], Iterable[RefusedDelivery]] = tuple

    def __iter__(self) -> Iterator[RefusedDelivery]:
        return iter(self.told())


class Refusals(Sequence[RefusedDelivery]):
    """Some refusals at hand, and after them all others. Never changes."""

    def __init__(self, first: Iterable[RefusedDelivery] = (), others: Others | None = None) -> None:
        self._first = tuple(first)
        self._others = others or Others()

    @cached_property
    def told(self) -> dict[str, orjson.Fragment]:
        """The first of them and all counts, as fields of a receipt, written once."""
        refused = [asdict(each) for each in first_refusals(self)]
        fields = {"refused": refused, "refused_counts": self.counts}
        return {name: orjson.Fragment(orjson.dumps(value)) for name, value in fields.items()}

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many there are of each code, sorted by code."""
        counts = Counter(each.code for each in self._first)
        counts.update(self._others.counts)
        return dict(sorted(counts.items()))

    def __len__(self) -> int:
        return len(self._first) + sum(self._others.counts.values())

    def __iter__(self) -> Iterator[RefusedDelivery]:
        return chain(self._first, self._others)

    @overload
    def __getitem__(self, which: int) -> RefusedDelivery: ...
    @overload
    def __getitem__(self, which: slice) -> list[RefusedDelivery]: ...
    def __getitem__(self, which: int | slice) -> RefusedDelivery | list[RefusedDelivery]:
        if isinstance(which, slice):
            return list(islice(self, *which.indices(len(self))))
        position = which if which >= 0 else len(self) + which
        try:
            return next(islice(self, position, None))
        except (StopIteration, ValueError):
            raise IndexError(which) from None
