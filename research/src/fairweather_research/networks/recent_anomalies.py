"""A linear regression on recent anomalies: a sound choice where there is a year of data or less.

Features of the past, for every input: its anomaly averaged with nine exponentially fading memories
(half an hour to eleven days), and its anomalies of the last 24 hours, step by step. Averages are
taken over what is present, so that the shortest memory is simply the newest value there is; where
one of these is missing, that newest value stands in. One linear layer maps the features
to every lead of every output.

On a year of New York, larger networks did not beat it on calibration time (dense networks with 32
hidden units, with and without dropout); what it learns lies in the first two days, and the graph
shrinks the rest to climatology.
"""

from __future__ import annotations

from typing import Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np

from fairweather_research.networks import NetworkInputs, NetworkShape

__all__ = ["build"]

_MEMORIES = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)  # hours
_PENALTY = 1e-3


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


def build(shape: NetworkShape, sample: NetworkInputs) -> Any:  # noqa: ANN401 - Keras has no types
    """Build the network; see ``networks.Build``."""
    anomalies = keras.Input((shape.inputs, shape.steps), name="anomalies")
    present = keras.Input((shape.inputs, shape.steps), name="present")
    area = keras.Input((shape.areas,), name="area")
    memories = _FadingMemories(shape)(anomalies, present)
    last_day = _LastDay(shape)(anomalies, present, memories[:, :, :1])
    features = keras.layers.Concatenate()(
        [keras.layers.Flatten()(memories), keras.layers.Flatten()(last_day), area]
    )
    describe = keras.Model([anomalies, present, area], features)
    scale = keras.layers.Normalization()
    scale.adapt(describe.predict(sample.arrays(), batch_size=1024, verbose=0))
    forecast = keras.layers.Dense(
        shape.outputs * shape.leads,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(_PENALTY),
    )(scale(features))
    return keras.Model(
        [anomalies, present, area], keras.layers.Reshape((shape.outputs, shape.leads))(forecast)
    )
