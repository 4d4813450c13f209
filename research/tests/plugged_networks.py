"""Networks of somebody else's, as tests plug them in: two that keep their promises, and liars."""

from __future__ import annotations

from multiprocessing.connection import Listener
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fairweather_research.networks.base import (
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

number = 7


class Foreign:
    """A network of no framework at all: the newest anomaly, times what it learned for each lead."""

    packages = ("onnx", "no-such-distribution")
    opset = 17

    def __init__(self, shape: NetworkShape, _sample: NetworkInputs | None = None) -> None:
        self.shape = shape
        self.weights = np.zeros((shape.inputs, shape.outputs * shape.leads), np.float32)

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        _plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        with Listener(family="AF_UNIX"):  # as libraries do that have workers of their own
            newest = teaching.inputs.anomalies[:, :, -1]
        wanted = np.nan_to_num(teaching.targets.reshape(len(newest), -1))
        gram = newest.T @ newest + np.eye(newest.shape[1], dtype=np.float32)
        self.weights = np.linalg.solve(gram, newest.T @ wanted).astype(np.float32)
        error = float(np.nanmean(np.abs(self.predict(checking.inputs) - checking.targets)))
        progress(EpochRecord(number=1, training=error, calibration=error))

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        said = inputs.anomalies[:, :, -1] @ self.weights
        return said.reshape(-1, self.shape.outputs, self.shape.leads)

    def export_onnx(self, path: Path) -> None:
        shape = self.shape
        constants: dict[str, npt.NDArray[Any]] = {
            "newest": np.array([shape.steps - 1], np.int64),
            "flat": np.array([-1, shape.inputs], np.int64),
            "cube": np.array([-1, shape.outputs, shape.leads], np.int64),
            "weights": self.weights,
        }
        nodes = [
            helper.make_node("Gather", ["anomalies", "newest"], ["last"], axis=2),
            helper.make_node("Reshape", ["last", "flat"], ["row"]),
            helper.make_node("MatMul", ["row", "weights"], ["product"]),
            *self.extra_nodes(),
            helper.make_node("Reshape", ["product", "cube"], ["said"]),
        ]
        graph = helper.make_graph(
            nodes,
            "foreign",
            [_value("anomalies", "rows", shape.inputs, shape.steps)],
            [_value("said", "rows", shape.outputs, shape.leads)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        opset = [helper.make_opsetid("", self.opset)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))

    def extra_nodes(self) -> list[onnx.NodeProto]:
        return []


def _value(name: str, *shape: str | int | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


class OldOpset(Foreign):
    opset = 13


class Unlike(Foreign):
    """What it exports is not what it says."""

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        said: npt.NDArray[np.float32] = super().predict(inputs) + np.float32(0.5)
        return said


class RandomInside(Foreign):
    def extra_nodes(self) -> list[onnx.NodeProto]:
        return [helper.make_node("RandomNormal", [], ["noise"], shape=[1])]


class WrongShape(Foreign):
    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        return super().predict(inputs)[:, :, 1:]


class NotANumber(Foreign):
    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        return super().predict(inputs) * np.float32(np.nan)


class EmptyHanded(Foreign):
    """Divides by how much of the past is there."""

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        with np.errstate(invalid="ignore", divide="ignore"):
            there = inputs.present.sum(axis=(1, 2))[:, None, None]
            return np.asarray(super().predict(inputs) / there)


class Restless(Foreign):
    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        said = super().predict(inputs)
        return said + np.random.default_rng().normal(size=said.shape).astype(np.float32)


class Sociable(Foreign):
    """Subtracts the mean of the company."""

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        said = super().predict(inputs) + inputs.anomalies[:, :1, -1:]
        return np.asarray(said - said.mean(axis=0))


class Raises(Foreign):
    def fit(self, *_: Any) -> None:
        message = "there is no such\n   optimizer"
        raise LookupError(message)


class NothingToDeliver:
    def __init__(self, _shape: NetworkShape, _sample: NetworkInputs) -> None:
        pass


def takes_nothing() -> None:
    pass


def noisy_keras(shape: NetworkShape, _sample: NetworkInputs) -> Any:
    """A Keras model that draws random numbers at inference."""
    import keras  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    from fairweather_research.networks.recent_anomalies import inputs_of  # noqa: PLC0415

    class Noise(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        def call(self, seen: Any) -> Any:
            return seen + keras.random.normal(keras.ops.shape(seen))

    inputs = inputs_of(shape)
    flat = Noise()(keras.layers.Flatten()(inputs[0]))
    said = keras.layers.Dense(shape.outputs * shape.leads)(flat)
    return keras.Model(inputs, keras.layers.Reshape((shape.outputs, shape.leads))(said))


def keras_of(precision: str) -> Any:
    """Return what builds a small Keras model of layers of a precision."""

    def build(shape: NetworkShape, _sample: NetworkInputs) -> Any:
        import keras  # noqa: PLC0415 - slow

        from fairweather_research.networks.recent_anomalies import inputs_of  # noqa: PLC0415

        inputs = inputs_of(shape)
        flat = keras.layers.Flatten(dtype=precision)(inputs[0])
        said = keras.layers.Dense(shape.outputs * shape.leads, dtype=precision)(flat)
        answer = keras.layers.Reshape((shape.outputs, shape.leads), dtype=precision)(said)
        return keras.Model(inputs, answer)

    return build


keras_in_float16, keras_in_float64 = keras_of("float16"), keras_of("float64")
keras_in_float32 = keras_of("float32")
