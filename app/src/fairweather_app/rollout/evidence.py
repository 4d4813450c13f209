"""Evidence: two deliveries compared by the errors of their past forecasts.

Both forecast the same area at the same hours; what is compared is the mean absolute error over
lead day 1 of each forecast, trial minus incumbent, so that easy and hard weather count for both.
Hourly forecasts overlap and weather keeps for days: whole blocks of `BLOCK_DAYS` are resampled
(Künsch 1989, *The jackknife and the bootstrap for general stationary observations*; about the cube
root of a month of days, as Hall, Horowitz and Jing 1995 recommend). Three or four blocks know too
little of their own spread, so the 95 % interval is the mean and Student's t times the bootstrap's
standard error, of one degree of freedom less than there are blocks (Hesterberg 2015). Seeded: the
same forecasts give the same interval in every process.

*Worse*: the whole interval lies above zero. *Not worse*: it reaches no further above zero than
`MARGIN` of the incumbent's error; so one as good is promoted within days, and one that is worse
by more than the margin is not, however long it is tried (`nox -s rollout` shows how often).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

BLOCK_DAYS = 2
RESAMPLES = 1000
MARGIN = 0.05
_DAY = 86_400_000_000
_Z = 1.959964

Verdict = Literal["undecided", "worse", "not-worse"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A delivery beside another one, for one area and variable on lead day 1.

    Attributes:
        count: how many forecasts of the same hours were compared.
        days: from the first of them to the last.
        mae: mean absolute error, in the variable's unit.
        other_mae: that of the other one.
        low: lower end of the 95 % interval of `mae - other_mae`; None where it is not known.
        high: its upper end.
        enough: whether there are so many forecasts and days that it decides.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    area: str
    variable: str
    delivery_id: str
    other: str
    count: int
    days: float
    mae: float
    other_mae: float
    low: float | None
    high: float | None
    enough: bool

    @property
    def verdict(self) -> Verdict:
        """Whether the delivery is worse than the other one, not worse, or neither is sure."""
        if not self.enough or self.low is None or self.high is None:
            return "undecided"
        if self.low > 0:
            return "worse"
        return "not-worse" if self.high <= MARGIN * self.other_mae else "undecided"

    def flipped(self) -> Comparison:
        """Return the same figures, seen from the other delivery."""
        return replace(
            self,
            delivery_id=self.other,
            other=self.delivery_id,
            mae=self.other_mae,
            other_mae=self.mae,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
        )

    def __str__(self) -> str:
        interval = (
            "" if self.low is None else f", 95 % between {self.low:+.2f} and {self.high:+.2f}"
        )
        return (
            f"{self.variable} on day 1: mean error {self.mae:.2f} beside {self.other_mae:.2f} of "
            f"{self.other} ({self.mae - self.other_mae:+.2f}{interval}) over {self.count} forecasts"
            f" in {self.days:.1f} days"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How many forecasts, over how many days, decide."""

    forecasts: int = 100
    days: float = 3.0


Series = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""The times of forecasts, in microseconds and rising, and the mean error of each on day 1."""


def compare(
    area: str, variable: str, *, own: tuple[str, Series], other: tuple[str, Series], rule: Rule
) -> Comparison | None:
    """Compare two deliveries, each its id and its errors; None where they share no hour."""
    (name, (times, errors)), (beside, (other_times, other_errors)) = own, other
    common, mine, theirs = np.intersect1d(times, other_times, return_indices=True)
    if not len(common):
        return None
    errors, other_errors = errors[mine], other_errors[theirs]
    days = float(common[-1] - common[0]) / _DAY
    low, high = interval(common, errors - other_errors) or (None, None)
    return Comparison(
        area=area,
        variable=variable,
        delivery_id=name,
        other=beside,
        count=len(common),
        days=days,
        mae=float(errors.mean()),
        other_mae=float(other_errors.mean()),
        low=low,
        high=high,
        enough=len(common) >= rule.forecasts and days >= rule.days,
    )


def interval(
    times: npt.NDArray[np.int64], differences: npt.NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean difference; None with fewer than two blocks.

    `times` are those of the forecasts, in microseconds.
    """
    blocks, places = np.unique(times // (BLOCK_DAYS * _DAY), return_inverse=True)
    count = len(blocks)
    if count < 2:  # noqa: PLR2004 - nothing to resample
        return None
    sums, sizes = np.bincount(places, differences), np.bincount(places)
    draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    means = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    error = float(means.std()) * math.sqrt(count / (count - 1)) * _student(count - 1)
    middle = float(differences.mean())
    return middle - error, middle + error


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5)."""
    terms: tuple[float, ...] = (
        (_Z**3 + _Z) / 4,
        (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96,
        (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384,
    )
    return _Z + sum(term / float(freedom**power) for power, term in enumerate(terms, start=1))
