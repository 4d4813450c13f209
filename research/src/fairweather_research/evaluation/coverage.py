"""Coverage: the share of held-out values that lie inside the band.

A band between the 10 % and the 90 % quantile declares that 80 % of values lie inside. The share
inside, edges included, is counted over all leads and by lead day, with a 95 % interval from a block
bootstrap. A band is called too narrow or too wide only where that interval excludes the share it
declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fairweather_research.document import StrictModel
from fairweather_research.evaluation.bootstrap import block_numbers, interval

_Verdict: TypeAlias = Literal["as declared", "too narrow", "too wide", "not known"]


class CoverageCount(StrictModel):
    """The values of one lead day (1 is the first 24 hours), or of all (0), against the band."""

    day: int
    count: int
    inside: float  # share between the outermost quantiles
    interval: tuple[float, float] | None  # 95 %, of that share
    verdict: _Verdict
    below: tuple[float, ...]  # share not above each quantile


class Coverage(StrictModel):
    """The coverage of the bands of one variable at one area."""

    probabilities: tuple[float, ...]  # of the quantiles, ascending
    declared: float  # share that should lie between the outermost
    whole: CoverageCount
    days: tuple[CoverageCount, ...]


def measure_coverage(
    truth: npt.NDArray[np.float64],
    quantiles: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
    *,
    probabilities: Sequence[float],
    lead_days: Sequence[slice],
) -> Coverage:
    """Count the values inside the bands, over all leads and by lead day.

    Args:
        truth: observed values, shape [rows, leads]; NaN where not evaluated, not everywhere.
        quantiles: shape [quantiles, rows, leads], ascending, in the unit of the truth.
        times: the valid time of each value, seconds, shape [rows, leads].
        probabilities: of the quantiles.
        lead_days: the leads of each day.
    """
    declared = probabilities[-1] - probabilities[0]

    def count(day: int, leads: slice) -> CoverageCount:
        present = np.isfinite(truth[:, leads])
        observed, edges = truth[:, leads][present], quantiles[:, :, leads][:, present]
        inside = (edges[0] <= observed) & (observed <= edges[-1])
        block = block_numbers(times[:, leads][present])
        sums = np.array([np.bincount(block, weights=inside), np.bincount(block)])
        found = interval(sums, lambda drawn: drawn[0] / drawn[1])
        return CoverageCount(
            day=day,
            count=len(observed),
            inside=float(inside.mean()),
            interval=found,
            verdict=_verdict(found, declared),
            below=tuple(float(share) for share in (observed <= edges).mean(axis=1)),
        )

    return Coverage(
        probabilities=tuple(probabilities),
        declared=round(declared, 12),
        whole=count(0, slice(None)),
        days=tuple(
            count(number, leads)
            for number, leads in enumerate(lead_days, start=1)
            if np.isfinite(truth[:, leads]).any()
        ),
    )


def _verdict(interval: tuple[float, float] | None, declared: float) -> _Verdict:
    if interval is None:
        return "not known"
    if interval[1] < declared:
        return "too narrow"
    return "too wide" if interval[0] > declared else "as declared"
