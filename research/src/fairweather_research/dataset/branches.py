"""Branches: which of a model's networks answers a window.

A switch by the *reference time* uses its month in UTC, as everything inside a model does; the local
month can differ for some hours around the turn of a month.

A switch by an *input* uses a statistic of its newest steps, a step being the mean of the samples
that are present. **A missing step counts as what is usual at its time in its area**, as in the rest
of the graph, so that even a window that is all missing has a branch. A value at a threshold belongs
to the branch above. A mean is compared as a sum, so that whole numbers at a threshold are added up
without rounding, on every machine.

Where the newest values of a window are missing, the graph takes it as of the newest that is
present, and chooses the branch as of then (``export.graph``).

``export.graph`` does the same with tensors; a test holds the two together.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from fairweather_interface.durations import format_duration

from fairweather_research.dataset.climatology import usual_at
from fairweather_research.dataset.split import DAY, Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.errors import UnfitDataError
from fairweather_research.recipes.recipe import Recipe
from fairweather_research.recipes.switch import REFERENCE_TIME, Statistic, SwitchPlan

#: Days of windows, in every area, that a branch needs of each part of the split.
_LEAST = {Part.TRAINING: 7, Part.CALIBRATION: 1, Part.HELD_OUT: 1}

_CYCLE = 146_097  # days after which the calendar repeats


@dataclass(frozen=True, kw_only=True)
class ByMonth:
    """A switch by the month of the reference time."""

    branch_of: tuple[int, ...]  # of January to December

    @property
    def branches(self) -> int:
        """Number of branches."""
        return max(self.branch_of) + 1

    @property
    def conditions(self) -> tuple[str, ...]:
        """The condition of each branch, for people."""
        return tuple(
            "reference time in "
            + ", ".join(
                calendar.month_abbr[month]
                for month, of_month in enumerate(self.branch_of, start=1)
                if of_month == branch
            )
            + " (UTC)"
            for branch in range(self.branches)
        )

    def of(self, windows: WindowSet) -> npt.NDArray[np.int64]:
        """Return the branch that answers each window, shape [rows]."""
        days = windows.reference // DAY % _CYCLE
        return np.asarray(self.branch_of)[month_of_day()[days]]

    def distance(self, windows: WindowSet) -> npt.NDArray[np.float64]:
        """Return the days from each window to the nearest one of another branch, shape [rows]."""
        days, of_day = np.unique(windows.reference // DAY, return_inverse=True)
        time = days[:, None] + np.arange(-183, 184)
        branch = np.asarray(self.branch_of)[month_of_day()[time % _CYCLE]]
        other = branch != branch[:, 183:184]
        nearest = np.where(other, np.abs(np.arange(-183, 184)), 366).min(axis=1)
        return np.asarray(nearest[of_day], float)


@dataclass(frozen=True, kw_only=True)
class ByInput:
    """A switch by a statistic of an input's newest steps."""

    input: int  # position among the inputs
    steps: int
    statistic: Statistic
    at: tuple[float, ...]  # thresholds in the input's unit, ascending
    usual: npt.NDArray[np.float64]  # climatology's coefficients, [areas, terms]
    described: tuple[str, str]  # what is compared, and its unit, for people

    @property
    def branches(self) -> int:
        """Number of branches."""
        return len(self.at) + 1

    @property
    def conditions(self) -> tuple[str, ...]:
        """The condition of each branch, for people."""
        what, unit = self.described
        edges = [f"{at:.6g} {unit}" for at in self.at]
        between = [f"{what} from {low} to {high}" for low, high in pairwise(edges)]
        return (f"{what} below {edges[0]}", *between, f"{what} at or above {edges[-1]}")

    def of(self, windows: WindowSet) -> npt.NDArray[np.int64]:
        """Return the branch that answers each window, shape [rows]."""
        value, factor = self._compared(windows)
        return np.searchsorted(np.array(self.at) * factor, value, side="right")

    def level(self, windows: WindowSet) -> npt.NDArray[np.float64]:
        """Return the statistic of each window, in the input's unit, shape [rows]."""
        value, factor = self._compared(windows)
        return value / factor

    def distance(self, windows: WindowSet) -> npt.NDArray[np.float64]:
        """Return the distance from the nearest threshold, in the input's unit, shape [rows]."""
        level = self.level(windows)
        return np.asarray(np.abs(level[:, None] - np.array(self.at)).min(axis=1))

    def _compared(self, windows: WindowSet) -> tuple[npt.NDArray[np.float64], int]:
        value = np.empty((len(windows), self.steps))
        for area in np.unique(windows.area).tolist():
            rows = windows.area == area
            series = windows.coarse_input(self.input, area)
            newest = series.windows(windows.reference[rows], self.steps).copy()
            ages = series.rate * np.arange(self.steps - 1, -1, -1)
            lost = np.isnan(newest)
            times = (windows.reference[rows][:, None] - ages)[lost]
            newest[lost] = usual_at(times, self.usual[area])
            value[rows] = newest
        match self.statistic:
            case "minimum":
                return value.min(axis=1), 1
            case "maximum":
                return value.max(axis=1), 1
            case "mean":
                return value.sum(axis=1), self.steps


Switch: TypeAlias = "ByMonth | ByInput"


def find_switch(recipe: Recipe, windows: WindowSet) -> Switch | None:
    """Find the thresholds of a recipe's switch; None where there is no switch.

    Climatology of the input and quantiles are computed outside held-out time.

    Raises:
        UnfitDataError: a branch has too few windows to be trained on or evaluated with.
    """
    if recipe.switch is None:
        return None
    switch = _resolved(recipe.switch, windows)
    if problems := _too_few(switch, windows):
        raise UnfitDataError(recipe.observations.source, problems)
    return switch


def month_of_day() -> npt.NDArray[np.int8]:
    """Return the month, 0 to 11, of every day of the calendar's cycle from 1970-01-01, [146097]."""
    days = np.arange(_CYCLE).astype("datetime64[D]")
    return (days.astype("datetime64[M]").astype(np.int64) % 12).astype(np.int8)


def _resolved(plan: SwitchPlan, windows: WindowSet) -> Switch:
    if plan.by == REFERENCE_TIME:
        assert plan.months is not None  # noqa: S101 - the recipe was checked
        of_month = {month: branch for branch, group in enumerate(plan.months) for month in group}
        return ByMonth(branch_of=tuple(of_month[month] for month in range(1, 13)))
    assert plan.period is not None and plan.statistic is not None  # noqa: S101, PT018
    inputs = windows.plan.inputs
    number = next(place for place, item in enumerate(inputs) if item.name == plan.by)
    areas = range(len(windows.plan.areas))
    series = {(number, area): windows.coarse_input(number, area) for area in areas}
    switch = ByInput(
        input=number,
        steps=plan.period // windows.plan.step,
        statistic=plan.statistic,
        at=plan.at or (0.0,),
        usual=windows.climatology(series)[0][:, 0],
        described=(
            f"{plan.statistic} {plan.by} of the last {format_duration(plan.period)}",
            inputs[number].unit,
        ),
    )
    if plan.at_quantile is None:
        return switch
    level = switch.level(_reaching(windows, Part.TRAINING))
    found = np.quantile(level, plan.at_quantile).astype(np.float32)
    return replace(switch, at=tuple(found.tolist()))


def _reaching(windows: WindowSet, part: Part) -> WindowSet:
    return windows.rows(windows.reaching(part))


def _too_few(switch: Switch, windows: WindowSet) -> list[str]:
    """Return the branches that have too few windows of a part of the split, for people."""
    problems = []
    for part, days in _LEAST.items():
        there = _reaching(windows, part)
        branch = switch.of(there)
        least = days * windows.a_day
        for number, condition in enumerate(switch.conditions):
            for place, name in enumerate(windows.plan.areas):
                found = int(((branch == number) & (there.area == place)).sum())
                if found < least:
                    kind = part.name.lower().replace("_", "-")
                    problems.append(
                        f"`switch`: branch {number + 1} ({condition}) has {found} {kind} windows "
                        f"of {name}, expected at least {least}; move the condition, or bring more "
                        "observations"
                    )
    return problems
