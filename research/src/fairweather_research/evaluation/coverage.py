"""Coverage: how much of what came lay inside the band, on time the model has never seen.

A band between the 10 % and the 90 % quantile declares that 80 % of values lie inside. How many did
is counted for the whole and lead day by lead day, edges included, with a 95 % interval over
resampled spells. A band is called too narrow or too wide only where the interval leaves no doubt;
the share is shown in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from fairweather_research.document import StrictModel
from fairweather_research.evaluation.bootstrap import share_interval

__all__ = ["Coverage", "Held", "cover"]


class Held(StrictModel):
    """What held of the values of one lead day (1 is the first 24 hours), or of all (0)."""

    day: int
    count: int
    inside: float  # share between the outermost quantiles
    interval: tuple[float, float] | None  # 95 %, of that share
    verdict: Literal["as declared", "too narrow", "too wide", "not known"]
    below: tuple[float, ...]  # share not above each quantile


class Coverage(StrictModel):
    """How the bands of one variable at one area held."""

    probabilities: tuple[float, ...]  # of the quantiles, ascending
    declared: float  # share that should lie between the outermost
    whole: Held
    days: tuple[Held, ...]


def cover(
    truth: npt.NDArray[np.float64],
    quantiles: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
    *,
    probabilities: Sequence[float],
    lead_days: Sequence[slice],
) -> Coverage:
    """Count how bands held.

    Args:
        truth: what came, shape [rows, leads]; NaN where nothing is judged, somewhere not.
        quantiles: shape [quantiles, rows, leads], ascending, in the unit of the truth.
        times: the moment each value speaks of, seconds, shape [rows, leads].
        probabilities: of the quantiles.
        lead_days: the leads of each day.
    """
    declared = probabilities[-1] - probabilities[0]

    def held(day: int, leads: slice) -> Held:
        there = np.isfinite(truth[:, leads])
        came, said = truth[:, leads][there], quantiles[:, :, leads][:, there]
        inside = ((said[0] <= came) & (came <= said[-1])).astype(np.float64)
        interval = share_interval(inside, np.ones_like(inside), times[:, leads][there])
        return Held(
            day=day,
            count=len(came),
            inside=float(inside.mean()),
            interval=interval,
            verdict=_verdict(interval, declared),
            below=tuple(float(share) for share in (came <= said).mean(axis=1)),
        )

    return Coverage(
        probabilities=tuple(probabilities),
        declared=round(declared, 12),
        whole=held(0, slice(None)),
        days=tuple(
            held(number, leads)
            for number, leads in enumerate(lead_days, start=1)
            if np.isfinite(truth[:, leads]).any()
        ),
    )


def _verdict(
    interval: tuple[float, float] | None, declared: float
) -> Literal["as declared", "too narrow", "too wide", "not known"]:
    if interval is None:
        return "not known"
    if interval[1] < declared:
        return "too narrow"
    return "too wide" if interval[0] > declared else "as declared"
