"""Sessions: loaded artifacts, the same for every runtime. Backends make them, models run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type and shape of an input or output; None is a size, or all of them, that is left open."""

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ", ".join(str(size or "?") for size in self.shape)
        return f"{self.dtype} [{sizes}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """The named, typed inputs and outputs of an artifact, as its runtime sees them."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class Session(Protocol):
    """A loaded artifact. Safe to run from several threads at once."""

    @property
    def runtime(self) -> str:
        """Name and version of its runtime: ``onnxruntime 1.32.0``."""

    @property
    def signature(self) -> Signature:
        """Its inputs and outputs."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """Run one batch and return the named outputs; a failure is `PredictionError`."""
