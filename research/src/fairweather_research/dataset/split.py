"""The division of time into training, calibration and held-out blocks.

Values are divided by their valid time. Of every 48 days (a recipe may set others), counted from
1970-01-01 so that more data never moves a block, the last 12 are held out for evaluation, and two
blocks of 5 inside the rest are for calibration: when to stop and how far to trust the network. A
recipe may hold out the last days of the record in place of the last days of every cycle. A
forecast that starts in training time may reach into a held-out block; its values there are
evaluated, never trained on. Its inputs may lie in any block: they are known when it starts.
"""

from __future__ import annotations

import copy
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fairweather_research.recipes.recipe import SplitPlan

DAY = 86_400

_FOLDS = 4
_NEVER = 2**40


class Part(IntEnum):
    """The use of the values of a stretch of time."""

    TRAINING = 0
    CALIBRATION = 1
    HELD_OUT = 2


class Span(NamedTuple):
    """A stretch of time [start, end), seconds since 1970-01-01T00:00Z."""

    start: int
    end: int


class TimeSplit:
    """The division of all time that a recipe's ``split`` describes.

    ``newest`` is the time of the record's newest value, which ends what ``last`` holds out.
    """

    def __init__(self, plan: SplitPlan, newest: int = 0) -> None:
        self.every = plan.every.days
        self.omitted = _FOLDS  # the cycles that are held out as a whole: none
        end = (newest - 1) // DAY + 1 if plan.last else _NEVER
        self._last = range(end - plan.last.days if plan.last else end, end)  # days held out
        cycle = np.full(self.every, Part.TRAINING, dtype=np.int8)
        rest = self.every - (plan.held_out.days if plan.held_out else 0)
        cycle[rest:] = Part.HELD_OUT
        half = plan.calibration.days // 2
        for centre in (rest / 4, 3 * rest / 4):
            first = round(centre - half / 2)
            cycle[first : first + half] = Part.CALIBRATION
        self._cycle = cycle

    def part(self, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return the part of each value; a value at time t stands for the moments before t."""
        return self._part(self._day(time))

    def block(self, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return a number per block: equal for times in one unbroken run of days of one part."""
        starts = np.flatnonzero(np.r_[True, np.diff(self._cycle) != 0])
        cycle, day = np.divmod(self._day(time), self.every)
        within = np.searchsorted(starts, day, side="right") - 1
        return cycle * len(starts) + within

    def days(self, time: npt.NDArray[np.int64]) -> int:
        """Return on how many days times lie, before an end of the record that is held out."""
        return int(np.sum(np.unique(self._day(time)) < self._last.start))

    def folds(self, time: npt.NDArray[np.int64]) -> list[tuple[npt.NDArray[np.bool_], TimeSplit]]:
        """Return every fourth cycle in turn: where times lie in it, and the split that omits it.

        Nothing where there are too few cycles to do without one in four.
        """
        fold = self._day(time) // self.every
        if len(np.unique(fold)) < 2 * _FOLDS:
            return []
        found = []
        for number in range(_FOLDS):
            other = copy.copy(self)
            other.omitted = number
            found.append((fold % _FOLDS == number, other))
        return found

    def held_out(self, start: int, end: int) -> tuple[Span, ...]:
        """Return the held-out blocks that overlap [start, end), whole, in order."""
        days = np.arange(start // DAY - self.every, end // DAY + self.every + 1)
        held_out = (self._part(days) == Part.HELD_OUT) & (days < self._last.stop)
        edges = np.diff(np.r_[False, held_out, False].astype(np.int8))
        spans = (
            Span(int(days[first]) * DAY, (int(days[last - 1]) + 1) * DAY)
            for first, last in zip(
                np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True
            )
        )
        return tuple(span for span in spans if span.start < end and span.end > start)

    def _part(self, day: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        out = day >= self._last.start  # a window may reach past the end
        out |= day // self.every % _FOLDS == self.omitted
        return np.where(out, np.int8(Part.HELD_OUT), self._cycle[day % self.every])

    @staticmethod
    def _day(time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (time - 1) // DAY
