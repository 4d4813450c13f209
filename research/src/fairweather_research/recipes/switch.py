"""A recipe's switch: the condition by which one model answers with one of several networks.

::

    switch: {by: reference_time, months: [[5, 6, 7, 8, 9], [10, 11, 12, 1, 2, 3, 4]]}
    switch: {by: humidity, statistic: mean, period: 1 day, at: 60}
    switch: {by: humidity, statistic: mean, period: 1 day, at_quantile: 0.5}

Each list of months is a branch, and so is what lies below, between and above the thresholds. What
the condition means, to the last digit, is defined by ``branches``; here it is only checked. The
key is not ``on``: YAML reads this word as true.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from fairweather_interface.durations import format_duration
from fairweather_interface.errors import short
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from fairweather_research.document import Duration, StrictModel
from fairweather_research.recipes.blueprint import Blueprint

REFERENCE_TIME = "reference_time"

Statistic = Literal["mean", "minimum", "maximum"]

_ALL_MONTHS = tuple(range(1, 13))
_OF_TIME = ("months",)
_OF_AN_INPUT = ("statistic", "period", "at", "at_quantile")


def _one_or_several(value: object) -> object:
    return value if value is None or isinstance(value, list | tuple) else (value,)


_Numbers = Annotated[
    tuple[float, ...], BeforeValidator(_one_or_several), Field(min_length=1, max_length=11)
]


class SwitchPlan(StrictModel):
    """What a model switches by, and where; see ``problems`` for what fits together."""

    by: Annotated[str, Field(min_length=1, max_length=200)]
    """`reference_time`, or the name of an input: its variable and, for a region, the region too
    (`temperature_israel`)."""
    months: tuple[tuple[int, ...], ...] | None = None
    """With `reference_time`: two or more lists that hold each month of the year once; each list is
    a branch. Months change at midnight UTC, some hours from the local midnight of `season`."""
    statistic: Statistic | None = None
    """With an input: `mean`, `minimum` or `maximum` of its newest steps."""
    period: Duration | None = None
    """With an input: how far back these steps reach: whole steps, at most the input's period."""
    at: _Numbers | None = None
    """With an input: one threshold in the input's unit, or several, ascending. A value equal to a
    threshold belongs to the branch above it."""
    at_quantile: _Numbers | None = None
    """In place of `at`: thresholds given as the share of training windows below them. The values
    found are on the card, and `thresholds` in `card/metrics.json`."""

    @property
    def branches(self) -> int:
        """Number of networks the model holds."""
        if self.months is not None:
            return len(self.months)
        return len(self.at or self.at_quantile or ()) + 1

    def problems(self) -> list[str]:
        """List what is wrong with the keys themselves."""
        on_time = self.by == REFERENCE_TIME
        foreign = _OF_AN_INPUT if on_time else _OF_TIME
        problems = [
            f"`switch.{key}`: does not belong to a switch by {self.by}; take it out, "
            f"or write `by: {'the name of an input' if on_time else REFERENCE_TIME}`"
            for key in foreign
            if getattr(self, key) is not None
        ]
        return problems + (self._of_months() if on_time else self._of_an_input())

    def input_problems(self, plan: Blueprint) -> list[str]:
        """List what does not go with the inputs of the recipe."""
        if self.by == REFERENCE_TIME:
            return []
        item = next((item for item in plan.inputs if item.name == self.by), None)
        if item is None:
            names = ", ".join(item.name for item in plan.inputs)
            problem = f"unknown input {self.by!r}; expected {REFERENCE_TIME}, or an input of the"
            return [f"`switch.by`: {problem} definitions: {names}"]
        problems = []
        if self.period is not None and (self.period % plan.step or self.period > item.period):
            problems.append(
                f"`switch.period`: found {format_duration(self.period)}, expected whole steps of "
                f"{format_duration(plan.step)}, at most the {format_duration(item.period)} of "
                f"{self.by}"
            )
        if not all(item.minimum < at < item.maximum for at in self.at or ()):
            problems.append(
                f"`switch.at`: found {list(self.at or ())}, expected {item.variable} between "
                f"{item.minimum:g} and {item.maximum:g} {item.unit}: no other can be"
            )
        return problems

    def _of_months(self) -> list[str]:
        if self.months is None:
            return ["`switch.months`: missing; write, for example, [[5, 6, 7, 8, 9], [10, ..., 4]]"]
        found = [list(months) for months in self.months]
        every = sorted(month for months in self.months for month in months)
        if len(found) > 1 and all(found) and tuple(every) == _ALL_MONTHS:
            return []
        expected = "two or more lists that hold each of the months 1 to 12 once; months outside"
        return [
            f"`switch.months`: found {short(found)}, expected {expected} `season` go to any of them"
        ]

    def _of_an_input(self) -> list[str]:
        problems = [
            f"`switch.{key}`: missing; write, for example, `{key}: {example}`"
            for key, example in (("statistic", "mean"), ("period", "1 day"))
            if getattr(self, key) is None
        ]
        if (self.at is None) == (self.at_quantile is None):
            found = "neither" if self.at is None else "both"
            problems.append(
                f"`switch.at`: found {found} of `at` and `at_quantile`, expected one: thresholds "
                "in the input's unit, or as shares of the training windows"
            )
        for key in ("at", "at_quantile"):
            numbers = getattr(self, key) or ()
            if any(low >= high for low, high in pairwise(numbers)):
                problems.append(
                    f"`switch.{key}`: found {list(numbers)}, expected them ascending, each once"
                )
        if not all(0 < share < 1 for share in self.at_quantile or ()):
            problems.append(
                f"`switch.at_quantile`: found {list(self.at_quantile or ())}, expected shares "
                "above 0 and below 1; write, for example, 0.5"
            )
        return problems

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys that do not belong to this switch."""
        return {key: value for key, value in handler(self).items() if value is not None}
