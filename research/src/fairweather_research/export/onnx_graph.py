"""Two ONNX models made one, and one ONNX model made canonical.

Converters name and order things as they like, and not always alike. A model whose bytes are its
identity is named and ordered here by what leads to its outputs, so that equal models are equal
bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import onnx
import onnx.compose
import onnx.numpy_helper

from fairweather_research.export.artifacts import IR_VERSION, OPSET
from fairweather_research.networks.base import NetworkInputs

_Part = TypeVar("_Part")

_NETWORK = "network"

#: Parts of a model that apps read, at most.
_MOST = {onnx.NodeProto: 50_000, onnx.TensorProto: 50_000, onnx.GraphProto: 1000}
_MOST_VALUES = 1 << 28  # of a tensor: a gigabyte of float32

#: The operations of trees and other classical models, which every runtime of our opset has.
_TREES, _TREES_OPSET = "ai.onnx.ml", 3

#: The tensors of our graph that stand for the network: an input, and outputs.
NETWORK_OUTPUT = f"{_NETWORK}_output"
NETWORK_INPUTS = tuple(f"{_NETWORK}_{name}" for name in NetworkInputs.NAMES)

_RANDOM = {
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial"),
}


def data_problems(model: onnx.ModelProto) -> list[str]:
    """Return what no app runs: other files, operations of others, training, more than it reads.

    Such a model is refused by every app that holds ONNX to be data, so nothing else is written.
    """
    problems = []
    tensors = list(_parts(model, onnx.TensorProto))
    if any(each.external_data or each.data_location for each in tensors):
        problems.append(
            "keeps values in other files, expected all in its own; export it without external data"
        )
    asked = [*_parts(model, onnx.NodeProto), *model.opset_import]
    used = {each.domain for each in asked} - {"", "ai.onnx", _TREES}
    if used or model.functions or model.training_info:
        names = ", ".join(sorted(used)) or "functions or training of its own"
        problems.append(f"uses {names}, expected operations of ONNX itself, or of {_TREES}")
    if any(prod(each.dims) > _MOST_VALUES for each in tensors):
        problems.append(f"holds a tensor of more than {_MOST_VALUES:,} values, expected smaller")
    for kind, most in _MOST.items():
        if sum(1 for _ in _parts(model, kind)) > most:
            problems.append(f"holds more than {most:,} parts {kind.__name__}, expected fewer")
    return problems


def onnx_problems(path: Path) -> list[str]:
    """Return what keeps a network's ONNX from being put into the graph."""
    try:
        model = onnx.load(str(path), load_external_data=False)
        problems = data_problems(model)
        if not problems:
            onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - a missing file, no ONNX, or not a valid one
        return [f"cannot be read ({' '.join(str(error).split())[:200]}); write one valid file"]
    opset = {item.domain or "ai.onnx": item.version for item in model.opset_import}
    if opset.pop("ai.onnx", None) != OPSET:
        found = next((i.version for i in model.opset_import if i.domain in {"", "ai.onnx"}), None)
        problems.append(f"is of opset {found}, expected {OPSET}; export it with that opset")
    if opset.get(_TREES, 0) > _TREES_OPSET:
        problems.append(f"is of opset {opset[_TREES]} of {_TREES}, expected {_TREES_OPSET} at most")
    random = sorted({node.op_type for node in _parts(model, onnx.NodeProto)} & _RANDOM)
    if random:
        problems.append(f"draws random numbers ({', '.join(random)}), expected none at inference")
    constants = {item.name for item in model.graph.initializer}
    strangers = {item.name for item in model.graph.input} - constants - set(NetworkInputs.NAMES)
    if strangers:
        problems.append(
            f"has the inputs {', '.join(sorted(strangers))}, expected of "
            f"{', '.join(NetworkInputs.NAMES)}"
        )
    for item in (*model.graph.input, *model.graph.output):
        kind = onnx.TensorProto.DataType.Name(item.type.tensor_type.elem_type)
        if item.name not in constants and kind != "FLOAT":
            problems.append(f"has {item.name} in {kind}, expected FLOAT (float32); cast it there")
    if len(model.graph.output) != 1:
        problems.append(f"has {len(model.graph.output)} outputs, expected one")
    return problems


def compose(ours: onnx.ModelProto, theirs: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Put a network in place of the placeholder of our graph.

    Only the outputs ``names`` are kept. ``onnx.compose.merge_models`` joins one way only, and equal
    IR versions only. Nodes come out in no order; ``canonical`` gives them one.
    """
    network = onnx.compose.add_prefix(theirs, f"{_NETWORK}/").graph
    joints = [(f"{_NETWORK}_{name}", f"{_NETWORK}/{name}") for name in NetworkInputs.NAMES]
    joints.append((network.output[0].name, NETWORK_OUTPUT))
    links = (onnx.helper.make_node("Identity", [source], [target]) for source, target in joints)
    by_name = {item.name: item for item in ours.graph.output}
    graph = onnx.helper.make_graph(
        [*ours.graph.node, *network.node, *links],
        "whole",
        [item for item in ours.graph.input if item.name != NETWORK_OUTPUT],
        [by_name[name] for name in names],
        [*ours.graph.initializer, *network.initializer],
    )
    return onnx.helper.make_model(graph)


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same model, named and ordered by what leads to its outputs, and by nothing else.

    Inputs and outputs keep their names and order. What leads to no output is left out, and so is
    what a converter writes about itself.
    """
    graph = model.graph
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    if any(node.domain == _TREES for node in _parts(graph, onnx.NodeProto)):
        opsets.append(onnx.helper.make_opsetid(_TREES, _TREES_OPSET))
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
        opset_imports=opsets,
        ir_version=IR_VERSION,
        producer_name="fairweather-research",
    )


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return the values that a node reads, those of graphs inside it included."""
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


def _parts(message: Any, kind: type[_Part]) -> Iterator[_Part]:  # noqa: ANN401 - any message
    """Yield the parts of a kind at any depth: in graphs of nodes, in functions, in attributes."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                if isinstance(part, kind):
                    yield part
                yield from _parts(part, kind)


def _bare(item: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Return an input or output with its type and width; all have the same rows."""
    kind = item.type.tensor_type
    width = [side.dim_value for side in kind.shape.dim][1:]
    return onnx.helper.make_tensor_value_info(item.name, kind.elem_type, ["rows", *width])
