"""Climatology: what is usual at an hour of the day on a day of the year.

A small harmonic regression: a constant, one yearly wave, three daily waves, and the yearly change
of the first two daily waves; where two years or more were observed, a second yearly wave, and a
third from four years on. Spring is no mirror of autumn; but in a single year the finer waves cannot
be told from that year's weather. It is the baseline a forecast must beat, the usual value inside
every exported graph (which computes the same terms), and what forecasts return to at long leads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import DAY

YEAR = 31_556_952  # seconds in a mean Gregorian year
DAILY_WAVES = 3
DAILY_WAVES_THAT_CHANGE = 2
TERMS = 3 + 2 * DAILY_WAVES + 4 * DAILY_WAVES_THAT_CHANGE  # with one yearly wave

# Years of observations from which there is one yearly wave more; records have gaps.
_YEARS_FOR_WAVES = (1.9, 3.8)

# Share of the observations' number added to the normal equations: it leaves a year of data as it
# is, and keeps the yearly wave small where only a season of data is there.
_RIDGE = 1e-3


def yearly_waves(count: int) -> range:
    """Return the yearly waves among so many terms: waves a year, whose terms after 1 come last."""
    return range(1, 2 + (count - TERMS) // 2)


def terms(time: npt.NDArray[np.int64], count: int = TERMS) -> npt.NDArray[np.float64]:
    """Return the regression's terms at times in seconds since 1970-01-01; adds a last axis."""
    day = (time % DAY) * (2 * np.pi / DAY)
    year = (time % YEAR) * (2 * np.pi / YEAR)
    yearly = [np.sin(year), np.cos(year)]
    daily = [wave(k * day) for k in range(1, DAILY_WAVES + 1) for wave in (np.sin, np.cos)]
    changing = [y * d for d in daily[: 2 * DAILY_WAVES_THAT_CHANGE] for y in yearly]
    finer = [wave(k * year) for k in yearly_waves(count)[1:] for wave in (np.sin, np.cos)]
    return np.stack([np.ones_like(day), *yearly, *daily, *changing, *finer], axis=-1)


def usual_at(
    time: npt.NDArray[np.int64], coefficients: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what is usual at each time, by coefficients of shape [terms]."""
    return terms(time, len(coefficients)) @ coefficients


def shifted(
    coefficients: npt.NDArray[np.float64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return coefficients that give at a time what the given ones give an offset later.

    Shape [..., terms] and offsets in seconds, shape [offsets], make [..., offsets, terms]: a wave
    that is shifted is a mixture of its own sine and cosine, so that the usual of many times is a
    linear map of the terms of one.
    """
    count = coefficients.shape[-1]
    year, *finer = (_turns(k * offsets * (2 * np.pi / YEAR)) for k in yearly_waves(count))
    days = [_turns(k * offsets * (2 * np.pi / DAY)) for k in range(1, DAILY_WAVES + 1)]
    turned = np.zeros((len(offsets), count, count))
    turned[:, 0, 0] = 1.0
    place = 1
    changing = [
        np.einsum("oij,okl->oikjl", day, year).reshape(-1, 4, 4)
        for day in days[:DAILY_WAVES_THAT_CHANGE]
    ]
    for block in (year, *days, *changing, *finer):
        size = block.shape[-1]
        turned[:, place : place + size, place : place + size] = block
        place += size
    return np.asarray(np.einsum("...i,oij->...oj", coefficients, turned), dtype=np.float64)


def _turns(angle: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Return what makes (sin x, cos x) that of x plus an angle, shape [angles, 2, 2]."""
    sin, cos = np.sin(angle), np.cos(angle)
    return np.moveaxis(np.array([[cos, sin], [-sin, cos]]), -1, 0)


def fit_climatology(
    time: npt.NDArray[np.int64], value: npt.NDArray[np.float64], years: float = 1.0
) -> npt.NDArray[np.float64]:
    """Fit the coefficients of the terms, shape [terms]; values that are NaN do not count.

    In ``years`` of observations, two or more, there are yearly waves more.

    There must be at least one value; callers have checked that there are enough.
    """
    present = np.isfinite(value)
    count = TERMS + 2 * sum(years >= least for least in _YEARS_FOR_WAVES)
    design, known = terms(time[present], count), value[present]
    penalty = np.full(count, _RIDGE * len(known))
    penalty[0] = 0.0
    solved = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ known)
    return np.asarray(solved, dtype=np.float64)
