"""Small models for the soak: each forecasts something of its own, and some go wrong on purpose.

A sound model gives ``scale * window + shift``, gaps filled, and a little more for the area's index
and the hour of the reference time: an answer made of another delivery, window, area or time than
its receipt says is another answer. The others do the same until the last temperature of a window
exceeds `TRIGGER`; no example does.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

SAMPLES = 24
TRIGGER = 30.0
FILL = {"temperature": 15.0, "humidity": 50.0}
LIMITS = {"temperature": (-70.0, 55.0), "humidity": (0.0, 100.0)}
BAND = {"q10": -2.0, "q90": 3.0}
SLOW_TURNS = 6000
_OPSET, _IR_VERSION = 17, 8
_WIDTH = 256


def network(
    *, scale: float, shift: float, variables: Sequence[str], bands: bool, fault: str | None = None
) -> bytes:
    """One model as ONNX.

    Args:
        scale: of the window.
        shift: what is added, in the variable's unit.
        variables: what it takes and forecasts.
        bands: whether it also gives the quantiles of `BAND`.
        fault: what it does beyond the trigger: `nan`, `beyond`, `slow`, or None.
    """
    graph = _Graph()
    hour = graph.add("Mod", "reference_time", graph.constant(np.int64(86_400)))
    hour = graph.add("Cast", hour, to=TensorProto.FLOAT)
    hour = graph.add("Mul", hour, graph.constant(np.float32(0.2 / 86_400)))
    index = graph.add("Cast", "area_index", to=TensorProto.FLOAT)
    index = graph.add("Mul", index, graph.constant(np.float32(0.3)))
    more = graph.add("Unsqueeze", graph.add("Add", hour, index), graph.constant(np.array([1])))
    more = graph.add("Add", more, graph.constant(np.float32(shift)))
    wrong = _fault(graph, fault) if fault else None
    outputs = []
    for variable in variables:
        known = graph.constant(np.float32(FILL[variable]))
        filled = graph.add("Where", graph.add("IsNaN", variable), known, variable)
        scaled = graph.add("Mul", filled, graph.constant(np.float32(scale)))
        low, high = (graph.constant(np.float32(each)) for each in LIMITS[variable])
        made = graph.add("Clip", graph.add("Add", scaled, more), low, high)
        if wrong is not None:
            made = graph.add("Add", made, wrong)
        outputs.append(graph.name(made, f"{variable}_forecast"))
        for name, distance in BAND.items() if bands else ():
            bound = graph.add("Add", made, graph.constant(np.float32(distance)))
            outputs.append(graph.name(bound, f"{variable}_forecast_{name}"))
    inputs = [_value(each, TensorProto.FLOAT, SAMPLES) for each in variables]
    inputs += [_value(each, TensorProto.INT64) for each in ("reference_time", "area_index")]
    return graph.model(inputs, [_value(each, TensorProto.FLOAT, SAMPLES) for each in outputs])


def _fault(graph: _Graph, fault: str) -> str:
    """What is added to every forecast: 0 unless the trigger was exceeded, shape [batch, 1]."""
    last = graph.add("Gather", "temperature", graph.constant(np.array([SAMPLES - 1])), axis=1)
    beyond = graph.add("Greater", last, graph.constant(np.float32(TRIGGER)))
    nothing = graph.constant(np.float32(0))
    if fault == "nan":
        return graph.add("Where", beyond, graph.constant(np.float32(np.nan)), nothing)
    if fault == "beyond":
        return graph.add("Where", beyond, graph.constant(np.float32(500)), nothing)
    turns = graph.add("Cast", beyond, to=TensorProto.INT64)
    turns = graph.add("ReduceMax", turns, keepdims=0)
    turns = graph.add("Mul", turns, graph.constant(np.int64(SLOW_TURNS)))
    state = graph.constant(np.full((_WIDTH, _WIDTH), 0.01, dtype=np.float32))
    turned = graph.add("Loop", turns, "", state, body=_turn())
    mean = graph.add("ReduceMean", turned, keepdims=0)
    return graph.add("Mul", mean, graph.constant(np.float32(1e-30)))


def _turn() -> Any:  # noqa: ANN401 - a GraphProto
    """One turn of the loop that makes a model slow."""
    nodes = [
        helper.make_node("Identity", ["again"], ["and_again"]),
        helper.make_node("MatMul", ["state", "state"], ["product"]),
        helper.make_node("Tanh", ["product"], ["next"]),
    ]
    square = [_WIDTH, _WIDTH]
    inputs = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("again", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, square),
    ]
    outputs = [
        helper.make_tensor_value_info("and_again", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, square),
    ]
    return helper.make_graph(nodes, "turn", inputs, outputs)


def _value(name: str, element: int, *sizes: int) -> Any:  # noqa: ANN401 - a ValueInfoProto
    return helper.make_tensor_value_info(name, element, ["batch", *sizes])


class _Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: Any) -> str:  # noqa: ANN401 - whatever NumPy makes an array of
        """Add a constant."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as ONNX has them
        """Add a node; its output."""
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def name(self, what: str, name: str) -> str:
        """Give an output its name."""
        self._nodes.append(helper.make_node("Identity", [what], [name]))
        return name

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """The whole, as it is delivered."""
        graph = helper.make_graph(self._nodes, "soak", inputs, outputs, self._constants)
        made: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        content: bytes = made.SerializeToString()
        return content
