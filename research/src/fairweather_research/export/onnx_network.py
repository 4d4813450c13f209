"""The ONNX model of a network of another framework, which is then the canonical one.

The same ``ForecastGraph`` is traced with a *placeholder* where the network belongs: the inputs of
the network become outputs of the graph, its output an input. That graph is exported and converted
like any other, and the network's own ONNX is put in place of the placeholder.

::

    raw windows ─► batteries ─► anomalies, present, area, calendar ─┐
                                                                    ▼  the network's own ONNX
    forecast ◄─ climatology, units, bands, limits ◄────── network_output

There is no SavedModel, so ``model_digest`` covers the bytes of the ONNX model; see ``onnx_graph``
for how equal models become equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.errors import NetworkError, TrainingError
from fairweather_research.export.artifacts import (
    IR_VERSION,
    ONNX_FILE,
    OPSET,
    SAVED_MODEL_FOLDER,
    TOLERANCE,
    OnnxReport,
    differences,
)
from fairweather_research.export.graph import ForecastGraph
from fairweather_research.export.onnx_graph import (
    NETWORK_INPUTS,
    NETWORK_OUTPUT,
    canonical,
    compose,
    data_problems,
    onnx_problems,
)
from fairweather_research.export.saved_model import SIGNATURE_KEY, Conversion, load_signature
from fairweather_research.networks.base import ExportsOnnx, NetworkInputs
from fairweather_research.networks.external import wrap_errors

_SAME = 1e-3  # usual spreads: what rounding may change


class NetworkPlaceholder:
    """Stand in the graph in place of a network that is not in TensorFlow."""

    variables: tuple[Any, ...] = ()

    def __init__(self, size: tuple[int, int]) -> None:
        self.output: Any = None  # what the network would return, once it is known
        self.inputs: list[Any] = []  # what it would be called with
        self.size = size  # outputs, leads

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:  # noqa: ANN401 - tensors have no types
        """Remember the inputs and return what stands for the output."""
        assert not training  # noqa: S101 - a graph is never traced for training
        self.inputs = inputs
        if self.output is None:
            return tf.zeros([tf.shape(inputs[0])[0], *self.size])
        return self.output


class OnnxAssembly:
    """The ONNX model assembled from our graph and a foreign network, and checked against both."""

    def __init__(
        self,
        graph: ForecastGraph,
        placeholder: NetworkPlaceholder,
        network: ExportsOnnx,
        conversion: Conversion,
        *,
        name: str,
        folder: Path,
        scratch: Path,
    ) -> None:
        """Export, convert and compose ``folder / "model.onnx"``, with files in ``scratch``.

        Raises:
            NetworkError: the network's ONNX is not what it must be.
            TrainingError: our graph could not be converted.
        """
        self._network, self._size, self._name = network, placeholder.size, name
        self._views = len(graph.views)
        names = _export(graph, placeholder, scratch)
        self._signature = load_signature(scratch / SAVED_MODEL_FOLDER)
        conversion.start(scratch)
        exported = scratch / "network.onnx"
        with wrap_errors(name, "exporting it to ONNX"):
            network.export_onnx(exported)
        problems = onnx_problems(exported)
        inputs = self._extreme_inputs()
        outputs = self._run(inputs)
        report = conversion.finish(inputs, outputs)
        if problems:
            raise NetworkError(name, [f"`network`: its ONNX {problem}" for problem in problems])
        if report.omitted is not None:
            raise TrainingError(f"the graph around {name} could not be converted: {report.omitted}")
        ours = onnx.load(str(scratch / ONNX_FILE))
        whole = canonical(compose(ours, onnx.load(str(exported)), names))
        onnx.checker.check_model(whole, full_check=True)
        if problems := data_problems(whole):
            raise NetworkError(name, [f"`network`: with it the model {each}" for each in problems])
        (folder / ONNX_FILE).write_bytes(whole.SerializeToString(deterministic=True))
        self._network_session = _session(exported)
        self._session = _session(folder / ONNX_FILE)

    def __call__(self, **tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
        """Run the delivered bytes, as a SavedModel's signature would be run."""
        names = [output.name for output in self._session.get_outputs()]
        feed = {name: np.asarray(values) for name, values in tensors.items()}
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def finish(
        self,
        inputs: Mapping[str, npt.NDArray[Any]],
        expected: Mapping[str, npt.NDArray[np.float32]],
    ) -> OnnxReport:
        """Compare the whole with its parts, our graph and the network itself, on the examples.

        Raises:
            NetworkError: they differ.
        """
        nothing = np.zeros((self._views * len(inputs["area_index"]), *self._size), np.float32)
        ours = self._run({**inputs, NETWORK_OUTPUT: nothing})
        names = zip(NetworkInputs.NAMES, NETWORK_INPUTS, strict=True)
        network_inputs = NetworkInputs(**{name: ours[tensor] for name, tensor in names})
        with wrap_errors(self._name, "asking it"):
            output = np.asarray(self._network.predict(network_inputs), dtype=np.float32)
        problems = self._network_problems(network_inputs, output)
        parts = self._run({**inputs, NETWORK_OUTPUT: output})
        problems += [
            f"`network`: the whole answers otherwise than its parts: {name} by up to "
            f"{difference:g} on the examples, more than {TOLERANCE[0]:g}"
            for name, difference in differences(expected, parts)
        ]
        if problems:
            raise NetworkError(self._name, problems)
        return OnnxReport(opset=OPSET, ir_version=IR_VERSION, canonical=True)

    def _network_problems(
        self, inputs: NetworkInputs, expected: npt.NDArray[np.float32]
    ) -> list[str]:
        """Compare the network's own ONNX with the network, in usual spreads."""
        session = self._network_session
        (found,) = session.run(
            None, {item.name: getattr(inputs, item.name) for item in session.get_inputs()}
        )
        if found.shape != expected.shape:
            how = f"in the shape {list(found.shape)}, not {list(expected.shape)}"
        elif not (np.abs(found - expected) <= _SAME).all():
            how = (
                f"by up to {float(np.abs(found - expected).max()):g} usual spreads on the examples"
            )
        else:
            return []
        return [f"`network`: its ONNX answers otherwise than it does: {how}; look at its export"]

    def _run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Run our graph, with the output of the network among its inputs."""
        outputs = self._signature(**{name: tf.constant(values) for name, values in inputs.items()})
        return {name: np.asarray(values) for name, values in outputs.items()}

    def _extreme_inputs(self) -> dict[str, npt.NDArray[Any]]:
        """Make inputs of our graph with missing and extreme values."""
        random = np.random.default_rng(1)
        rows, inputs = 4, {}
        for name, spec in self._signature.structured_input_signature[1].items():
            if spec.dtype == tf.int64:
                values = np.zeros(rows, np.int64)
                if name == "reference_time":
                    values += 1_700_000_000 + 86_400 * 91 * np.arange(rows)
                inputs[name] = values
                continue
            shape = [rows * (self._views if name == NETWORK_OUTPUT else 1), *spec.shape[1:]]
            values = random.normal(0.0, 20.0, shape).astype(np.float32)
            if name != NETWORK_OUTPUT:
                values[random.random(shape) < 0.1] = np.nan  # noqa: PLR2004 - a tenth is missing
                values[-1] = np.nan
            inputs[name] = values
        return inputs


def _export(graph: ForecastGraph, placeholder: NetworkPlaceholder, folder: Path) -> list[str]:
    """Save the graph without the network; return the names of its forecasts."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # ships no types
    def without_network(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
        placeholder.output = tensors.pop(NETWORK_OUTPUT)
        outputs = graph.trace(placeholder, tensors)
        names = zip(NETWORK_INPUTS, placeholder.inputs, strict=True)
        return outputs | {name: tf.identity(tensor) for name, tensor in names}

    specs = dict(graph.forecast.structured_input_signature[1])
    specs[NETWORK_OUTPUT] = tf.TensorSpec(
        [None, *placeholder.size], tf.float32, name=NETWORK_OUTPUT
    )
    concrete = without_network.get_concrete_function(**specs)
    path = str(folder / SAVED_MODEL_FOLDER)
    tf.saved_model.save(graph, path, signatures={SIGNATURE_KEY: concrete})
    return [name for name in concrete.structured_outputs if name not in NETWORK_INPUTS]


def _session(path: Path) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
