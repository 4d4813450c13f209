"""Models of ONNX put together, and named by what they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pytest
from onnx import TensorProto, helper, numpy_helper

from fairweather_research.export.onnx_graph import (
    NETWORK_INPUTS,
    NETWORK_OUTPUT,
    canonical,
    compose,
    onnx_problems,
)
from plugged_networks import Foreign
from shapes import SHAPE, inputs


def value(name: str, *width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *width])


def model(
    nodes: list[onnx.NodeProto],
    read: list[onnx.ValueInfoProto],
    said: list[onnx.ValueInfoProto],
    constants: dict[str, float],
) -> onnx.ModelProto:
    held = [
        numpy_helper.from_array(np.array([n], np.float32), name) for name, n in constants.items()
    ]
    graph = helper.make_graph(nodes, "converted", read, said, held, doc_string="by somebody")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made.producer_name = "a converter"
    return made


def half(prefix: str, *, reverse: bool = False) -> onnx.ModelProto:
    """(x + 1) * 2, named and ordered as a converter pleases, with something of no use."""
    constants = {f"{prefix}one": 1.0, f"{prefix}two": 2.0, f"{prefix}useless": 3.0}
    nodes = [
        helper.make_node("Add", ["x", f"{prefix}one"], [f"{prefix}sum"], name=f"{prefix}n1"),
        helper.make_node("Neg", [f"{prefix}useless"], [f"{prefix}gone"]),
        helper.make_node("Mul", [f"{prefix}sum", f"{prefix}two"], ["y"], doc_string=prefix),
    ]
    if reverse:
        nodes[0], nodes[1] = nodes[1], nodes[0]
        constants = dict(reversed(constants.items()))
    return model(nodes, [value("x", 2)], [value("y", 2)], constants)


def run(made: onnx.ModelProto, **feed: object) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(made.SerializeToString())
    found: list[np.ndarray] = session.run(None, feed)
    return found


def test_equal_models_become_equal_bytes_whatever_a_converter_called_things() -> None:
    one, other = (canonical(each) for each in (half("a/"), half("b_", reverse=True)))
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    onnx.checker.check_model(one, full_check=True)
    assert [node.op_type for node in one.graph.node] == ["Add", "Mul"]
    assert b"somebody" not in one.SerializeToString()


def test_a_canonical_model_answers_as_before() -> None:
    x = np.array([[1.0, -4.0]], np.float32)
    np.testing.assert_array_equal(run(canonical(half("a/")), x=x)[0], (x + 1) * 2)


def test_models_that_differ_stay_different() -> None:
    other = half("a/")
    other.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.array([1.5], np.float32), "a/one")
    )
    assert canonical(other) != canonical(half("a/"))


def test_what_only_a_graph_inside_a_node_reads_is_kept() -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        node = helper.make_node(op, ["sum"], [f"{name}_out"])
        return helper.make_graph([node], name, [], [value(f"{name}_out", 2)])

    nodes = [
        helper.make_node("Add", ["x", "one"], ["sum"]),
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["positive"]),
        helper.make_node(
            "If",
            ["positive"],
            ["y"],
            then_branch=branch("up", "Neg"),
            else_branch=branch("down", "Abs"),
        ),
    ]
    made = model(nodes, [value("x", 2)], [value("y", 2)], {"one": 1.0})
    made.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    whole = canonical(made)
    for x in (np.array([[1, 2]], np.float32), np.array([[-5, 2]], np.float32)):
        np.testing.assert_array_equal(run(whole, x=x)[0], run(made, x=x)[0])


def test_a_network_is_put_into_the_hole_of_a_graph(tmp_path: Path) -> None:
    network = Foreign(SHAPE)
    network.weights += 0.5
    network.export_onnx(tmp_path / "network.onnx")
    cube = (SHAPE.outputs, SHAPE.leads)
    past = (SHAPE.inputs, SHAPE.steps)
    nodes = [
        helper.make_node("Mul", ["raw", "two"], [NETWORK_INPUTS[0]]),
        *(helper.make_node("Identity", [f"raw_{name}"], [name]) for name in NETWORK_INPUTS[1:]),
        helper.make_node("Add", [NETWORK_OUTPUT, "two"], ["forecast"]),
    ]
    widths = (past, (SHAPE.areas,), (SHAPE.calendar,))
    others = [
        value(f"raw_{name}", *width) for name, width in zip(NETWORK_INPUTS[1:], widths, strict=True)
    ]
    shown = [
        value(name, *width) for name, width in zip(NETWORK_INPUTS, (past, *widths), strict=True)
    ]
    ours = model(
        nodes,
        [value("raw", *past), *others, value(NETWORK_OUTPUT, *cube)],
        [value("forecast", *cube), *shown],
        {"two": 2.0},
    )
    whole = canonical(compose(ours, onnx.load(str(tmp_path / "network.onnx")), ["forecast"]))
    assert [item.name for item in whole.graph.output] == ["forecast"]
    assert NETWORK_OUTPUT not in {item.name for item in whole.graph.input}
    some = inputs()
    names = ("raw", *(f"raw_{name}" for name in NETWORK_INPUTS[1:]))
    feed = dict(zip(names, some.arrays(), strict=True))
    expected = 2 * network.predict(some) + 2
    np.testing.assert_allclose(run(whole, **feed)[0], expected, rtol=1e-5)


def test_a_file_that_is_no_onnx_is_told(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").write_bytes(b"nothing of the kind")
    (problem,) = onnx_problems(tmp_path / "n.onnx")
    assert problem.startswith("cannot be read")
    (problem,) = onnx_problems(tmp_path / "absent.onnx")
    assert problem.startswith("cannot be read")


@pytest.mark.parametrize(("name", "told"), [("x", "has the inputs x, expected of anomalies")])
def test_an_input_that_nobody_feeds_is_told(tmp_path: Path, name: str, told: str) -> None:
    made = half("a/")
    assert made.graph.input[0].name == name
    onnx.save(made, str(tmp_path / "n.onnx"))
    (problem,) = onnx_problems(tmp_path / "n.onnx")
    assert problem.startswith(told)


def test_operations_of_other_domains_and_more_outputs_are_told_together(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gelu", ["area"], ["a"], domain="com.microsoft"),
        helper.make_node("Neg", ["area"], ["b"]),
    ]
    made = model(nodes, [value("area", 2)], [value("a", 2), value("b", 2)], {})
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(made, str(tmp_path / "n.onnx"))
    problems = onnx_problems(tmp_path / "n.onnx")
    assert problems == [
        "uses com.microsoft, expected operations of ONNX itself, or of ai.onnx.ml",
        "has 2 outputs, expected one",
    ]


def trees(version: int) -> onnx.ModelProto:
    """One tree for the first of two columns: below 1 it says -5, else 7."""
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            ["area"],
            ["y"],
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[0, 0, 0],
            nodes_modes=["BRANCH_LT", "LEAF", "LEAF"],
            nodes_values=[1.0, 0.0, 0.0],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            target_treeids=[0, 0],
            target_nodeids=[1, 2],
            target_ids=[0, 0],
            target_weights=[-5.0, 7.0],
        )
    ]
    made = model(nodes, [value("area", 2)], [value("y", 1)], {})
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", version))
    return made


def test_trees_are_taken_and_run_as_before_in_the_canonical_model(tmp_path: Path) -> None:
    onnx.save(trees(3), str(tmp_path / "n.onnx"))
    assert onnx_problems(tmp_path / "n.onnx") == []
    whole = canonical(trees(3))
    onnx.checker.check_model(whole, full_check=True)
    (found,) = run(whole, area=np.array([[0, 9], [2, 9]], np.float32))
    assert found.tolist() == [[-5.0], [7.0]]
    assert "ai.onnx.ml" not in {item.domain for item in canonical(half("a/")).opset_import}


def test_trees_of_operations_that_an_older_runtime_lacks_are_told(tmp_path: Path) -> None:
    onnx.save(trees(4), str(tmp_path / "n.onnx"))
    (problem,) = onnx_problems(tmp_path / "n.onnx")
    assert problem == "is of opset 4 of ai.onnx.ml, expected 3 at most"


def test_numbers_of_another_precision_are_told_with_their_name(tmp_path: Path) -> None:
    double = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["rows", 2])
    nodes = [helper.make_node("Cast", ["area"], ["y"], to=TensorProto.DOUBLE)]
    onnx.save(model(nodes, [value("area", 2)], [double], {}), str(tmp_path / "n.onnx"))
    (problem,) = onnx_problems(tmp_path / "n.onnx")
    assert problem == "has y in DOUBLE, expected FLOAT (float32); cast it there"
