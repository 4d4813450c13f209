"""The blueprint: names, shapes and units of a model's inputs and outputs, as its recipe decides.

Training, the exported graph and the metadata all read them from here, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from fairweather_interface.definitions import Definitions
from fairweather_interface.metadata import Area

_DAY = timedelta(days=1)
_HOUR = 3600
_AGES = [timedelta(hours=hours) for hours in (3, 6, 12, 24, 48, 72, 144, 288)]


@dataclass(frozen=True, kw_only=True)
class InputPlan:
    """One window of observations among the model's inputs."""

    name: str
    variable: str
    unit: str
    minimum: float  # the lowest value that can be real
    maximum: float
    period: timedelta
    sample_rate: timedelta
    max_missing: float
    members: tuple[str, ...] | None  # fixed areas whose mean it is; None: the requested area

    @property
    def samples(self) -> int:
        """Number of values in the window."""
        return self.period // self.sample_rate

    def areas_read(self, area: str) -> tuple[str, ...]:
        """Return the areas whose observations this input needs for a forecast for ``area``."""
        return self.members or (area,)


@dataclass(frozen=True, kw_only=True)
class QuantilePlan:
    """The value that an output stays below with a probability: a tensor like the output's own."""

    name: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """One forecast variable: ``leads`` values, ``step`` apart, within the limits of the real."""

    name: str
    variable: str
    unit: str
    minimum: float
    maximum: float
    quantiles: tuple[QuantilePlan, ...] = ()  # ascending; of every output the same probabilities


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Names, shapes and units of one model."""

    areas: Mapping[str, Area]  # in the order that area_index counts
    inputs: tuple[InputPlan, ...]
    outputs: tuple[OutputPlan, ...]
    step: timedelta
    leads: int

    @property
    def steps(self) -> int:
        """Length of the longest input, in steps."""
        return max(plan.period // self.step for plan in self.inputs)

    @property
    def steps_a_day(self) -> int:
        """Number of steps in 24 hours; lead days are counted with it."""
        return _DAY // self.step

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the quantiles of every output, ascending; none when there are no bands."""
        return tuple(quantile.probability for quantile in self.outputs[0].quantiles)

    @property
    def measured_ages(self) -> tuple[timedelta, ...]:
        """Ages of the newest value, whole steps, that ``max_missing`` of every input admits."""
        return tuple(
            age
            for age in _AGES
            if not age % self.step
            and all(
                (age // plan.sample_rate) / plan.samples <= plan.max_missing for plan in self.inputs
            )
        )

    @property
    def least_age(self) -> timedelta:
        """A ``max_age`` that asks for the newest value of every input: half a sample."""
        rate = min(plan.sample_rate for plan in self.inputs)
        return timedelta(seconds=max(int(rate.total_seconds()) // 2, 1))

    @property
    def areas_read(self) -> tuple[str, ...]:
        """Every area whose observations the model is made from, sorted."""
        read = {
            name for area in self.areas for plan in self.inputs for name in plan.areas_read(area)
        }
        return tuple(sorted(read | set(self.areas)))

    @property
    def variables_read(self) -> tuple[str, ...]:
        """Every variable whose observations the model is made from, sorted."""
        return tuple(sorted({i.variable for i in self.inputs} | {o.variable for o in self.outputs}))

    @property
    def oldest(self) -> int:
        """The greatest age, in steps, of an input's newest value that ``max_missing`` admits."""
        return max(
            int(plan.max_missing * plan.samples + 1e-6) // (self.step // plan.sample_rate)
            for plan in self.inputs
        )

    @property
    def step_seconds(self) -> int:
        """The step in seconds."""
        return int(self.step.total_seconds())

    @property
    def reference_seconds(self) -> int:
        """Seconds between the reference times that a model learns from: an hour, or less.

        Readers ask at the latest observation, which need not come on a whole step.
        """
        step = self.step_seconds
        return step if step <= _HOUR else math.gcd(step, _HOUR)


def make_blueprint(
    definitions: Definitions,
    *,
    areas: Iterable[str],
    variables: Iterable[str],
    quantiles: Iterable[float],
    max_missing: float,
    step: timedelta,
    leads: int,
) -> Blueprint:
    """Derive a blueprint from a recipe's values.

    An input is called after its variable; the mean of a region, or a fixed area, adds that name
    (``temperature_israel``). An output is called ``<variable>_forecast``, its quantiles add their
    percentage (``temperature_forecast_q10``; 0.025 is ``_q2_5``).
    """
    table = definitions.variable_table
    inputs = []
    for required in definitions.required_inputs:
        members: tuple[str, ...] | None = None
        name, row = required.variable, table[required.variable]
        if required.area is not None:
            name += "_" + "".join(c if c.isalnum() else "_" for c in required.area.lower())
            region = required.area == definitions.region
            members = tuple(definitions.areas) if region else (required.area,)
        inputs.append(
            InputPlan(
                name=name,
                variable=required.variable,
                unit=row.unit,
                minimum=row.minimum,
                maximum=row.maximum,
                period=required.period,
                sample_rate=required.sample_rate,
                max_missing=max_missing,
                members=members,
            )
        )
    outputs = tuple(
        OutputPlan(
            name=f"{variable}_forecast",
            variable=variable,
            unit=table[variable].unit,
            minimum=table[variable].minimum,
            maximum=table[variable].maximum,
            quantiles=tuple(
                QuantilePlan(name=f"{variable}_forecast_q{_percent(p)}", probability=p)
                for p in quantiles
            ),
        )
        for variable in variables
    )
    return Blueprint(
        areas={area: definitions.areas[area] for area in areas},
        inputs=tuple(inputs),
        outputs=outputs,
        step=step,
        leads=leads,
    )


def lead_days(leads: int, steps_a_day: int) -> list[slice]:
    """Cut leads into lead days, of which the last may be shorter."""
    return [slice(first, min(first + steps_a_day, leads)) for first in range(0, leads, steps_a_day)]


def _percent(probability: float) -> str:
    """Format a probability in percent, exactly, for a name: without a point."""
    exact = (100 * Decimal(repr(probability))).normalize()
    return f"{exact:f}".replace(".", "_")
