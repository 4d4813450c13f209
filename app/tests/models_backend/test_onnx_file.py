"""What an ONNX file may hold, whatever the runtime would make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fairweather_interface.delivery import open_delivery
from fairweather_interface.refusals import Code
from hypothesis import given
from hypothesis import strategies as st

import onnx_models as write
from fairweather_app.errors import LoadError
from fairweather_app.models_backend import OnnxBackend
from fairweather_app.models_backend import onnx_file as onnx_file_module
from fairweather_app.models_backend.onnx_file import DEEPEST, onnx_problem

Build = Callable[..., Path]

OUTSIDE = write.external_tensor("w", "../../../etc/passwd")
ADDED = write.node("Add", "temperature w", write.TARGET)
LOOPED = write.node("Loop", "- - temperature", write.TARGET)
GELU = write.node("Gelu", "x", "y", domain="com.microsoft")
SPARSE = write.field(1, OUTSIDE) + write.field(2, write.tensor("at", write.INT64, 0, sizes=(1,)))


def in_an_attribute(number: int, content: bytes) -> bytes:
    attribute = write.field(1, "value") + write.field(number, content)
    return write.model(write.node("Constant", "", "w", attribute), ADDED)


def in_a_loop(*nodes: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
    inner = write.subgraph("body", write.body(*nodes, tensors=tensors))
    return write.model(write.node("Loop", "- - temperature", write.TARGET, inner))


def within_each_other(graphs: int) -> bytes:
    inner = write.graph([write.IDENTITY], [], [], write.value(write.TARGET, write.FLOAT))
    for _ in range(graphs - 2):
        branch = write.node("If", "yes", write.TARGET, write.subgraph("then_branch", inner))
        inner = write.graph([branch], [], [], write.value(write.TARGET, write.FLOAT))
    branch = write.subgraph("then_branch", inner)
    return write.model(write.node("If", "yes", write.TARGET, branch))


def test_what_research_delivers_may_run(golden_delivery: Path) -> None:
    assert onnx_problem("model.onnx", (golden_delivery / "model.onnx").read_bytes()) is None


@pytest.mark.parametrize(
    "content",
    [
        write.model(write.IDENTITY),
        write.model(write.IDENTITY, domains=("ai.onnx", "ai.onnx.ml")),
        write.endless_loop(),  # how long it runs is another question
        within_each_other(DEEPEST),
    ],
)
def test_operators_of_onnx_may_run(content: bytes) -> None:
    assert onnx_problem("model.onnx", content) is None


@pytest.mark.parametrize(
    "content",
    [
        write.model(ADDED, tensors=(OUTSIDE,)),
        write.model(ADDED, tensors=(write.external_tensor("w", "weights.bin"),)),
        write.model(ADDED, tensors=(write.external_tensor("w", "*/_ORT_MEM_ADDR_/*"),)),
        write.model(ADDED, tensors=(write.tensor("w", write.FLOAT, 1) + write.field(14, 1),)),
        write.model(ADDED, tensors=(write.field(8, "w") + write.field(13, b""),)),
        write.model(ADDED) + write.field(7, write.field(5, OUTSIDE)),  # a second graph is merged
        write.model(ADDED) + write.field(7, write.field(15, SPARSE)),
        in_an_attribute(5, OUTSIDE),
        in_an_attribute(10, OUTSIDE),
        in_an_attribute(22, SPARSE),
        in_an_attribute(23, SPARSE),
        in_an_attribute(11, write.field(5, OUTSIDE)),
        in_a_loop(write.HANDED_ON, tensors=(OUTSIDE,)),
    ],
)
def test_no_tensor_may_lie_in_another_file(content: bytes) -> None:
    assert "lies in another file" in str(onnx_problem("model.onnx", content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (write.model(write.IDENTITY, domains=("", "evil.corp")), "operators of 'evil.corp'"),
        (write.model(write.node("E", "x", "y", domain="evil")), "operators of 'evil'"),
        (write.model(write.node("E", "x", "y", domain="ai.onnx.training")), "'ai.onnx.training'"),
        (in_a_loop(GELU), "operators of 'com.microsoft', expected of ai.onnx and ai.onnx.ml"),
        (write.model(write.IDENTITY, more=write.field(25, b"")), "functions of its own"),
        (write.model(write.IDENTITY, more=write.field(20, b"")), "training"),
        (within_each_other(DEEPEST + 1), f"more than {DEEPEST} graphs"),
        (within_each_other(3000), f"more than {DEEPEST} graphs"),
        (b"\x08\x08\x00\x00ORTM" + bytes(100), "format of ONNX Runtime itself"),
    ],
)
def test_only_operators_of_onnx_itself_run(content: bytes, told: str) -> None:
    assert told in str(onnx_problem("model.onnx", content))


def test_a_file_by_the_name_of_the_runtimes_own_format_is_refused() -> None:
    problem = onnx_problem("model.ort", write.model(write.IDENTITY))
    assert problem == "is in the format of ONNX Runtime itself, expected ONNX"


def test_nodes_and_tensors_are_counted_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file_module, "MOST", {"node": 4, "tensor": 2})
    tensors = (write.tensor("a", write.FLOAT, 0), write.tensor("b", write.FLOAT, 0))
    nodes = (write.HANDED_ON, write.HANDED_ON)
    assert onnx_problem("model.onnx", in_a_loop(*nodes, tensors=tensors)) is None
    for more in (in_a_loop(*nodes, *nodes), in_a_loop(tensors=(*tensors, *tensors))):
        assert "holds more than" in str(onnx_problem("model.onnx", more))


def overlong_tag(number: int, content: bytes) -> bytes:
    """Return a field whose tag has a bit beyond the 32 that some readers drop."""
    tag = number << 3 | 2
    spread = bytes([tag & 127 | 128, tag >> 7 & 127 | 128, 128, 128, 16])
    return spread + write.varint(len(content)) + content


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90" * 1000,
        b"PK\x03\x04" + bytes(100),
        write.model(write.IDENTITY)[:-1],
        write.model(write.IDENTITY) + overlong_tag(7, write.field(5, OUTSIDE)),
        write.model(write.IDENTITY) + b"\x7a\xff\xff\xff\xff\xff\x01",
        write.model(write.IDENTITY) + b"\x0b\x0c",  # a group, which protobuf has given up
    ],
)
def test_what_readers_of_protobuf_may_read_differently_is_no_model(content: bytes) -> None:
    assert "no well-formed protobuf" in str(onnx_problem("model.onnx", content))


def test_numbers_of_trees_are_passed_over_one_by_one_or_packed() -> None:
    floats = b"".join(write.varint(7 << 3 | 5) + b"\xff\xc0\x80\x00" for _ in range(1000))
    integers = b"".join(write.field(8, 2**40 + each) for each in range(1000))
    packed = write.field(7, bytes(400)) + write.field(8, bytes(400))
    for numbers in (floats, integers, packed, floats + integers + packed):
        trees = write.node("TreeEnsembleRegressor", "x", "y", numbers, domain="ai.onnx.ml")
        assert onnx_problem("model.onnx", write.model(trees)) is None
        hidden = numbers + write.field(5, OUTSIDE) + numbers
        found = onnx_problem("model.onnx", write.model(write.node("Constant", "", "w", hidden)))
        assert "lies in another file" in str(found)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_answered_with_a_sentence_or_nothing(noise: bytes, at: int) -> None:
    sound = write.model(ADDED, tensors=(OUTSIDE,))
    onnx_problem("model.onnx", noise)
    onnx_problem("model.onnx", sound[:at] + noise + sound[at:])


def test_the_backend_refuses_such_a_file_before_its_runtime_reads_it(tiny_delivery: Build) -> None:
    path = tiny_delivery(model=write.model(ADDED, tensors=(OUTSIDE,)))
    backend = OnnxBackend({path.name: open_delivery(path)}.__getitem__)
    with pytest.raises(LoadError, match=r"model\.onnx is not run here: .* in another") as caught:
        backend.load_by_id(path.name)
    assert caught.value.code is Code.CORRUPT
