"""Series of observations, and the `Archive` of one file: checked and ready to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fairweather_interface.archive import Origin

Times = npt.NDArray[np.int64]
"""Whole microseconds since 1970 in UTC, shape (observations,)."""

Values = npt.NDArray[np.float64]
"""Values in the contract's unit of their variable, shape (observations,)."""

Mask = npt.NDArray[np.bool_]

Key = tuple[str, str]
"""Area and variable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """The observations of one file.

    `series` maps each key to times, rising and each once, and as many finite values. `origin` is
    None where the file states none; the database does not keep it.
    """

    path: Path
    origin: Origin | None = None
    series: Mapping[Key, tuple[Times, Values]]

    def __len__(self) -> int:
        return sum(len(times) for times, _ in self.series.values())
