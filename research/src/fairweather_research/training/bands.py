"""Fit prediction intervals, called bands. Only the training process imports this.

Every quantile is the forecast minus or plus a reach that is never negative, so that a band holds
its forecast. A second, small network learns the reach of every lead from the calendar of the
reference time and the area (and, where a model switches, the branch that answers), with the pinball
loss, from the errors of the forecast on training time. It does not see recent observations: bands
that did were no sharper. ``calibration.widening`` then moves each edge, lead day by lead day, until
it covers what it declares. Where an output goes by some of the inputs alone (``export.graph``), the
reach also grows with how much later the others are: a day of them missing moves it by as much as it
moves the quantiles of the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.dataset import climatology
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.export.graph import Bands, reaches
from fairweather_research.networks.base import EpochRecord, FitPlan
from fairweather_research.networks.keras_network import fit_network
from fairweather_research.training.calibration import widening
from fairweather_research.training.fitting import Fitted

_PENALTY = 1e-3
_LEAST_REACH = 0.01  # usual spreads


def fit_bands(
    windows: WindowSet,
    fitted: Fitted,
    plan: FitPlan,
    progress: Callable[[EpochRecord], None],
) -> Bands:
    """Fit and calibrate the bands around a forecast; held-out values are not looked at."""
    parts = windows.parts()[:, None, :]
    known = _errors(windows, fitted, fitted.predicted)
    inputs = _inputs(windows, fitted)
    outputs = known.shape[1]
    probabilities = np.array(windows.plan.probabilities)
    start = _raw_quantiles(np.where(parts == Part.TRAINING, known, np.nan), probabilities)
    model = _network(inputs.shape[1], start)

    def samples(part: Part) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        error = np.where(parts == part, known, np.nan).astype(np.float32)
        rows = np.isfinite(error).any(axis=(1, 2))
        return [inputs[rows]], error[rows]

    fit_network(
        model,
        _pinball(probabilities),
        plan,
        training=samples(Part.TRAINING),
        calibration=samples(Part.CALIBRATION),
        progress=progress,
    )
    reach = model.predict(inputs, batch_size=1024, verbose=0)
    known[np.broadcast_to(parts == Part.HELD_OUT, known.shape)] = np.nan
    factors = [
        [
            widening(
                known[:, output] * (1.0 if probability > 0.5 else -1.0),  # noqa: PLR2004
                reach[:, output, number].astype(np.float64),
                windows.lead_times(),
                (windows.parts() == Part.CALIBRATION) & (fitted.constants.shrinkage[output] > 0),
                beyond=min(probability, 1.0 - probability),
                steps_a_day=windows.plan.steps_a_day,
            )
            for number, probability in enumerate(probabilities.tolist())
        ]
        for output in range(outputs)
    ]
    kernel, bias = model.layers[1].get_weights()
    if fitted.predicted_late is not None:
        late = _errors(windows, fitted, fitted.predicted_late)
        late[np.isnan(known)] = np.nan
        growth = _raw_quantiles(late, probabilities) - _raw_quantiles(known, probabilities)
        kernel = np.concatenate([kernel, growth.reshape(1, -1)])
    return Bands(kernel=kernel, bias=bias, widening=np.array(factors))


def _errors(
    windows: WindowSet, fitted: Fitted, predicted: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return observed minus forecast, in usual spreads, [rows, outputs, leads]."""
    constants = fitted.constants
    usual = windows.usual(constants.output_usual)
    spread = constants.output_spread[windows.area][:, :, None]
    limits = np.array([(output.minimum, output.maximum) for output in windows.plan.outputs])
    forecast = np.clip(
        usual + predicted * constants.shrinkage * spread, limits[:, :1], limits[:, 1:]
    )
    return np.asarray((windows.targets() - forecast) / spread)


def _inputs(windows: WindowSet, fitted: Fitted) -> npt.NDArray[np.float32]:
    """Compute the network's inputs: calendar terms but the constant one, area, branch."""
    inputs = [
        climatology.terms(windows.reference)[:, 1:],
        np.eye(len(windows.plan.areas))[windows.area],
    ]
    if fitted.switch is not None:
        inputs.append(np.eye(fitted.switch.branches)[fitted.switch.of(windows)])
    return np.concatenate(inputs, axis=1).astype(np.float32)


def _raw_quantiles(
    error: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return what ``reaches`` makes the distance of each quantile, [outputs, quantiles, leads].

    Of errors [rows, outputs, leads], whatever the calendar says. The network starts there: an hour
    ahead the error is a tenth of what it is a week ahead, and few passes would not get that far.
    """
    start = np.ones((error.shape[1], len(probabilities), error.shape[2]), np.float32)
    for output, lead in np.ndindex(*error.shape[1:]):
        known = error[np.isfinite(error[:, output, lead]), output, lead]
        if len(known):
            side = np.where(probabilities > 0.5, 1.0, -1.0)  # noqa: PLR2004
            reach = np.maximum(side * np.quantile(known, probabilities), _LEAST_REACH)
            start[output, :, lead] = np.log(np.expm1(reach))
    return start


def _network(width: int, start: npt.NDArray[np.float32]) -> Any:  # noqa: ANN401 - Keras has no types
    inputs = keras.Input((width,))
    raw = keras.layers.Dense(
        start.size,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(start.ravel()),
        kernel_regularizer=keras.regularizers.L2(_PENALTY),
    )(inputs)
    shape = start.shape
    return keras.Model(inputs, keras.layers.Reshape(shape)(keras.layers.Activation(reaches)(raw)))


def _pinball(probabilities: npt.NDArray[np.float64]) -> Callable[[Any, Any], Any]:
    """Return the pinball loss of the errors [rows, outputs, leads], over those that are known."""
    share = tf.constant(probabilities[:, None], tf.float32)
    side = tf.constant(np.where(probabilities > 0.5, 1.0, -1.0)[:, None], tf.float32)  # noqa: PLR2004

    def pinball(error: Any, reach: Any) -> Any:  # noqa: ANN401 - tensors have no types
        error = error[:, :, None, :]
        absent = tf.math.is_nan(error)
        above = tf.where(absent, tf.zeros_like(reach), error - side * reach)
        number = tf.reduce_sum(1.0 - tf.cast(absent, tf.float32))
        loss = tf.maximum(share * above, (share - 1.0) * above)
        return tf.reduce_sum(loss) / tf.maximum(number * len(probabilities), 1.0)

    return pinball
