"""TensorFlow itself is not in this environment: a stand-in with its shape is.

What a real one does is tried by the session ``savedmodel``, where TensorFlow is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fairweather_interface.delivery import Delivery, open_delivery
from fairweather_interface.metadata import Artifact, ArtifactNeeds
from fairweather_interface.refusals import Code

from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend import TensorFlowBackend
from fairweather_app.models_backend.acceptance import accept
from fairweather_app.models_backend.tensorflow import find_problem

Build = Callable[..., Path]


class StandInSpec:
    def __init__(self, dtype: str, *shape: int | None) -> None:
        self.dtype = SimpleNamespace(name=dtype)
        self.shape = SimpleNamespace(rank=len(shape), as_list=lambda: list(shape))


class StandInFunction:
    structured_input_signature = ((), {"temperature": StandInSpec("float32", None, 24)})
    structured_outputs = {"temperature_forecast": StandInSpec("float32", None, 24)}  # noqa: RUF012

    def __call__(self, *, temperature: Any) -> dict[str, Any]:
        if np.isnan(temperature).all():
            raise OpError
        return {"temperature_forecast": SimpleNamespace(numpy=lambda: temperature)}


class OpError(Exception):
    message = "no such kernel"


def node(operation: str, *called: str, name: str = "n", inputs: tuple[str, ...] = ()) -> Any:
    """A node of a graph, which calls functions."""
    attributes = {
        each: SimpleNamespace(
            func=SimpleNamespace(name=each if at == 0 else ""),
            list=SimpleNamespace(func=[SimpleNamespace(name=each)] if at else []),
        )
        for at, each in enumerate(called)
    }
    return SimpleNamespace(op=operation, name=name, input=list(inputs), attr=attributes)


def saved_model(
    nodes: list[Any],
    *,
    functions: dict[str, list[Any]] | None = None,
    objects: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
    graphs: int = 1,
) -> Any:
    """A SavedModel as its file says it, with nodes ``save`` and ``restore`` to keep variables."""
    library = [
        SimpleNamespace(signature=SimpleNamespace(name=name), node_def=content)
        for name, content in (functions or {}).items()
    ]
    signature = SimpleNamespace(
        outputs={each: SimpleNamespace(name=f"{each}:0") for each in outputs}
    )
    meta = SimpleNamespace(
        object_graph_def=SimpleNamespace(nodes=["root"], concrete_functions=dict.fromkeys(objects)),
        graph_def=SimpleNamespace(node=nodes, library=SimpleNamespace(function=library)),
        saver_def=SimpleNamespace(save_tensor_name="save:0", restore_op_name="restore"),
        signature_def={"model_signature": signature},
    )
    return SimpleNamespace(meta_graphs=[meta] * graphs)


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The signatures that a loaded SavedModel has; TensorFlow 2.21 seems to be installed."""
    found: dict[str, object] = {"model_signature": StandInFunction()}

    def too_late(_threads: int) -> None:
        raise RuntimeError("Intra op parallelism cannot be modified after initialization.")

    def load(path: str) -> SimpleNamespace:
        if not Path(path).exists():
            raise OSError(f"SavedModel file does not exist at: {path}")
        return SimpleNamespace(signatures=found)

    stand_in = ModuleType("tensorflow")
    parse = SimpleNamespace(parse_saved_model=lambda _path: saved_model([]))
    vars(stand_in).update(
        __internal__=SimpleNamespace(saved_model=parse),
        __version__="2.21.0",
        saved_model=SimpleNamespace(load=load),
        constant=lambda value: value,
        errors=SimpleNamespace(OpError=OpError),
        config=SimpleNamespace(
            threading=SimpleNamespace(
                set_intra_op_parallelism_threads=too_late,
                set_inter_op_parallelism_threads=too_late,
            )
        ),
    )
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in)
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "2.21.0")
    return found


def as_saved_model(document: dict[str, Any]) -> None:
    document["artifacts"][0] |= {"format": "tensorflow-saved-model", "needs": {}}


def backend_of(path: Path) -> TensorFlowBackend:
    delivery = open_delivery(path)
    return TensorFlowBackend({path.name: delivery}.__getitem__)


def test_a_saved_model_is_loaded_proven_and_run(
    tiny_delivery: Build, signatures: dict[str, object]
) -> None:
    assert signatures
    path = tiny_delivery(change=as_saved_model)
    model = backend_of(path).load_by_id(path.name)
    accept(model)
    assert model.session.runtime == "tensorflow 2.21.0"


def test_it_refuses_to_run_in_another_process_than_it_was_loaded_in(
    tiny_delivery: Build, signatures: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signatures
    path = tiny_delivery(change=as_saved_model)
    model = backend_of(path).load_by_id(path.name)
    elsewhere = os.getpid() + 1
    monkeypatch.setattr("os.getpid", lambda: elsewhere)
    with pytest.raises(PredictionError, match="does not survive the fork") as caught:
        model.session.run({}, [])
    assert "without preloading" in str(caught.value)


def test_a_model_without_our_signature_is_corrupt(
    tiny_delivery: Build, signatures: dict[str, object]
) -> None:
    signatures["serving_default"] = signatures.pop("model_signature")
    path = tiny_delivery(change=as_saved_model)
    with pytest.raises(LoadError, match="'model_signature'; found serving_default") as caught:
        backend_of(path).load_by_id(path.name)
    assert caught.value.code is Code.CORRUPT


def test_what_tensorflow_cannot_load_is_corrupt(
    tiny_delivery: Build, signatures: dict[str, object]
) -> None:
    assert signatures
    path = tiny_delivery(change=as_saved_model)
    backend = backend_of(path)
    (path / "model.onnx").unlink()
    with pytest.raises(LoadError, match="is not a SavedModel") as caught:
        backend.load_by_id(path.name)
    assert caught.value.code is Code.CORRUPT


def test_a_delivery_without_a_saved_model_is_not_for_it(tiny_delivery: Build) -> None:
    path = tiny_delivery()
    with pytest.raises(LoadError, match="carries no SavedModel"):
        backend_of(path).load_by_id(path.name)


def test_a_failing_run_is_a_prediction_error(
    tiny_delivery: Build, signatures: dict[str, object]
) -> None:
    assert signatures
    path = tiny_delivery(change=as_saved_model)
    session = backend_of(path).load_by_id(path.name).session
    with pytest.raises(PredictionError, match="failed: no such kernel"):
        session.run({"temperature": np.full((1, 24), np.nan)}, ["temperature_forecast"])


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        ("2.21.4", None),
        ("2.20.0", None),
        ("2.22.0", "needs TensorFlow 2.22.0, here is 2.21.0"),
        ("3.0", "needs TensorFlow 3.0, here is 2.21.0"),
    ],
)
def test_a_newer_minor_than_is_installed_is_refused(
    needed: str, reason: str | None, signatures: dict[str, object]
) -> None:
    assert signatures
    deliveries: dict[str, Delivery] = {}
    backend = TensorFlowBackend(deliveries.__getitem__)
    artifact = Artifact(
        format="tensorflow-saved-model", path="model", needs=ArtifactNeeds(tensorflow=needed)
    )
    assert backend.cannot_run(artifact) == reason
    assert backend.cannot_run(Artifact(format="tensorflow-saved-model", path="model")) is None
    assert backend.describe().version == "2.21.0"


KEEPING = [
    node("StatefulPartitionedCall", "keep", name="save"),
    node("StatefulPartitionedCall", "bring", name="restore"),
]
KEEPERS = {"keep": [node("SaveV2")], "bring": [node("RestoreV2")]}


def test_what_saves_and_restores_variables_is_not_run() -> None:
    nodes = [*KEEPING, node("StatefulPartitionedCall", "forecast", name="call")]
    functions = KEEPERS | {"forecast": [node("MatMul"), node("Identity")]}
    saved = saved_model(nodes, functions=functions, objects=("forecast",), outputs=("call",))
    assert find_problem(saved) is None


@pytest.mark.parametrize(
    "saved",
    [
        saved_model([node("WriteFile")]),
        saved_model([node("If", "then", "else")], functions={"else": [node("WriteFile")]}),
        saved_model(
            [node("PartitionedCall", "f")],
            functions={"f": [node("PartitionedCall", "g")], "g": [node("WriteFile")]},
        ),
        saved_model([], functions={"make": [node("WriteFile")]}, objects=("make",)),
    ],
)
def test_an_operation_that_does_more_than_compute_is_found_wherever_it_is(saved: Any) -> None:
    told = "it uses WriteFile, expected operations that only compute"
    assert find_problem(saved) == told


@pytest.mark.parametrize(
    "saved",
    [
        saved_model([*KEEPING, node("Identity", inputs=("^save",))], functions=KEEPERS),
        saved_model(KEEPING, functions=KEEPERS, outputs=("save",)),
        saved_model(KEEPING, functions=KEEPERS, objects=("keep",)),
        saved_model([*KEEPING, node("PartitionedCall", "keep")], functions=KEEPERS),
    ],
)
def test_nobody_else_may_call_what_saves_variables(saved: Any) -> None:
    assert "it uses SaveV2" in str(find_problem(saved))


def test_variables_are_set_up_beside_functions_and_never_in_one() -> None:
    nodes = [node("VarHandleOp"), node("VarIsInitializedOp"), node("AssignVariableOp")]
    assert find_problem(saved_model(nodes)) is None
    found = find_problem(saved_model([], functions={"f": nodes}, objects=("f",)))
    assert "AssignVariableOp, VarIsInitializedOp" in str(found)


def test_functions_that_call_each_other_are_looked_at_once() -> None:
    functions = {"f": [node("PartitionedCall", "g")], "g": [node("PartitionedCall", "f")]}
    assert find_problem(saved_model([], functions=functions, objects=("f",))) is None


@pytest.mark.parametrize("graphs", [0, 2])
def test_it_holds_one_graph(graphs: int) -> None:
    told = "expected one graph, as TensorFlow 2 saves it"
    assert find_problem(saved_model([], graphs=graphs)) == told


def test_a_saved_model_with_other_operations_is_refused_before_it_is_loaded(
    tiny_delivery: Build, signatures: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signatures
    tensorflow: Any = sys.modules["tensorflow"]
    reader = tensorflow.__internal__.saved_model
    monkeypatch.setattr(reader, "parse_saved_model", lambda _path: saved_model([node("PyFunc")]))
    monkeypatch.delattr(tensorflow.saved_model, "load")
    path = tiny_delivery(change=as_saved_model)
    with pytest.raises(LoadError, match=r"is not run here: it uses PyFunc") as caught:
        backend_of(path).load_by_id(path.name)
    assert caught.value.code is Code.CORRUPT
