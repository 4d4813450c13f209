"""Models that run on a server of the Open Inference Protocol V2, which may do anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fairweather_interface.delivery import open_delivery
from fairweather_interface.refusals import Code
from flask import Flask

from fairweather_app.errors import LoadError, PredictionError, RemoteUnavailableError
from fairweather_app.models_backend.acceptance import accept
from fairweather_app.models_backend.inference_client import InferenceClient
from fairweather_app.models_backend.open_inference import OpenInferenceBackend
from fairweather_app.models_backend.runtime_model import RuntimeModel
from inference import (
    BINARY,
    SAMPLES,
    Inference,
    fail,
    hang,
    hang_up,
    tensor,
    trickle,
    trickle_after_the_headers,
)

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
WINDOW = np.arange(SAMPLES, dtype=np.float32)[np.newaxis]


@pytest.fixture
def inference() -> Iterator[Inference]:
    running = Inference()
    yield running
    running.stop()


def backend(path: Path, url: str) -> OpenInferenceBackend:
    deliveries = {path.name: open_delivery(path)}
    return OpenInferenceBackend("onnx", deliveries.__getitem__, InferenceClient(url, 0.3))


@pytest.fixture
def path(tiny_delivery: Build, inference: Inference) -> Path:
    made = tiny_delivery(samples=SAMPLES)
    inference.models.add(made.name)
    return made


@pytest.fixture
def model(path: Path, inference: Inference) -> RuntimeModel:
    return backend(path, inference.url).load_by_id(path.name)


def test_the_servers_signature_is_the_models(model: RuntimeModel) -> None:
    assert str(model.session.signature.inputs["temperature"]) == f"float32 [?, {SAMPLES}]"
    accept(model)


def test_a_request_has_an_id_and_asks_for_outputs_by_name(
    model: RuntimeModel, inference: Inference
) -> None:
    found = model.session.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert (found["temperature_forecast"] == WINDOW).all()
    (asked,) = inference.asked
    assert asked["id"]
    assert asked["outputs"] == [{"name": "temperature_forecast"}]
    assert asked["inputs"][0]["shape"] == [1, SAMPLES]


def test_a_missing_value_travels_as_null_and_comes_back(
    model: RuntimeModel, inference: Inference
) -> None:
    gaps = WINDOW.copy()
    gaps[0, 3] = np.nan
    found = model.session.run({"temperature": gaps}, ["temperature_forecast"])
    assert inference.asked[0]["inputs"][0]["data"][3] is None
    np.testing.assert_array_equal(found["temperature_forecast"], gaps)


def test_a_server_that_offers_binary_data_gets_and_gives_values_to_the_bit(
    path: Path, inference: Inference
) -> None:
    inference.extensions = ["model_repository", BINARY]
    model = backend(path, inference.url).load_by_id(path.name)
    gaps = WINDOW / np.float32(3)
    gaps[0, 3] = np.nan
    found = model.session.run({"temperature": gaps}, ["temperature_forecast"])
    (asked,) = inference.asked
    assert asked["inputs"][0]["parameters"] == {"binary_data_size": 4 * SAMPLES}
    assert asked["outputs"][0]["parameters"] == {"binary_data": True}
    assert "data" not in asked["inputs"][0]
    assert found["temperature_forecast"].tobytes() == gaps.tobytes()
    accept(model)


def test_a_server_that_offers_binary_data_may_still_answer_json(
    path: Path, inference: Inference
) -> None:
    inference.extensions = [BINARY]
    model = backend(path, inference.url).load_by_id(path.name)
    inference.answer = (
        '{"outputs": [{"name": "temperature_forecast", "datatype": "FP32", '
        f'"shape": [1, {SAMPLES}], "parameters": null, "data": {[20.5] * SAMPLES}}}]}}'
    )
    found = model.session.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert (found["temperature_forecast"] == 20.5).all()


@pytest.mark.parametrize("extensions", ["?", None, ["?"]])
def test_whatever_a_server_says_of_its_extensions_it_is_asked_in_json(
    path: Path, inference: Inference, extensions: object
) -> None:
    inference.extensions = extensions  # type: ignore[assignment]
    model = backend(path, inference.url).load_by_id(path.name)
    inference.extensions = []
    assert model.session.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert "data" in inference.asked[0]["inputs"][0]


def test_a_server_that_trickles_while_a_model_is_loaded_holds_nobody_up(
    path: Path, inference: Inference, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = inference._server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_GET", trickle)
    with pytest.raises(RemoteUnavailableError, match=r"cannot be reached: .*timed out"):
        backend(path, inference.url).load_by_id(path.name)


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (hang, Code.TIMED_OUT, "timed out"),
        (trickle, Code.TIMED_OUT, "timed out"),
        (trickle_after_the_headers, Code.TIMED_OUT, "timed out"),
        (hang_up, Code.RUNTIME_UNAVAILABLE, "no answer"),
        (fail, Code.RUNTIME_UNAVAILABLE, "answered 500: .*out of memory"),
        ("<html>", Code.INVALID_OUTPUT, "rubbish: found <html>, expected the outputs"),
        ("{}", Code.INVALID_OUTPUT, "rubbish"),
        ("[1]", Code.INVALID_OUTPUT, "rubbish"),
        ('{"outputs": []}', Code.INVALID_OUTPUT, "temperature_forecast"),
        ('{"outputs": ["?"]}', Code.INVALID_OUTPUT, "rubbish"),
        (
            (
                '{"outputs": [{"name": "temperature_forecast", "datatype": "FP32", "shape": [1, 9],'
                '"data": [1]}]}'
            ),
            Code.INVALID_OUTPUT,
            "rubbish",
        ),
        (
            (
                '{"outputs": [{"name": "temperature_forecast", "datatype": "BYTES", "shape": [1], '
                '"data": ["a"]}]}'
            ),
            Code.INVALID_OUTPUT,
            "BYTES",
        ),
    ],
)
def test_whatever_the_server_answers_is_a_refusal_with_a_code(
    model: RuntimeModel, inference: Inference, answer: object, code: Code, words: str
) -> None:
    inference.answer = answer  # type: ignore[assignment]
    with pytest.raises(PredictionError, match=words) as caught:
        model.session.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("shape", "data", "told"),
    [
        ([24], [1] * 24, r"float32 \(24,\), expected float32 \(1, 24\)"),
        ([2, 24], [1] * 48, r"float32 \(2, 24\), expected"),
        ([1, 0], [], r"float32 \(1, 0\), expected"),
        ([-1], [1] * 24, r"float32 \(24,\), expected"),
        ([1, 24], [10**400] * 24, "OverflowError|answered rubbish"),
    ],
)
def test_a_server_that_lies_about_shapes_is_a_refusal(
    model: RuntimeModel, inference: Inference, shape: list[int], data: list[int], told: str
) -> None:
    output = {"name": "temperature_forecast", "datatype": "FP32", "shape": shape, "data": data}
    inference.answer = json.dumps({"outputs": [output]})
    with pytest.raises(PredictionError, match=told) as caught:
        model.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert caught.value.code is Code.INVALID_OUTPUT


def test_a_server_that_was_killed_is_a_refusal(path: Path) -> None:
    inference = Inference()
    inference.models.add(path.name)
    model = backend(path, inference.url).load_by_id(path.name)
    inference.stop()
    with pytest.raises(PredictionError, match="no answer") as caught:
        model.session.run({"temperature": WINDOW}, ["temperature_forecast"])
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE


def test_a_model_the_server_does_not_serve_yet_is_asked_for_again(
    path: Path, inference: Inference
) -> None:
    inference.models.clear()
    with pytest.raises(RemoteUnavailableError, match=r"status 404.*under its delivery id"):
        backend(path, inference.url).load_by_id(path.name)


def test_a_server_that_says_nothing_of_a_model_is_told_what_was_expected(
    path: Path, inference: Inference
) -> None:
    inference.metadata = ["?"]
    with pytest.raises(LoadError, match=r"found \[\"\?\"\].*expected a model's inputs"):
        backend(path, inference.url).load_by_id(path.name)


def test_another_model_under_the_id_does_not_pass_the_proof(
    path: Path, inference: Inference
) -> None:
    inference.metadata = {
        "inputs": [tensor("temperature", "BYTES")],
        "outputs": [tensor("temperature_forecast")],
    }
    with pytest.raises(LoadError, match="the metadata says"):
        accept(backend(path, inference.url).load_by_id(path.name))


def test_a_server_that_fails_during_the_proof_says_nothing_about_the_delivery(
    model: RuntimeModel, inference: Inference
) -> None:
    inference.answer = hang
    with pytest.raises(RemoteUnavailableError, match="examples cannot be run"):
        accept(model)


def test_a_delivery_without_the_format_is_left_to_other_backends(
    path: Path, inference: Inference
) -> None:
    deliveries = {path.name: open_delivery(path)}
    remote = OpenInferenceBackend(
        "other", deliveries.__getitem__, InferenceClient(inference.url, 0.3)
    )
    with pytest.raises(LoadError, match="no artifact of format other") as caught:
        remote.load_by_id(path.name)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE


def test_an_app_serves_from_it_and_tries_the_next_model_when_it_fails(
    make_app: MakeApp, tiny_delivery: Build, inference: Inference
) -> None:
    better, worse = (
        tiny_delivery(samples=SAMPLES, skill=skill, skill_interval=(skill, skill))
        for skill in (0.5, 0.1)
    )
    inference.models = {better.name, worse.name}
    app = make_app(inference_url=inference.url, inference_seconds=0.3)
    asked = {"area": "EWR", "reference_time": "2013-06-20T12:00Z"}
    asked["observations"] = {"temperature": [20.0] * SAMPLES}  # type: ignore[assignment]
    answer = app.test_client().post("/weather/predict", json=asked).json
    assert answer is not None
    assert answer["receipt"]["delivery_id"] == better.name
    assert answer["receipt"]["runtime"].startswith("open-inference-protocol 2 at http")

    calls: list[int] = []

    def fail_first(request: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            fail(request)  # type: ignore[arg-type]
        else:
            inference.answer = None
            request.tell(  # type: ignore[attr-defined]
                200,
                '{"outputs": [{"name": "temperature_forecast", "datatype": "FP32", '
                f'"shape": [1, {SAMPLES}], "data": {[20.0] * SAMPLES}}}]}}',
            )

    inference.answer = fail_first
    answer = app.test_client().post("/weather/predict", json=asked).json
    assert answer is not None
    assert answer["receipt"]["delivery_id"] == worse.name
    assert answer["receipt"]["refused"][0]["code"] == "runtime-unavailable"


def test_an_app_whose_server_is_away_is_up_and_says_why_it_is_not_ready(
    make_app: MakeApp, path: Path
) -> None:
    assert path.exists()
    client = make_app(inference_url="http://127.0.0.1:9", inference_seconds=0.3).test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    told = answer.get_data(as_text=True)
    server = "the inference server http://127.0.0.1:9 cannot be reached: Connection refused"
    assert f"{path.name} cannot be tried: {server}; FAIRWEATHER_INFERENCE_URL names it" in told
    assert "copied" not in told
    (model,) = client.get("/models").json["models"]  # type: ignore[index]
    assert model["reason"].startswith(server)
    assert model["reason"].endswith("it is tried again at every store scan")
