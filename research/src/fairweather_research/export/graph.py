"""The graph that is delivered: raw observations in, a forecast in physical units out.

Everything between is inside: bringing inputs to the step, setting missing values aside, calendar
terms from the reference time, anomalies, the network (or several, and the switch between them),
shrinkage, units again, bands where there are any, and the limits of the real. Its terms are those
of ``climatology``; a test holds the two together.

A graph of many small operations takes a runtime longer than the arithmetic in them. So the waves
are computed once, at the reference time; what is usual at all other times is a linear map of them
(``climatology.shifted``), and what is done to every output is done to all at once.

Time arithmetic is done on int64 before anything becomes float32, which cannot count the seconds of
a decade. A reference time may be taken as of an earlier hour (``reference_times``).

A forecast cannot be worth more than its newest observation. So a window whose newest values are
missing is taken as of the step of the newest one that is there (its *origin*), the network and the
bands are asked as of then, and the leads that the caller wants begin as many steps later as that
value is old. Shrinkage and reach go with the lead from the origin, and what was learned and
calibrated on fresh windows holds for every age: the network forecasts as many leads more as
``max_missing`` lets the newest value be old. Every output goes by the inputs of its own variable,
so that a sensor that is late takes little from the forecast of another variable, whose bands are
then wider; what is newer than the origin is not looked at. Where outputs have different origins,
the batch is laid out once for each (a *view*), and the network is asked once for all.

Missing values are replaced with ``tf.where(tf.math.is_nan(x), zeros, x)``, the one form
that is known to survive conversion to ONNX.

Where there is a switch (see ``branches``), all networks are computed for every row, and each row
keeps the output of its own branch: a batch may hold rows of all branches, and no runtime has to
know control flow. The choice is a gather, which takes an output as it is. tf2onnx 1.17 turns a
``tf.where`` into a sum of products, in which a branch that was not chosen still counts where its
output is infinite or no number; and it divides whole numbers towards 0, so that times before 1970
are moved past it before they are divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.dataset.branches import ByMonth, Switch, month_of_day
from fairweather_research.dataset.climatology import (
    DAILY_WAVES,
    DAILY_WAVES_THAT_CHANGE,
    TERMS,
    YEAR,
    shifted,
    yearly_waves,
)
from fairweather_research.dataset.split import DAY
from fairweather_research.recipes.blueprint import Blueprint, InputPlan


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What was measured on training time and is part of the model."""

    input_usual: npt.NDArray[np.float64]  # climatology's coefficients, [areas, inputs, terms]
    input_spread: npt.NDArray[np.float64]  # [areas, inputs] in the input's unit
    output_usual: npt.NDArray[np.float64]  # [areas, outputs, terms]
    output_spread: npt.NDArray[np.float64]  # [areas, outputs] in the output's unit
    shrinkage: npt.NDArray[np.float64]  # [outputs, leads + the greatest age]
    #: ``WindowSet.delay``, [phases of the day].
    delay: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(24, np.int64))


@dataclass(frozen=True, kw_only=True)
class Bands:
    """How far from the forecast its quantiles lie, in usual spreads: a linear map of the calendar.

    Its input is ``waves`` of the reference time, then the area, one-hot, where there is a switch
    the branch that answers, one-hot, and where outputs go by some of the inputs alone, by how much
    the newest value of the others is older: 0 to 1, a day or more. Its output, [outputs, quantiles,
    leads] laid flat, becomes a reach by ``reaches`` and ``widening``.
    """

    kernel: npt.NDArray[np.float64]  # [terms of its input, outputs * quantiles * leads]
    bias: npt.NDArray[np.float64]  # [outputs * quantiles * leads]
    widening: npt.NDArray[np.float64]  # [outputs, quantiles, leads]


def waves(time: Any, count: int = TERMS) -> Any:  # noqa: ANN401 - tensors have no types
    """Compute ``climatology.terms`` but the constant: int64 [n] -> float32 [n, count - 1]."""
    finer = yearly_waves(count)[1:]
    periods = np.array([YEAR, *[DAY] * DAILY_WAVES, *[YEAR] * len(finer)])
    times = np.array([1, *range(1, DAILY_WAVES + 1), *finer])
    phase = tf.cast(tf.math.floormod(time[:, None] * times, periods), tf.float32)
    angle = phase * (2 * np.pi / periods).astype(np.float32)
    pairs = tf.stack([tf.sin(angle), tf.cos(angle)], axis=2)
    steady, last = tf.reshape(pairs, [-1, 2 * len(times)]), []
    if finer:
        steady, *last = tf.split(steady, [2 + 2 * DAILY_WAVES, 2 * len(finer)], axis=1)
    daily = steady[:, 2 : 2 + 2 * DAILY_WAVES_THAT_CHANGE]
    changing = daily[:, :, None] * pairs[:, :1]
    changing = tf.reshape(changing, [-1, 4 * DAILY_WAVES_THAT_CHANGE])
    return tf.concat([steady, changing, *last], axis=1)


def reaches(raw: Any) -> Any:  # noqa: ANN401 - tensors have no types
    """Make any number a reach: above 0, smooth, and known to ONNX."""
    return tf.math.softplus(raw)


class Multiplexed:
    """Several networks in the place of one, and the switch that chooses among them."""

    def __init__(self, networks: Sequence[Any], switch: Switch) -> None:
        self.networks = tuple(networks)
        self.switch = switch

    @property
    def variables(self) -> list[Any]:
        """The variables of all networks."""
        return [variable for network in self.networks for variable in network.variables]

    def __call__(self, inputs: list[Any], *, branch: Any) -> Any:  # noqa: ANN401 - tensors have no types
        """Return [rows, outputs, leads], each row by the network ``branch``, int32 [rows]."""
        outputs = tf.stack([network(inputs, training=False) for network in self.networks], axis=1)
        rows = tf.range(tf.shape(branch)[0])
        return tf.gather_nd(outputs, tf.stack([rows, branch], axis=1))


class ForecastGraph(tf.Module):  # type: ignore[misc]  # ships no types
    """A trained network with its batteries.

    ``forecast`` is the concrete function of the signature ``model_signature``: keyword tensors
    named as the blueprint names them, in any batch size, and a mapping of outputs.
    """

    def __init__(
        self,
        plan: Blueprint,
        network: Any,  # noqa: ANN401 - Keras has no types; or a ``Multiplexed``
        constants: Constants,
        bands: Bands | None = None,
    ) -> None:
        super().__init__(name="fairweather")
        self._plan = plan
        self._leads = constants.shrinkage.shape[1]  # of the network
        self._oldest = self._leads - plan.leads  # steps
        #: The inputs whose newest values make an origin; by output the number of its view.
        self.views, self._view_of = views(plan) if self._oldest else ([[]], [])
        # Only the network's variables are tracked: the saved model needs no Keras to be read.
        self.network_variables = [variable.value for variable in network.variables]
        self.input_usual = _Usual(constants.input_usual, plan, 1 - plan.steps, 1, "input_usual")
        self.input_spread = _variable(constants.input_spread, "input_spread")
        self.output_usual = _Usual(constants.output_usual, plan, 1, plan.leads + 1, "output_usual")
        self.output_spread = _variable(constants.output_spread, "output_spread")
        self.shrinkage = _variable(constants.shrinkage, "shrinkage")
        self._delay = constants.delay
        self._terms = constants.output_usual.shape[-1]
        if bands is not None:
            self.bands_kernel = _variable(bands.kernel, "bands_kernel")
            self.bands_bias = _variable(bands.bias, "bands_bias")
            self.bands_widening = _variable(bands.widening, "bands_widening")
        specs = {
            item.name: tf.TensorSpec([None, item.samples], tf.float32, name=item.name)
            for item in plan.inputs
        }
        specs["reference_time"] = tf.TensorSpec([None], tf.int64, name="reference_time")
        specs["area_index"] = tf.TensorSpec([None], tf.int64, name="area_index")

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # ships no types
        def forecast(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
            return self.trace(network, tensors)

        self.forecast = forecast.get_concrete_function(**specs)

    def trace(self, network: Any, tensors: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        """Return the outputs for the inputs, with ``network`` in its place."""
        value, present = self._at_the_steps(tensors)
        now = time = _last_observed(tensors["reference_time"], self._delay)
        place, age = tensors["area_index"], None
        late: list[Any] = []
        if self._oldest:
            age, late = self._age(present)
            time = tf.concat([time] * len(self.views), 0) - age * self._plan.step_seconds
            place = tf.concat([place] * len(self.views), 0)
            value, present = self._as_of(age, value, present)
        calendar = waves(time, self._terms)
        usual = self.input_usual(calendar, place)
        weight = 1.0 / tf.gather(self.input_spread, place)[:, :, None]
        anomalies = present * (value - usual) * weight
        one_hot = tf.one_hot(place, len(self._plan.areas), dtype=tf.float32)
        # networks and bands are not shown the finer waves of the year
        shown = calendar[:, : TERMS - 1] if self._terms > TERMS else calendar
        inputs, known = [anomalies, present, one_hot, shown], [shown, one_hot]
        if isinstance(network, Multiplexed):
            newest = value + (1.0 - present) * usual  # a value is 0 where it is missing
            branch = _branch_of_rows(network.switch, time, newest)
            predicted = network(inputs, branch=branch) * self.shrinkage
            known.append(tf.one_hot(branch, network.switch.branches, dtype=tf.float32))
        else:
            predicted = network(inputs, training=False) * self.shrinkage
        area = tensors["area_index"]
        spread = tf.gather(self.output_spread, area)[:, :, None]
        if age is not None:
            predicted = self._from_now(age, predicted[:, :, None])[:, :, 0]
            calendar = waves(now, self._terms)
        value = self.output_usual(calendar, area) + predicted * spread
        limits = np.array([(each.minimum, each.maximum) for each in self._plan.outputs], np.float32)
        low, high = limits[:, :1], limits[:, 1:]
        value = tf.minimum(tf.maximum(value, low), high)
        outputs = dict(
            zip((each.name for each in self._plan.outputs), tf.unstack(value, axis=1), strict=True)
        )
        if self._plan.probabilities:
            reach = self._reach(tf.concat([*known, *late], axis=1))
            if age is not None:
                reach = self._from_now(age, reach)
            bounds = value[:, :, None] + reach * spread[:, :, :, None]
            bounds = tf.minimum(tf.maximum(bounds, low[:, None]), high[:, None])
            for output, of_output in zip(
                self._plan.outputs, tf.unstack(bounds, axis=1), strict=True
            ):
                names = (each.name for each in output.quantiles)
                outputs |= dict(zip(names, tf.unstack(of_output, axis=1), strict=True))
        return outputs

    def _age(self, present: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401 - tensors have no types
        """Return how many steps ago each view's newest value is, int64 [views * batch].

        Of several inputs, the oldest newest one counts; none is older than is admitted. And in
        days, [views * batch, 1], how much older it is of all inputs than of the view's own, one at
        most; nothing where every view is of all inputs.
        """
        steps = self._plan.steps
        newest = tf.reduce_max(present * np.arange(1, steps + 1, dtype=np.float32), axis=2)
        age = tf.concat(
            [tf.reduce_max(steps - tf.gather(newest, view, axis=1), axis=1) for view in self.views],
            axis=0,
        )
        age = tf.minimum(age, float(self._oldest))
        late: list[Any] = []
        if any(len(view) < len(self._plan.inputs) for view in self.views):
            of_all = tf.concat([tf.reduce_max(steps - newest, axis=1)] * len(self.views), axis=0)
            days = tf.maximum(of_all - age, 0.0) * (1.0 / self._plan.steps_a_day)
            late = [tf.minimum(days, 1.0)[:, None]]
        return tf.cast(age, tf.int64), late

    def _as_of(self, age: Any, *series: Any) -> list[Any]:  # noqa: ANN401 - tensors have no types
        """Return series, [batch, inputs, steps], as they were ``age`` steps ago, for each view."""
        inputs = len(self._plan.inputs)
        both = tf.pad(tf.concat(series, axis=1), [[0, 0], [0, 0], [self._oldest, 0]])
        both = tf.concat([both] * len(self.views), axis=0)
        both = _stretch(both, self._oldest - age, self._plan.steps)
        return [both[:, first : first + inputs] for first in range(0, inputs * len(series), inputs)]

    def _from_now(self, age: Any, values: Any) -> Any:  # noqa: ANN401 - tensors have no types
        """Return [batch, outputs, n, leads] of [views * batch, outputs, n, leads from the origin].

        Every output is that of its own view.
        """
        outputs, number = values.shape[1:3]
        flat = tf.reshape(values, [-1, outputs * number, self._leads])
        flat = _stretch(flat, age, self._plan.leads)
        shape = [len(self.views), -1, outputs, number, self._plan.leads]
        views = tf.reshape(flat, shape)
        return tf.stack([views[view, :, n] for n, view in enumerate(self._view_of)], axis=1)

    def _reach(self, inputs: Any) -> Any:  # noqa: ANN401 - tensors have no types
        """Return how far from the forecast each quantile lies, [batch, outputs, quantiles, leads].

        In usual spreads, below 0 on the lower side. None is nearer to the forecast than the one
        before it, outwards.
        """
        outputs, chances = self._plan.outputs, self._plan.probabilities
        raw = tf.matmul(inputs, self.bands_kernel) + self.bands_bias
        shape = [-1, len(outputs), len(chances), self._leads]
        reach = tf.reshape(reaches(raw), shape) * self.bands_widening
        below = [number for number, chance in enumerate(chances) if chance < 0.5]  # noqa: PLR2004
        above = list(range(len(below), len(chances)))
        if len(below) > 1 or len(above) > 1:
            furthest = tf.unstack(reach, axis=2)
            for outwards in (below[::-1], above):
                for inner, outer in pairwise(outwards):
                    furthest[outer] = tf.maximum(furthest[outer], furthest[inner])
            reach = tf.stack(furthest, axis=2)
        return reach * np.array([[-1.0]] * len(below) + [[1.0]] * len(above), np.float32)

    def _at_the_steps(self, tensors: dict[str, Any]) -> tuple[Any, Any]:
        """Return all inputs at the step, 0 where missing, and where they are present.

        Inputs with a shorter period than the longest are missing before they begin.
        """
        values, presents = zip(
            *(self._at_the_step(tensors[item.name], item) for item in self._plan.inputs),
            strict=True,
        )
        return tf.stack(values, axis=1), tf.stack(presents, axis=1)

    def _at_the_step(self, window: Any, item: InputPlan) -> tuple[Any, Any]:  # noqa: ANN401
        """Return a raw window as [batch, steps] of means, and where any sample is present."""
        steps = item.period // self._plan.step
        if item.samples == steps:
            missing = tf.math.is_nan(window)
            mean = tf.where(missing, tf.zeros_like(window), window)
            present = tf.cast(tf.logical_not(missing), tf.float32)
        else:
            runs = tf.reshape(window, [-1, steps, item.samples // steps])
            missing = tf.math.is_nan(runs)
            number = tf.reduce_sum(tf.cast(tf.logical_not(missing), tf.float32), axis=-1)
            total = tf.reduce_sum(tf.where(missing, tf.zeros_like(runs), runs), axis=-1)
            mean, present = total / tf.maximum(number, 1.0), tf.minimum(number, 1.0)
        if steps == self._plan.steps:
            return mean, present
        before = [[0, 0], [self._plan.steps - steps, 0]]
        return tf.pad(mean, before), tf.pad(present, before)


class _Usual(tf.Module):  # type: ignore[misc]  # ships no types
    """Climatology of every series at the steps ``first`` to ``end`` from the reference time."""

    def __init__(
        self,
        coefficients: npt.NDArray[np.float64],
        plan: Blueprint,
        first: int,
        end: int,
        name: str,
    ) -> None:
        super().__init__(name=name)
        at_steps = shifted(coefficients, plan.step_seconds * np.arange(first, end))
        areas, series, steps, count = at_steps.shape
        self._shape = [-1, series, steps]
        self.of_waves = _variable(at_steps[..., 1:].reshape(areas, -1, count - 1), "of_waves")
        self.mean = _variable(coefficients[..., :1], "mean")

    def __call__(self, calendar: Any, area: Any) -> Any:  # noqa: ANN401 - tensors have no types
        """Return [batch, series, steps] from waves at the reference time, [batch, terms - 1]."""
        moving = tf.matmul(tf.gather(self.of_waves, area), calendar[:, :, None])
        return tf.reshape(moving, self._shape) + tf.gather(self.mean, area)


def views(plan: Blueprint) -> tuple[list[list[int]], list[int]]:
    """Return the sets of inputs that outputs go by, and for each output the place of its own.

    An output goes by the inputs of its variable; by all where there is none.
    """
    of_output = []
    for output in plan.outputs:
        own = [n for n, item in enumerate(plan.inputs) if item.variable == output.variable]
        of_output.append(own or list(range(len(plan.inputs))))
    found = [view for n, view in enumerate(of_output) if view not in of_output[:n]]
    return found, [found.index(view) for view in of_output]


def _stretch(values: Any, first: Any, length: int) -> Any:  # noqa: ANN401 - tensors have no types
    """Return ``length`` values of [batch, n, steps] from a step of each row's own, int64 [batch].

    A gather, because it takes values as they are (see above).
    """
    steps = first[:, None] + np.arange(length)
    rows = tf.range(tf.shape(first, tf.int64)[0])[:, None] + tf.zeros_like(steps)
    found = tf.gather_nd(tf.transpose(values, [0, 2, 1]), tf.stack([rows, steps], axis=2))
    return tf.transpose(found, [0, 2, 1])


def _variable(value: npt.NDArray[np.float64], name: str) -> Any:  # noqa: ANN401
    return tf.Variable(value.astype(np.float32), trainable=False, name=name)


def _last_observed(time: Any, delay: npt.NDArray[np.int64]) -> Any:  # noqa: ANN401 - tensors have no types
    """Return times, int64 [n], each as of the last hour observed, by ``Constants.delay``."""
    if not delay.any():
        return time
    every = DAY // len(delay)
    phase = tf.math.floordiv(tf.math.floormod(time, DAY), every)
    return time - tf.math.floormod(time, every) - tf.gather(delay, phase)


def _branch_of_rows(switch: Switch, reference: Any, newest: Any) -> Any:  # noqa: ANN401 - tensors have no types
    """Return the branch of each row, int32 [rows].

    ``reference`` holds int64 seconds; ``newest``, float32 [rows, inputs, steps], all inputs at the
    step, climatology where they are missing.
    """
    if isinstance(switch, ByMonth):
        branch_of_day = np.array(switch.branch_of, np.int32)[month_of_day()]
        cycle = DAY * len(branch_of_day)  # 400 years
        moment = tf.math.floormod(reference + cycle, cycle)
        return tf.gather(branch_of_day, tf.math.floordiv(moment, DAY))
    steps = newest[:, switch.input, -switch.steps :]
    compared, factor = {
        "minimum": (tf.reduce_min, 1),
        "maximum": (tf.reduce_max, 1),
        "mean": (tf.reduce_sum, switch.steps),
    }[switch.statistic]
    thresholds = np.array(switch.at, np.float32) * np.float32(factor)
    reached = tf.greater_equal(compared(steps, axis=1)[:, None], thresholds)
    return tf.reduce_sum(tf.cast(reached, tf.int32), axis=1)
