"""The graph around a network of another framework: one ONNX model, and the canonical one.

What is physical stays ours, to the last operation: the same ``ForecastGraph`` is traced with a
*hole* where the network belongs. What would go into the network becomes outputs, what it would
say an input; that graph is exported and converted like any other, and the network's own ONNX is
put into the hole.

::

    raw windows ─► batteries ─► anomalies, present, area, calendar ─┐
                                                                    ▼  the network's own ONNX
    forecast ◄─ climatology, units, bands, limits ◄──────── network_said

The ONNX model is then the only form there is, so ``model_digest`` covers its bytes; see
``_onnx_parts`` for how equal models become equal bytes.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.errors import NetworkError, TrainingError
from fairweather_research.export.onnx_format import IR_VERSION, OPSET, TOLERANCE, OnnxReport
from fairweather_research.export.onnx_graph import SAID, SHOWN, canonical, compose, unfit
from fairweather_research.export.saved_model import (
    ONNX_FILE,
    SAVED_MODEL_FOLDER,
    SIGNATURE_KEY,
    load_signature,
)
from fairweather_research.networks.base import NetworkInputs
from fairweather_research.networks.external import doing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from fairweather_research.export.graph import ForecastGraph
    from fairweather_research.export.saved_model import Conversion
    from fairweather_research.networks.base import ExportsOnnx
    from fairweather_research.recipes.blueprint import Blueprint

__all__ = ["Around", "Hole"]

_SAME = 1e-3  # usual spreads: what rounding may change
_ALIKE = (1e-2, 1e-3)  # absolute and relative: the spread of a series that never moves is tiny


class Hole:
    """What the graph calls in place of a network that is not in TensorFlow."""

    variables: tuple[Any, ...] = ()

    def __init__(self, plan: Blueprint) -> None:
        self.said: Any = None  # what the network would say; nothing, until it is known
        self.shown: list[Any] = []  # what it would be called with
        self.size = (len(plan.outputs), plan.leads)

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:  # noqa: ANN401 - tensors have no types
        """Remember the inputs and hand out what stands for the answer."""
        assert not training  # noqa: S101 - a graph is never traced for training
        self.shown = inputs
        if self.said is None:
            return tf.zeros([tf.shape(inputs[0])[0], *self.size])
        return self.said


class Around:
    """One delivery's graph around a foreign network: composed, callable, and held to the parts.

    Stands where a ``Conversion`` stands; as a context manager it leaves nothing behind.
    """

    def __init__(
        self,
        graph: ForecastGraph,
        hole: Hole,
        network: ExportsOnnx,
        conversion: Conversion,
        *,
        name: str,
        folder: Path,
        scratch: Path,
    ) -> None:
        """Export, convert and compose ``folder / "model.onnx"``.

        Args:
            graph: traced with ``hole``.
            hole: where the network belongs.
            network: fitted.
            conversion: not started yet.
            name: what the recipe calls it.
            folder: of the delivery.
            scratch: a folder for what is needed on the way.

        Raises:
            NetworkError: the network's ONNX is not what it must be.
            TrainingError: the graph around it could not be converted.
        """
        self._network, self._hole, self._name = network, hole, name
        self._scratch = scratch / "around"
        self._scratch.mkdir()
        self._path = folder / ONNX_FILE
        names = _export(graph, hole, self._scratch)
        self._signature = load_signature(self._scratch / SAVED_MODEL_FOLDER)
        conversion.start(self._scratch)
        self._theirs = self._scratch / "network.onnx"
        with doing(name, "exporting it to ONNX"):
            network.export_onnx(self._theirs)
        problems = unfit(self._theirs)
        report = conversion.finish(*self._probe(names), dict.fromkeys([*names, *SHOWN], TOLERANCE))
        if problems:
            raise NetworkError(name, [f"`network`: its ONNX {problem}" for problem in problems])
        if report.omitted is not None:
            raise TrainingError(f"the graph around {name} could not be converted: {report.omitted}")
        ours = onnx.load(str(self._scratch / ONNX_FILE))
        whole = canonical(compose(ours, onnx.load(str(self._theirs)), names))
        onnx.checker.check_model(whole, full_check=True)
        self._path.write_bytes(whole.SerializeToString(deterministic=True))
        self._session = _session(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __call__(self, **tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
        """Answer with the delivered bytes, as a SavedModel's signature would."""
        names = [output.name for output in self._session.get_outputs()]
        feed = {name: np.asarray(values) for name, values in tensors.items()}
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def finish(
        self,
        inputs: Mapping[str, npt.NDArray[Any]],
        expected: Mapping[str, npt.NDArray[np.float32]],
        tolerance: Mapping[str, tuple[float, float]],
    ) -> OnnxReport:
        """Hold the whole against its parts, on the examples: our graph, and the network itself.

        Raises:
            NetworkError: its ONNX answers otherwise than the network.
        """
        nothing = np.zeros((len(inputs["area_index"]), *self._hole.size), np.float32)
        shown = self._run(inputs, nothing)
        asked = NetworkInputs(
            **{name: shown[each] for name, each in zip(NetworkInputs.NAMES, SHOWN, strict=True)}
        )
        with doing(self._name, "asking it"):
            said = np.asarray(self._network.predict(asked), dtype=np.float32)
        problems = self._unlike(asked, said)
        whole = self._run(inputs, said)
        for name, values in expected.items():
            absolute, relative = tolerance[name]
            difference = np.abs(values - whole[name])
            if not (difference <= absolute + relative * np.abs(whole[name])).all():
                problems.append(
                    f"`network`: the whole answers otherwise than its parts: {name} by up to "
                    f"{float(np.max(difference)):g} on the examples, more than {absolute:g}"
                )
        if problems:
            raise NetworkError(self._name, problems)
        return OnnxReport(opset=OPSET, ir_version=IR_VERSION, canonical=True)

    def _unlike(self, asked: NetworkInputs, said: npt.NDArray[np.float32]) -> list[str]:
        """How the network's own ONNX differs from it, in usual spreads."""
        session = _session(self._theirs)
        feed = {item.name: getattr(asked, item.name) for item in session.get_inputs()}
        (found,) = session.run(None, feed)
        if found.shape != said.shape:
            told = f"in the shape {list(found.shape)}, not {list(said.shape)}"
        elif not (np.abs(found - said) <= _SAME).all():
            told = f"by up to {float(np.abs(found - said).max()):g} usual spreads on the examples"
        else:
            return []
        return [f"`network`: its ONNX answers otherwise than it does: {told}; look at its export"]

    def _run(
        self, inputs: Mapping[str, npt.NDArray[Any]], said: npt.NDArray[np.float32]
    ) -> dict[str, npt.NDArray[np.float32]]:
        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        answer = self._signature(**tensors, **{SAID: tf.constant(said)})
        return {name: np.asarray(values) for name, values in answer.items()}

    def _probe(
        self, names: list[str]
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[np.float32]]]:
        """Inputs with missing and extreme values, and what the graph around says to them."""
        random = np.random.default_rng(1)
        signature = self._signature.structured_input_signature[1]
        rows, inputs = 4, {}
        for name, spec in signature.items():
            if spec.dtype == tf.int64:
                values = np.zeros(rows, np.int64)
                if name == "reference_time":
                    values += 1_700_000_000 + 86_400 * 91 * np.arange(rows)
                inputs[name] = values
                continue
            shape = [rows, *spec.shape[1:]]
            values = random.normal(0.0, 20.0, shape).astype(np.float32)
            if name != SAID:
                values[random.random(shape) < 0.1] = np.nan  # noqa: PLR2004 - a tenth is missing
                values[-1] = np.nan
            inputs[name] = values
        answer = self._signature(**{name: tf.constant(values) for name, values in inputs.items()})
        return inputs, {name: np.asarray(answer[name]) for name in (*names, *SHOWN)}


def _export(graph: ForecastGraph, hole: Hole, folder: Path) -> list[str]:
    """Save the graph around the hole; return the names of its forecasts."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # ships no types
    def around(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
        hole.said = tensors.pop(SAID)
        answer = graph.trace(hole, tensors)  # the same, with a hole in it
        shown = {name: tf.identity(seen) for name, seen in zip(SHOWN, hole.shown, strict=True)}
        return answer | shown

    specs = dict(graph.forecast.structured_input_signature[1])
    specs[SAID] = tf.TensorSpec([None, *hole.size], tf.float32, name=SAID)
    concrete = around.get_concrete_function(**specs)
    tf.saved_model.save(
        graph, str(folder / SAVED_MODEL_FOLDER), signatures={SIGNATURE_KEY: concrete}
    )
    return [name for name in concrete.structured_outputs if name not in SHOWN]


def _session(path: Path) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
