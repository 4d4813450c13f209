"""Refusals: the deliveries that were passed over and why, listed lazily.

An answer lists a few and counts all. Of tens of thousands of deliveries nearly all do not even
declare the area: those are counted from what the catalogue counted once, and listed only when a
caller iterates over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Annotated, overload

import orjson
from pydantic import ConfigDict, Field

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
    """Count refusals by code, sorted by code."""
    return dict(sorted(Counter(each.code for each in refused).items()))


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedRefusals:
    """Refusals that are counted by code, and listed by `read` when a caller iterates."""

    counts: Mapping[str, int] = field(default_factory=dict)
    read: Callable[[], Iterable[RefusedDelivery]] = tuple


class Refusals(Sequence[RefusedDelivery]):
    """Refusals in order: the candidates that were `tried`, then `known`, then `rest`. Immutable."""

    def __init__(
        self,
        known: Iterable[RefusedDelivery] = (),
        rest: CountedRefusals | None = None,
        *,
        tried: Iterable[RefusedDelivery] = (),
    ) -> None:
        self.tried = tuple(tried)
        self._known = (*self.tried, *known)
        self._rest = rest or CountedRefusals()

    @cached_property
    def as_json(self) -> dict[str, orjson.Fragment]:
        """The fields ``refused`` and ``refused_counts`` of a receipt, serialized once."""
        refused = [asdict(each) for each in self[:MOST_REFUSALS]]
        fields = {"refused": refused, "refused_counts": self.counts}
        return {name: orjson.Fragment(orjson.dumps(value)) for name, value in fields.items()}

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of refusals by code, sorted by code."""
        counts = Counter(each.code for each in self._known)
        counts.update(self._rest.counts)
        return dict(sorted(counts.items()))

    def __len__(self) -> int:
        return len(self._known) + sum(self._rest.counts.values())

    def __iter__(self) -> Iterator[RefusedDelivery]:
        return chain(self._known, self._rest.read())

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
