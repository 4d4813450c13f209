"""A Keras model as a network that fits itself, with early stopping on calibration time.

The loss is the mean absolute error, by which forecasts are evaluated, over the targets that are
present. Weights of the leads fall by a factor of e a day and average to one: far leads are hardly
predictable, and with equal weights fitting stops at the first epoch, when they begin to fit noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

_PREDICTED = 1024  # rows of a batch
_READ = 4 * _PREDICTED  # rows in memory


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
        return predict(self.model, inputs)


def fit_network(
    model: Any,  # noqa: ANN401 - Keras has no types
    loss: Callable[[Any, Any], Any],
    plan: FitPlan,
    *,
    training: tuple[Sequence[Any], Any],
    calibration: tuple[Sequence[Any], Any],
    progress: Callable[[EpochRecord], None],
) -> None:
    """Fit a model in place, and keep the weights of the epoch of least calibration loss.

    Args:
        model: a Keras model that was not compiled yet.
        loss: of targets and forecasts; it ignores targets that are NaN.
        plan: the number of epochs, the patience and the learning rate.
        training: inputs and targets to fit to, arrays or what is read like them, in batches.
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
        _batches(training, plan.batch_size, shuffle=True),
        shuffle=False,  # they are
        epochs=plan.epochs,
        validation_data=_batches(calibration, _PREDICTED),
        callbacks=[stopping, keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=0,
    )


def drawn_rows(number: int, most: int) -> npt.NDArray[np.int64]:
    """Return the positions of all of ``number`` rows, or of ``most`` drawn of them, ascending.

    They are drawn, because every so many might be of one hour of the day.
    """
    rows = np.arange(number)
    return rows if number <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])


def predict(model: Any, inputs: NetworkInputs) -> npt.NDArray[np.float32]:  # noqa: ANN401 - Keras has no types
    """Return the outputs of a model for inputs that are read some at a time."""
    rows = (slice(first, first + _READ) for first in range(0, len(inputs), _READ))
    some = (inputs.rows(place).loaded().arrays() for place in rows)
    return np.concatenate(
        [model.predict(arrays, batch_size=_PREDICTED, verbose=0) for arrays in some]
    )


def _batches(samples: tuple[Sequence[Any], Any], size: int, *, shuffle: bool = False) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """Return inputs and targets as a dataset that reads its rows when their turn comes.

    They are shuffled anew for every pass, in the order in which Keras shuffles arrays.
    """
    inputs, targets = samples
    arrays = [*inputs, targets]
    number = len(targets)

    def order(_: Any) -> Any:  # noqa: ANN401 - tensors have no types
        rows = tf.range(number, dtype=tf.int64)
        return tf.random.shuffle(rows) if shuffle else rows

    def read(rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float32]]:
        return [np.asarray(array[rows], np.float32) for array in arrays]

    def batch(rows: Any) -> Any:  # noqa: ANN401 - tensors have no types
        found = tf.numpy_function(read, [rows], [tf.float32] * len(arrays))
        for tensor, array in zip(found, arrays, strict=True):
            tensor.set_shape([None, *array.shape[1:]])
        return tuple(found[:-1]) if len(inputs) > 1 else found[0], found[-1]

    rows = tf.data.Dataset.range(1).map(order).flat_map(tf.data.Dataset.from_tensor_slices)
    batches = rows.batch(size).map(batch).prefetch(1)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-number // size)))


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
