"""The graph around a network of another framework: one ONNX model, and the canonical one.

What is physical stays ours, to the last operation: the same ``ForecastGraph`` is traced with a
*hole* where the network belongs. What would go into the network becomes outputs, what it would
say an input; that graph is exported and converted like any other, and the network's own ONNX is
put into the hole.

::

    raw windows ─► batteries ─► anomalies, present, area, calendar ─┐
                                                                    ▼  the network's own ONNX
    forecast ◄─ climatology, units, bands, limits ◄──────── network_said

The ONNX model is then the only form there is, so ``model_digest`` covers its bytes. Converters name
and order things as they like; ``canonical`` names and orders them by what they mean, so that equal
models are equal bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
import onnx.compose
import onnx.numpy_helper
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research._serialize import (
    ONNX_FILE,
    SAVED_MODEL_FOLDER,
    SIGNATURE_KEY,
    Conversion,
    load_signature,
)
from fairweather_research.errors import NetworkError, TrainingError
from fairweather_research.networks import NetworkInputs
from fairweather_research.networks.plugged import doing
from fairweather_research.results import IR_VERSION, OPSET, TOLERANCE, OnnxReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from fairweather_research._graph import ForecastGraph
    from fairweather_research.blueprint import Blueprint
    from fairweather_research.networks import ExportsOnnx

__all__ = ["Around", "Hole", "canonical", "compose"]

_NETWORK = "network"
_SAID = f"{_NETWORK}_said"
_SHOWN = tuple(f"{_NETWORK}_{name}" for name in NetworkInputs.NAMES)
_SAME = 1e-3  # usual spreads: what rounding may change
_RANDOM = {
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial"),
}


class Hole:
    """What the graph calls in place of a network that is not in TensorFlow."""

    variables: tuple[Any, ...] = ()

    def __init__(self, plan: Blueprint) -> None:
        self.said: Any = None  # what the network would say; nothing, until it is known
        self.shown: list[Any] = []  # what it would be called with
        self._size = (len(plan.outputs), plan.leads)

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:  # noqa: ANN401 - tensors have no types
        """Remember the inputs and hand out what stands for the answer."""
        assert not training  # noqa: S101 - a graph is never traced for training
        self.shown = inputs
        if self.said is None:
            return tf.zeros([tf.shape(inputs[0])[0], *self._size])
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
        with Conversion(self._scratch) as conversion:
            self._theirs = self._scratch / "network.onnx"
            with doing(name, "exporting it to ONNX"):
                network.export_onnx(self._theirs)
            problems = _unfit(self._theirs)
            report = conversion.finish(
                *self._probe(names), dict.fromkeys([*names, *_SHOWN], TOLERANCE)
            )
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
        nothing = np.zeros((len(inputs["area_index"]), *self._hole._size), np.float32)  # noqa: SLF001
        shown = self._run(inputs, nothing)
        asked = NetworkInputs(
            **{name: shown[each] for name, each in zip(NetworkInputs.NAMES, _SHOWN, strict=True)}
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
        answer = self._signature(**tensors, **{_SAID: tf.constant(said)})
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
            if name != _SAID:
                values[random.random(shape) < 0.1] = np.nan  # noqa: PLR2004 - a tenth is missing
                values[-1] = np.nan
            inputs[name] = values
        answer = self._signature(**{name: tf.constant(values) for name, values in inputs.items()})
        return inputs, {name: np.asarray(answer[name]) for name in (*names, *_SHOWN)}


def _export(graph: ForecastGraph, hole: Hole, folder: Path) -> list[str]:
    """Save the graph around the hole; return the names of its forecasts."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # ships no types
    def around(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
        hole.said = tensors.pop(_SAID)
        answer = graph._forecast(hole, tensors)  # noqa: SLF001 - the same trace, with a hole in it
        shown = {name: tf.identity(seen) for name, seen in zip(_SHOWN, hole.shown, strict=True)}
        return answer | shown

    specs = dict(graph.forecast.structured_input_signature[1])
    specs[_SAID] = tf.TensorSpec([None, *hole._size], tf.float32, name=_SAID)  # noqa: SLF001
    concrete = around.get_concrete_function(**specs)
    tf.saved_model.save(
        graph, str(folder / SAVED_MODEL_FOLDER), signatures={SIGNATURE_KEY: concrete}
    )
    return [name for name in concrete.structured_outputs if name not in _SHOWN]


def _unfit(path: Path) -> list[str]:
    """What is wrong with a network's ONNX; nothing where it can be put into the graph."""
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - a missing file, no ONNX, or not a valid one
        return [f"cannot be read ({' '.join(str(error).split())[:200]}); write one valid file"]
    problems = []
    opset = {item.domain or "ai.onnx": item.version for item in model.opset_import}
    if opset.pop("ai.onnx", None) != OPSET:
        found = next((i.version for i in model.opset_import if i.domain in {"", "ai.onnx"}), None)
        problems.append(f"is of opset {found}, expected {OPSET}; export it with that opset")
    used = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    if used or model.functions:
        told = ", ".join(sorted(used)) or "functions of its own"
        problems.append(f"uses {told}, expected operations of ONNX itself")
    random = sorted({node.op_type for node in _nodes(model.graph)} & _RANDOM)
    if random:
        problems.append(f"draws random numbers ({', '.join(random)}), expected none at inference")
    constants = {item.name for item in model.graph.initializer}
    strangers = {item.name for item in model.graph.input} - constants - set(NetworkInputs.NAMES)
    if strangers:
        problems.append(
            f"has the inputs {', '.join(sorted(strangers))}, expected of "
            f"{', '.join(NetworkInputs.NAMES)}"
        )
    if len(model.graph.output) != 1:
        problems.append(f"has {len(model.graph.output)} outputs, expected one")
    return problems


def compose(ours: onnx.ModelProto, theirs: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Put a network into the hole: ``theirs`` between ``network_*`` and ``network_said`` of ours.

    Args:
        ours: the graph around the hole.
        theirs: the network, its inputs named as ``NetworkInputs`` names them.
        names: the outputs to keep.
    """
    theirs = onnx.compose.add_prefix(theirs, f"{_NETWORK}/")
    constants = {item.name for item in theirs.graph.initializer}
    shown = dict(zip((f"{_NETWORK}/{name}" for name in NetworkInputs.NAMES), _SHOWN, strict=True))
    whole = onnx.ModelProto()
    whole.CopyFrom(ours)
    del whole.graph.input[:], whole.graph.output[:], whole.graph.node[:]
    whole.graph.input.extend(item for item in ours.graph.input if item.name != _SAID)
    by_name = {item.name: item for item in ours.graph.output}
    whole.graph.output.extend(by_name[name] for name in names)
    whole.graph.initializer.extend(theirs.graph.initializer)
    whole.graph.node.extend([*ours.graph.node, *theirs.graph.node])
    whole.graph.node.extend(
        onnx.helper.make_node("Identity", [shown[item.name]], [item.name])
        for item in theirs.graph.input
        if item.name not in constants
    )
    said = theirs.graph.output[0].name
    whole.graph.node.append(onnx.helper.make_node("Identity", [said], [_SAID]))
    return whole


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, named and ordered by what leads to its outputs, and by nothing else.

    Inputs and outputs keep their names and order. What leads to no output is left out, and so is
    whatever a converter tells of itself.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output if name}
    constants = {item.name: item for item in graph.initializer}
    names = {item.name: item.name for item in (*graph.input, *graph.output)}
    ordered: list[onnx.NodeProto] = []
    used: list[str] = []
    done: set[int] = set()
    waiting = [(item.name, False) for item in reversed(graph.output)]
    while waiting:
        name, ready = waiting.pop()
        if name in constants:
            if name not in used:
                used.append(name)
                names.setdefault(name, f"constant_{len(used)}")
            continue
        node = makers.get(name)
        if node is None or id(node) in done:
            continue
        if ready:
            done.add(id(node))
            ordered.append(node)
            for output in node.output:
                if output:
                    names.setdefault(output, f"value_{len(names)}")
        else:
            waiting.append((name, True))
            waiting.extend((read, False) for read in reversed(_reads(node)))
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [_renamed(node, names) for node in ordered],
            "fairweather",
            [_bare(item) for item in graph.input],
            [_bare(item) for item in graph.output],
            [
                onnx.numpy_helper.from_array(
                    onnx.numpy_helper.to_array(constants[name]), names[name]
                )
                for name in used
            ],
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fairweather-research",
    )


def _reads(node: onnx.NodeProto) -> list[str]:
    """The values that a node reads, those that only a graph inside it reads included."""
    inside = [name for graph in _graphs(node) for each in graph.node for name in _reads(each)] + [
        item.name for graph in _graphs(node) for item in graph.output
    ]
    return [name for name in (*node.input, *inside) if name]


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.name, made.doc_string = "", ""
    del made.metadata_props[:]
    made.input[:] = [names.get(name, name) for name in node.input]
    made.output[:] = [names.get(name, name) for name in node.output]
    for graph in _graphs(made):
        inner = [_renamed(each, names) for each in graph.node]
        del graph.node[:]
        graph.node.extend(inner)
        for item in graph.output:
            item.name = names.get(item.name, item.name)
    attributes = sorted(made.attribute, key=lambda attribute: attribute.name)
    del made.attribute[:]
    made.attribute.extend(attributes)
    for attribute in made.attribute:
        attribute.doc_string = ""
        if attribute.type == onnx.AttributeProto.TENSOR:
            attribute.t.CopyFrom(
                onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(attribute.t))
            )
    return made


def _graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    kinds = onnx.AttributeProto
    found = [each.g for each in node.attribute if each.type == kinds.GRAPH]
    return found + [g for each in node.attribute if each.type == kinds.GRAPHS for g in each.graphs]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for inner in _graphs(node):
            yield from _nodes(inner)


def _bare(item: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """An input or output with its type and width; every one has the same rows."""
    kind = item.type.tensor_type
    width = [side.dim_value for side in kind.shape.dim][1:]
    return onnx.helper.make_tensor_value_info(item.name, kind.elem_type, ["rows", *width])


def _session(path: Path) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
