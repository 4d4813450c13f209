from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from fairweather_interface.delivery import Delivery, open_delivery
from fairweather_interface.metadata import Artifact, ArtifactNeeds
from fairweather_interface.refusals import Code
from fairweather_interface.testing import identity_onnx

from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend import OnnxBackend
from fairweather_app.models_backend.onnx import newest_supported
from fairweather_app.models_backend.runtime_model import Tensor
from fairweather_app.observations import Window

Build = Callable[..., Path]
NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)


def backend_of(*paths: Path) -> OnnxBackend:
    deliveries: dict[str, Delivery] = {path.name: open_delivery(path) for path in paths}
    return OnnxBackend(deliveries.__getitem__)


def an_artifact(*, opset: int | None = None, ir_version: int | None = None) -> Artifact:
    needs = ArtifactNeeds(opset=opset, ir_version=ir_version)
    return Artifact(format="onnx", path="model.onnx", needs=needs)


def test_the_newest_opset_and_ir_version_are_the_ones_that_still_load() -> None:
    opset, ir_version = newest_supported()
    ort.InferenceSession(identity_onnx([("a", "b")], 3, opset=opset, ir_version=ir_version))
    for newer in (
        identity_onnx([("a", "b")], 3, opset=opset + 1, ir_version=ir_version),
        identity_onnx([("a", "b")], 3, opset=opset, ir_version=ir_version + 1),
    ):
        with pytest.raises(Exception, match=r"(?i)opset|IR version"):
            ort.InferenceSession(newer)


def test_it_tells_what_it_runs() -> None:
    runtime = backend_of().describe()
    assert (runtime.format, runtime.name, runtime.version) == (
        "onnx",
        "onnxruntime",
        ort.__version__,
    )
    assert (runtime.max_opset, runtime.max_ir_version) == newest_supported()


def test_an_artifact_that_needs_more_names_both_versions() -> None:
    backend = backend_of()
    opset, ir_version = newest_supported()
    assert backend.cannot_run(an_artifact(opset=opset, ir_version=ir_version)) is None
    assert backend.cannot_run(Artifact(format="onnx", path="model.onnx")) is None
    newer = backend.cannot_run(an_artifact(opset=opset + 1))
    assert newer == (
        f"needs ONNX opset {opset + 1}, onnxruntime {ort.__version__} runs up to {opset}"
    )
    newer = backend.cannot_run(an_artifact(ir_version=ir_version + 1))
    assert newer is not None
    assert f"IR version {ir_version + 1}" in newer


def test_a_model_is_loaded_by_id_and_predicts_what_it_is_fed_with(tiny_delivery: Build) -> None:
    path = tiny_delivery(
        areas=("EWR", "JFK"), variables=("temperature", "humidity"), samples=3, context=True
    )
    model = backend_of(path).load_by_id(path.name)
    windows = {
        name: Window(
            values=np.array([first, 2, 3], dtype=np.float32),
            reference_time=NOON,
            sample_rate=timedelta(hours=1),
        )
        for name, first in (("temperature", 1), ("humidity", 9))
    }
    found = model.predict("JFK", NOON, windows)
    assert list(found) == ["temperature", "humidity"]
    assert found["temperature"].value.tolist() == [1, 2, 3]
    assert found["humidity"].value.tolist() == [9, 2, 3]
    assert found["humidity"].value.dtype == np.float32
    assert found["humidity"].lower is None
    assert model.delivery_id == path.name
    assert model.areas == ("EWR", "JFK")
    assert [each.name for each in model.required_inputs] == ["temperature", "humidity"]
    assert model.session.runtime == f"onnxruntime {ort.__version__}"


def test_the_signature_is_what_the_runtime_sees(tiny_delivery: Build) -> None:
    path = tiny_delivery(samples=3, context=True)
    signature = backend_of(path).load_by_id(path.name).session.signature
    assert signature.inputs == {
        "temperature": Tensor("float32", (None, 3)),
        "reference_time": Tensor("int64", (None,)),
        "area_index": Tensor("int64", (None,)),
    }
    assert signature.outputs == {"temperature_forecast": Tensor("float32", (None, 3))}


def test_a_skill_is_known_where_it_is_stated(tiny_delivery: Build) -> None:
    path = tiny_delivery(skill=0.5)
    model = backend_of(path).load_by_id(path.name)
    assert model.skill("EWR", "temperature") == 0.5
    assert model.skill("JFK", "temperature") is None


@pytest.mark.parametrize("content", [b"not a model", identity_onnx([("a", "b")], 3)[:-20]])
def test_what_is_no_onnx_model_is_corrupt(tiny_delivery: Build, content: bytes) -> None:
    path = tiny_delivery(model=content)
    with pytest.raises(LoadError, match=r"model\.onnx is not an ONNX model") as caught:
        backend_of(path).load_by_id(path.name)
    assert caught.value.code is Code.CORRUPT


def test_a_model_that_needs_more_than_it_said_is_not_taken(tiny_delivery: Build) -> None:
    opset, _ = newest_supported()
    model = identity_onnx([("temperature", "temperature_forecast")], 24, opset=opset + 1)
    path = tiny_delivery(model=model)
    with pytest.raises(LoadError, match="does not take") as caught:
        backend_of(path).load_by_id(path.name)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE
    assert "/onnxruntime_src" not in str(caught.value)


def test_a_delivery_without_onnx_is_not_for_it(tiny_delivery: Build) -> None:
    def as_another(document: dict[str, list[dict[str, object]]]) -> None:
        document["artifacts"][0]["format"] = "tensorflow-saved-model"
        document["artifacts"][0]["needs"] = {}

    path = tiny_delivery(change=as_another)
    with pytest.raises(LoadError, match="carries no ONNX artifact") as caught:
        backend_of(path).load_by_id(path.name)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE


def test_a_failing_run_is_a_prediction_error_without_a_stack(tiny_delivery: Build) -> None:
    path = tiny_delivery(samples=3)
    session = backend_of(path).load_by_id(path.name).session
    with pytest.raises(PredictionError, match="failed"):
        session.run({"temperature": np.zeros((1, 4), dtype=np.float32)}, ["temperature_forecast"])
