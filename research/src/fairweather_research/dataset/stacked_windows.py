"""Windows of several series beside each other, cut when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.windows import SampledSeries


@dataclass(frozen=True, kw_only=True)
class StackedWindows:
    """Windows [rows, series, samples] of series that memory holds once.

    Indexing gives the windows of some rows, ``np.asarray`` their values, float32 unless told.
    """

    series: Mapping[tuple[int, int], SampledSeries]  # by number and area
    area: npt.NDArray[np.int64]  # [rows]
    end: npt.NDArray[np.int64]  # [rows] time of the last sample, seconds
    samples: int
    missing: float = np.nan  # what is read where nothing is
    begins: Sequence[int] = ()  # by number: samples before it are read as missing

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, series and samples."""
        return len(self.area), 1 + max(self.series)[0], self.samples

    def __len__(self) -> int:
        return len(self.area)

    def __getitem__(self, rows: Any) -> StackedWindows:  # noqa: ANN401 - whatever indexes rows
        return replace(self, area=self.area[rows], end=self.end[rows])

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:  # noqa: ANN401 - NumPy's
        found = np.empty(self.shape, dtype=dtype or np.float32)
        for number, rows, series in self._of_series():
            found[rows, number] = series.windows(self.end[rows], self.samples)
        for number, begin in enumerate(self.begins):
            found[:, number, :begin] = np.nan
        if not np.isnan(self.missing):
            found[np.isnan(found)] = self.missing
        return found

    def counts(self) -> npt.NDArray[np.int64]:
        """Return how many values of each window are there, shape [rows, series]."""
        found = np.zeros(self.shape[:2], dtype=np.int64)
        for number, rows, series in self._of_series():
            found[rows, number] = series.present(self.end[rows], self.samples)
        return found

    def _of_series(self) -> Iterator[tuple[int, npt.NDArray[np.int64], SampledSeries]]:
        for area in np.unique(self.area).tolist():
            rows = np.flatnonzero(self.area == area)
            for number in range(self.shape[1]):
                yield number, rows, self.series[number, area]
