"""A linear regression on recent anomalies: small, fast, and strong on the first day.

Features of every input's past: its anomalies of the last 24 hours, step by step, and how far the
newest one and the last eight hours or so stood from usual at this hour of the day (their averages
times a daily wave: an anomaly of the afternoon lasts otherwise than one of the night). Averages
fade exponentially over the steps that are present; the newest value stands in for a missing step.
The area and the hour are features too; the day of the year is not: in a single year it cannot be
told from that year's weather, and on calibration time it made forecasts worse.

One linear map a lead, fitted in closed form: least squares with a penalty on the weights that
calibration time chooses by lead day, then reweighted a few times towards the least absolute error,
by which forecasts are evaluated (iteratively reweighted least squares; Holland and Welsch 1977).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt

from fairweather_research.networks.base import (
    HOURS,
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)
from fairweather_research.networks.keras_network import KerasNetwork, drawn_rows, predict

_MEMORIES = (0.5, 8.0)  # hours: the newest value, and the last few
_DAILY = slice(HOURS.start, HOURS.start + 2)  # one wave a day
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # shares of the number of windows
_PASSES = 5  # the first of least squares
_NEAR = 0.1  # errors below it, in usual spreads, weigh the same
_MOST_ROWS = 30_000  # of the windows of many years, so many are drawn

_Floats: TypeAlias = npt.NDArray[np.float32]
_Weights: TypeAlias = npt.NDArray[np.float64]


class _FadingMemories(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Averages of the present anomalies, the newest counting most."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(trainable=False)
        age = np.arange(shape.steps)[::-1, None] * (24 / shape.steps_a_day)
        self.weights_of_age = np.exp(-age / np.array(_MEMORIES)).astype(np.float32)

    def call(self, anomalies: Any, present: Any) -> Any:  # noqa: ANN401 - Keras tensors
        total = keras.ops.matmul(anomalies, self.weights_of_age)
        weight = keras.ops.matmul(present, self.weights_of_age)
        some = keras.ops.greater(weight, 0.0)
        divisor = keras.ops.where(some, weight, keras.ops.ones_like(weight))
        return keras.ops.where(some, total / divisor, keras.ops.zeros_like(total))


class _LastDay(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The newest anomalies one by one, gaps filled with the newest present one."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(trainable=False)
        self.steps = min(shape.steps_a_day, shape.steps)

    def call(self, anomalies: Any, present: Any, newest: Any) -> Any:  # noqa: ANN401 - Keras tensors
        recent = anomalies[:, :, -self.steps :]
        there = present[:, :, -self.steps :]
        return recent + (1.0 - there) * newest


class _ByTheHour(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Every memory times each part of the daily wave."""

    def call(self, memories: Any, calendar: Any) -> Any:  # noqa: ANN401 - Keras tensors
        flat = keras.ops.reshape(memories, (-1, memories.shape[1] * memories.shape[2], 1))
        wave = keras.ops.expand_dims(calendar[:, _DAILY], 1)
        product = flat * wave
        return keras.ops.reshape(product, (-1, flat.shape[1] * 2))


class _Hour(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The calendar's waves of the day."""

    def call(self, calendar: Any) -> Any:  # noqa: ANN401 - Keras tensors
        return calendar[:, HOURS]


def features(shape: NetworkShape, inputs: list[Any]) -> tuple[Any, Any, Any]:
    """Return the last day, the averages by the hour, and the rest: Keras tensors, [rows, n]."""
    anomalies, present, area, calendar = inputs
    memories = _FadingMemories(shape)(anomalies, present)
    last_day = _LastDay(shape)(anomalies, present, memories[:, :, :1])
    by_the_hour = _ByTheHour()(memories, calendar)
    rest = keras.layers.Concatenate()([area, _Hour()(calendar)])
    return keras.layers.Flatten()(last_day), by_the_hour, rest


def inputs_of(shape: NetworkShape) -> list[Any]:
    """Make the Keras inputs of a network, in the order of ``NetworkInputs.NAMES``."""
    return [
        keras.Input((shape.inputs, shape.steps), name="anomalies"),
        keras.Input((shape.inputs, shape.steps), name="present"),
        keras.Input((shape.areas,), name="area"),
        keras.Input((shape.calendar,), name="calendar"),
    ]


class RecentAnomalies(KerasNetwork):
    """The regression, as a network that fits itself; see ``networks.Network``."""

    def __init__(self, shape: NetworkShape, sample: NetworkInputs) -> None:
        self._shape = shape
        inputs = inputs_of(shape)
        flat = keras.layers.Concatenate()([*features(shape, inputs)])
        self._describe = keras.Model(inputs, flat)
        self._scale = keras.layers.Normalization()
        drawn = drawn_rows(len(sample), _MOST_ROWS)
        self._scale.adapt(self._features(sample.rows(drawn)))
        self._map = keras.layers.Dense(shape.outputs * shape.leads, kernel_initializer="zeros")
        forecast = self._map(self._scale(flat))
        outputs = keras.layers.Reshape((shape.outputs, shape.leads))(forecast)
        super().__init__(keras.Model(inputs, outputs), shape)

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Solve for the weights: pass by pass, at most as many as the plan has epochs."""
        training, calibration = (
            (self._design(some.inputs.rows(rows)), np.asarray(some.targets[rows]))
            for some in (teaching, checking)
            for rows in [drawn_rows(len(some.targets), _MOST_ROWS)]
        )
        weights, penalty = self._least_squares(training, calibration)
        best: tuple[float, Any] = (np.inf, weights)
        for number in range(1, min(_PASSES, plan.epochs) + 1):
            if number > 1:
                weights = _reweighted(*training, weights, penalty)
            done = EpochRecord(
                number=number,
                training=self._error(*training, weights),
                calibration=self._error(*calibration, weights),
            )
            if done.calibration < best[0]:
                best = (done.calibration, weights)
            progress(done)
        kernel = best[1].transpose(2, 0, 1).reshape(training[0].shape[1], -1)
        self._map.set_weights([kernel[:-1].astype(np.float32), kernel[-1].astype(np.float32)])

    def _features(self, inputs: NetworkInputs) -> Any:  # noqa: ANN401 - Keras has no types
        return predict(self._describe, inputs)

    def _design(self, inputs: NetworkInputs) -> _Floats:
        scaled = np.asarray(self._scale(self._features(inputs)))
        return np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], axis=1)

    def _least_squares(
        self, training: tuple[_Floats, _Floats], calibration: tuple[_Floats, _Floats]
    ) -> tuple[_Weights, _Weights]:
        """Return weights [outputs, leads, features] and the penalty of each [outputs, leads].

        Both kinds of samples are the design matrix and the targets.
        """
        shape = self._shape
        found = np.stack([_solved(*training, penalty) for penalty in _PENALTIES])
        error = np.stack([_errors(*calibration, weights) for weights in found])
        chosen = np.zeros((shape.outputs, shape.leads), dtype=np.int64)
        for first in range(0, shape.leads, shape.steps_a_day):
            day = slice(first, first + shape.steps_a_day)
            chosen[:, day] = np.nanmean(error[:, :, day], axis=2).argmin(axis=0)[:, None]
        weights = np.take_along_axis(found, chosen[None, :, :, None], axis=0)[0]
        return weights, np.array(_PENALTIES)[chosen]

    def _error(self, design: _Floats, target: _Floats, weights: _Weights) -> float:
        """Return the mean absolute error, weighted by lead."""
        return float(np.nanmean(_errors(design, target, weights) * self._lead_weights))


def _errors(design: _Floats, target: _Floats, weights: _Weights) -> _Weights:
    """Return the mean absolute error of each output and lead; 0 where there is no target."""
    found = []
    for output in range(target.shape[1]):
        error = np.abs(design @ weights[output].T.astype(np.float32) - target[:, output])
        number = np.isfinite(error).sum(axis=0)
        found.append(np.nansum(error, axis=0) / np.maximum(number, 1))
    return np.stack(found).astype(np.float64)


def _solved(design: _Floats, target: _Floats, penalty: float) -> _Weights:
    """Solve penalized least squares of every output and lead, [outputs, leads, features]."""
    solutions = np.empty((*target.shape[1:], design.shape[1]))
    for output, lead in np.ndindex(target.shape[1:]):
        present = np.isfinite(target[:, output, lead])
        known, wanted = design[present], target[present, output, lead]
        solutions[output, lead] = _solve(known, wanted, np.float32(1.0), penalty)
    return solutions


def _reweighted(design: _Floats, target: _Floats, weights: _Weights, penalty: _Weights) -> _Weights:
    """Take a step towards the least absolute error: every window weighs one over its error."""
    solutions = np.empty_like(weights)
    for output, lead in np.ndindex(weights.shape[:2]):
        present = np.isfinite(target[:, output, lead])
        known, wanted = design[present], target[present, output, lead]
        error = np.abs(known @ weights[output, lead].astype(np.float32) - wanted)
        trust = 1.0 / np.maximum(error, _NEAR)
        trust = (trust / max(float(trust.mean()), 1e-9) if len(trust) else trust)[:, None]
        solutions[output, lead] = _solve(known, wanted, trust, float(penalty[output, lead]))
    return solutions


def _solve(
    design: _Floats,
    target: _Floats,
    trust: Any,  # noqa: ANN401 - one number, or a column
    penalty: float,
) -> _Weights:
    weighed = design * trust
    ridge = np.full(design.shape[1], penalty * max(len(design), 1))
    ridge[-1] = 1e-9  # the constant goes free, save where there is nothing to fit to
    gram = (weighed.T @ design).astype(np.float64) + np.diag(ridge)
    return np.linalg.solve(gram, (weighed.T @ target).astype(np.float64))


build = RecentAnomalies
