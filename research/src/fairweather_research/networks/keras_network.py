"""A Keras model as a network that fits itself: passes over the windows, and when to stop.

The loss is the mean absolute error, which is what forecasts are judged by, over the targets that
are there, near leads weighing more. What can be known of the weather fades with the lead; a loss in
which all leads weigh the same stops at the first epoch, when the hopeless ones begin to learn
noise. Weights fade by a factor of e a day and average to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.networks.base import (
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


__all__ = ["KerasNetwork", "fading", "fit_network"]


class KerasNetwork:
    """A Keras model, fitted with Adam and stopped where calibration time no longer improves."""

    def __init__(self, model: Any, shape: NetworkShape) -> None:  # noqa: ANN401 - Keras has no types
        self.model = model
        self._weights = fading(shape)

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
            _near_errors(self._weights),
            plan,
            teaching=(teaching.inputs.arrays(), teaching.targets),
            checking=(checking.inputs.arrays(), checking.targets),
            progress=progress,
        )

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        """Answer, [rows, outputs, leads]."""
        return np.asarray(self.model.predict(inputs.arrays(), batch_size=1024, verbose=0))


def fit_network(
    model: Any,  # noqa: ANN401 - Keras has no types
    loss: Callable[[Any, Any], Any],
    plan: FitPlan,
    *,
    teaching: tuple[Any, Any],
    checking: tuple[Any, Any],
    progress: Callable[[EpochRecord], None],
) -> None:
    """Fit a network in place to inputs and targets, and keep the weights that check best.

    Args:
        model: a Keras model that was not compiled yet.
        loss: of targets and what the model says; it ignores targets that are NaN.
        plan: how many passes, and how large a step.
        teaching: inputs and targets to learn from.
        checking: inputs and targets that decide when to stop, never learned from.
        progress: called after every pass.
    """

    def report(epoch: int, logs: dict[str, float]) -> None:
        training, calibration = float(logs["loss"]), float(logs["val_loss"])
        progress(EpochRecord(number=epoch + 1, training=training, calibration=calibration))

    model.compile(optimizer=keras.optimizers.Adam(plan.learning_rate), loss=loss)
    stopping = keras.callbacks.EarlyStopping(patience=plan.patience, restore_best_weights=True)
    model.fit(
        *teaching,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        validation_data=checking,
        validation_batch_size=1024,
        callbacks=[stopping, keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=0,
    )


def fading(shape: NetworkShape) -> npt.NDArray[np.float64]:
    """Return the weight of each lead's error, [leads]; one on average."""
    weights = np.exp(-np.arange(shape.leads) / shape.steps_a_day)
    return np.asarray(weights / weights.mean())


def _near_errors(weights: npt.NDArray[np.float64]) -> Callable[[Any, Any], Any]:
    fixed = tf.constant(weights, tf.float32)

    def near_errors(target: Any, said: Any) -> Any:  # noqa: ANN401 - tensors have no types
        absent = tf.math.is_nan(target)
        error = tf.where(absent, tf.zeros_like(said), said - tf.where(absent, said, target))
        number = tf.reduce_sum(1.0 - tf.cast(absent, tf.float32))
        return tf.reduce_sum(fixed * tf.abs(error)) / tf.maximum(number, 1.0)

    return near_errors
