"""A Keras model as a network that fits itself, with early stopping on calibration time.

The loss is the mean absolute error, by which forecasts are evaluated, over the targets that are
present. Weights of the leads fall by a factor of e a day and average to one: far leads are hardly
predictable, and with equal weights fitting stops at the first epoch, when they begin to fit noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.networks.base import (
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)

__all__ = ["KerasNetwork", "fit_network"]


class KerasNetwork:
    """A Keras model, fitted with Adam and stopped where calibration time no longer improves."""

    def __init__(self, model: Any, shape: NetworkShape) -> None:  # noqa: ANN401 - Keras has no types
        self.model = model
        weights = np.exp(-np.arange(shape.leads) / shape.steps_a_day)
        self._lead_weights = weights / weights.mean()

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Fit the model in place; see ``networks.Network``."""
        fit_network(
            self.model,
            _mean_absolute_error(self._lead_weights),
            plan,
            training=(teaching.inputs.arrays(), teaching.targets),
            calibration=(checking.inputs.arrays(), checking.targets),
            progress=progress,
        )

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        """Return scaled anomalies, [rows, outputs, leads]."""
        return np.asarray(self.model.predict(inputs.arrays(), batch_size=1024, verbose=0))


def fit_network(
    model: Any,  # noqa: ANN401 - Keras has no types
    loss: Callable[[Any, Any], Any],
    plan: FitPlan,
    *,
    training: tuple[Any, Any],
    calibration: tuple[Any, Any],
    progress: Callable[[EpochRecord], None],
) -> None:
    """Fit a model in place, and keep the weights of the epoch of least calibration loss.

    Args:
        model: a Keras model that was not compiled yet.
        loss: of targets and forecasts; it ignores targets that are NaN.
        plan: the number of epochs, the patience and the learning rate.
        training: inputs and targets to fit to.
        calibration: inputs and targets that decide when to stop, never fitted to.
        progress: called after every epoch.
    """

    def report(epoch: int, logs: dict[str, float]) -> None:
        losses = {"training": float(logs["loss"]), "calibration": float(logs["val_loss"])}
        progress(EpochRecord(number=epoch + 1, **losses))

    as_it_is = keras.losses.Loss()
    as_it_is.call = loss  # a plain function would be given targets without a last axis of one
    model.compile(optimizer=keras.optimizers.Adam(plan.learning_rate), loss=as_it_is)
    stopping = keras.callbacks.EarlyStopping(patience=plan.patience, restore_best_weights=True)
    model.fit(
        *training,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        validation_data=calibration,
        validation_batch_size=1024,
        callbacks=[stopping, keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=0,
    )


def _mean_absolute_error(weights: npt.NDArray[np.float64]) -> Callable[[Any, Any], Any]:
    """Return the loss, weighted by lead, over the targets that are not NaN."""
    fixed = tf.constant(weights, tf.float32)

    def loss(target: Any, forecast: Any) -> Any:  # noqa: ANN401 - tensors have no types
        absent = tf.math.is_nan(target)
        difference = forecast - tf.where(absent, forecast, target)
        error = tf.where(absent, tf.zeros_like(forecast), difference)
        number = tf.reduce_sum(1.0 - tf.cast(absent, tf.float32))
        return tf.reduce_sum(fixed * tf.abs(error)) / tf.maximum(number, 1.0)

    return loss
