"""Fitting reads its windows batch by batch, and comes to what it would with arrays in memory."""

from __future__ import annotations

from typing import Any

import keras  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt
import pytest

from fairweather_research.networks.base import FitPlan
from fairweather_research.networks.keras_network import drawn_rows, fit_network

PLAN = FitPlan(epochs=3, batch_size=8)


class ReadByRows:
    """An array that can be read by rows alone, as windows of series are; it counts what is read."""

    def __init__(self, values: npt.NDArray[np.float32], most: list[int]) -> None:
        self.shape, self._values, self._most = values.shape, values, most

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        self._most.append(len(rows))
        return self._values[rows]


def samples(seed: int) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    shown = [random.normal(size=(45, width)).astype(np.float32) for width in (3, 2)]
    return shown, (shown[0][:, :2] + shown[1]).astype(np.float32)


def model() -> Any:
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((3,)), keras.Input((2,))]
    mixed = keras.layers.Dropout(0.2)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(mixed))


def test_a_pass_takes_its_rows_in_the_order_in_which_keras_shuffles_arrays() -> None:
    training, calibration = samples(1), samples(2)
    whole = model()
    whole.compile(optimizer=keras.optimizers.Adam(PLAN.learning_rate), loss="mae")
    whole.fit(*training, batch_size=8, epochs=3, validation_data=calibration, verbose=0)

    most: list[int] = []
    read = model()
    fit_network(
        read,
        keras.losses.MeanAbsoluteError(),
        PLAN,
        training=([ReadByRows(each, most) for each in training[0]], ReadByRows(training[1], most)),
        calibration=calibration,
        progress=lambda _: None,
    )
    for expected, found in zip(whole.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert max(most) == PLAN.batch_size


@pytest.mark.parametrize("number", [0, 1, 24, 100])
def test_all_rows_are_taken_where_there_is_room(number: int) -> None:
    assert drawn_rows(number, 100).tolist() == [*range(number)]


def test_of_more_rows_as_many_as_fit_are_drawn_of_every_hour_of_the_day() -> None:
    rows = drawn_rows(12_000, 1000)
    assert len(rows) == 1000
    assert (np.diff(rows) > 0).all()
    assert set((rows % 24).tolist()) == {*range(24)}
