"""What is delivered as ONNX is data: nothing of another file, no operations of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fairweather_research.export import onnx_graph
from fairweather_research.export.onnx_graph import data_problems, onnx_problems
from fairweather_research.export.saved_model import Conversion

FOREIGN = "keeps values in other files, expected all in its own; export it without external data"


def tensor(*, elsewhere: bool) -> TensorProto:
    made = numpy_helper.from_array(np.zeros(2, np.float32), "weights")
    if elsewhere:
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "8")):
            entry = made.external_data.add()
            entry.key, entry.value = key, value
    return made


def model(where: str, *, elsewhere: bool = True) -> onnx.ModelProto:
    """One addition to ``area``, with its weights in the graph, in a node, or in a graph in one."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 2])
        for name in ("area", "y")
    ]
    weights = tensor(elsewhere=elsewhere)
    constant = helper.make_node("Constant", [], ["weights"], value=weights)
    nodes = [helper.make_node("Add", ["area", "weights"], ["y"])]
    if where == "a node":
        nodes.insert(0, constant)
    elif where == "a graph in a node":
        inner = helper.make_graph([constant], "inner", [], [onnx.ValueInfoProto(name="weights")])
        nodes.insert(
            0, helper.make_node("If", ["true"], ["weights"], then_branch=inner, else_branch=inner)
        )
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [weights] * (where == "the graph"))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("where", ["the graph", "a node", "a graph in a node"])
def test_values_in_another_file_are_found_wherever_they_are_named(
    tmp_path: Path, where: str
) -> None:
    made = model(where)
    assert data_problems(made) == [FOREIGN]
    (tmp_path / "n.onnx").write_bytes(made.SerializeToString())
    assert FOREIGN in onnx_problems(tmp_path / "n.onnx")
    assert data_problems(model(where, elsewhere=False)) == []


def test_a_function_of_its_own_and_a_node_of_others_in_it_are_found() -> None:
    made = model("the graph", elsewhere=False)
    hidden = helper.make_node("Evil", [], ["y"], domain="evil.corp")
    made.functions.append(
        helper.make_function("ours", "f", [], ["y"], [hidden], [helper.make_opsetid("", 17)])
    )
    assert data_problems(made) == [
        "uses evil.corp, expected operations of ONNX itself, or of ai.onnx.ml"
    ]


def test_a_tensor_that_says_it_is_larger_than_any_is_found() -> None:
    made = model("the graph", elsewhere=False)
    made.graph.initializer[0].dims[:] = [1 << 20, 1 << 20]
    (problem,) = data_problems(made)
    assert problem.startswith("holds a tensor of more than 268,435,456 values")


def test_more_parts_than_apps_read_training_and_foreign_imports_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = model("the graph", elsewhere=False)
    made.opset_import.append(helper.make_opsetid("evil.corp", 1))
    assert data_problems(made)[0].startswith("uses evil.corp")
    made = model("the graph", elsewhere=False)
    made.training_info.add()
    assert data_problems(made)[0].startswith("uses functions or training of its own")
    made = model("a graph in a node", elsewhere=False)
    monkeypatch.setattr(onnx_graph, "_MOST", {onnx.GraphProto: 2, onnx.NodeProto: 4})
    assert data_problems(made) == ["holds more than 2 parts GraphProto, expected fewer"]


def test_a_conversion_that_is_no_data_is_not_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graph, "data_problems", lambda _model: ["is of others"])
    monkeypatch.setattr(Conversion, "_failure", lambda _conversion: None)
    (tmp_path / "model.onnx").write_bytes(model("a node", elsewhere=False).SerializeToString())
    with Conversion() as conversion:
        conversion._path = tmp_path / "model.onnx"
        report = conversion.finish({}, {})
    assert report.omitted == "the converted model is of others"
    assert not (tmp_path / "model.onnx").exists()
