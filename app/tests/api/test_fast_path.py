"""The fast path of forecasts: a client cannot tell it from the way through Flask."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fairweather_app.api import request_log
from fairweather_app.api.fast_path import FastPath
from fairweather_app.api.request_log import LOGS_REQUESTS
from fairweather_app.forecasting.forecaster import Forecaster
from fairweather_app.models_backend import onnx
from fairweather_app.models_backend.runtime_model import Arrays

PATH = "/weather/predict"
GET = f"{PATH}?area=JFK&reference_time=2013-06-20T12:00Z"
BODY = {"area": "JFK", "reference_time": "2013-06-21T00:00Z"}
GIVEN = {"observations": {"temperature": [4.5] * 24}}


def fast_path(client: FlaskClient) -> FastPath:
    found: Any = client.application.wsgi_app
    assert isinstance(found, FastPath)
    return found


def both_ways(client: FlaskClient, method: str, path: str, **how: Any) -> list[TestResponse]:
    """What is answered on the fast path, and through Flask alone."""
    answers = [client.open(path, method=method, **how)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.application, "wsgi_app", fast_path(client).flask)
        answers.append(client.open(path, method=method, **how))
    return answers


def seen(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """What a client sees, but for the request's id."""
    headers = sorted(each for each in answer.headers.items() if each[0] != "X-Request-ID")
    return answer.status_code, headers, answer.data


@pytest.mark.parametrize(
    ("method", "path", "how"),
    [
        ("GET", GET, {}),
        ("GET", f"{PATH}?area=JFK", {}),
        ("GET", f"{GET}&variable=temperature", {}),
        ("GET", f"{GET}&variable=warmth", {}),
        ("GET", f"{PATH}?area=Atlantis", {}),
        ("GET", f"{PATH}?area=LGA", {}),
        ("GET", PATH, {}),
        ("GET", f"{PATH}?area=JFK&area=EWR&x=1", {}),
        ("GET", f"{PATH}?area=%FF%00", {}),
        ("GET", GET, {"headers": {"If-None-Match": '"another"'}}),
        ("GET", GET, {"headers": {"Origin": "http://elsewhere.example"}}),
        ("GET", GET, {"headers": {"Accept-Encoding": "gzip"}}),
        ("POST", PATH, {"json": BODY, "headers": {"Accept-Encoding": "br"}}),
        ("GET", GET, {"headers": {"Accept-Encoding": "gzip, br"}}),
        ("GET", GET, {"headers": {"Accept-Encoding": "identity"}}),
        ("HEAD", GET, {}),
        ("PUT", PATH, {"json": BODY}),
        ("POST", PATH, {"json": BODY}),
        ("POST", PATH, {"json": BODY | GIVEN}),
        ("POST", PATH, {"json": BODY | {"observations": {"temperature": [4.5] * 23}}}),
        ("POST", PATH, {"json": BODY | {"observations": {"warmth": []}}}),
        ("POST", PATH, {"json": BODY | {"area": 7}}),
        ("POST", PATH, {"data": b"{", "content_type": "application/json"}),
        ("POST", PATH, {"data": b"", "content_type": "application/json"}),
        ("POST", PATH, {"data": b"area=JFK"}),
        ("POST", PATH, {"data": json.dumps(BODY), "content_type": "application/geo+json"}),
        ("POST", PATH, {"data": b" " * 3_000_000, "content_type": "application/json"}),
        ("POST", f"{PATH}/", {"json": BODY}),
        ("GET", "/healthz", {}),
    ],
)
def test_status_headers_and_bytes_are_those_of_flask(
    serving: FlaskClient, method: str, path: str, how: dict[str, Any]
) -> None:
    quick, usual = both_ways(serving, method, path, **how)
    assert seen(quick) == seen(usual)


def test_a_plain_forecast_does_not_reach_flask(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_path(serving), "flask", None)
    assert serving.get(GET).status_code == 200
    assert serving.post(PATH, json=BODY | GIVEN).status_code == 200


def test_the_request_id_is_answered(serving: FlaskClient) -> None:
    given = [each.headers["X-Request-ID"] for each in both_ways(serving, "GET", GET)]
    assert len(set(given)) == 2
    for answer in both_ways(serving, "GET", GET, headers={"X-Request-ID": "mine-1"}):
        assert answer.headers["X-Request-ID"] == "mine-1"


@pytest.mark.parametrize("accepted", ["gzip", "br;q=0.5", "zstd, deflate", "*"])
def test_who_takes_a_compressed_answer_goes_through_flask(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch, accepted: str
) -> None:
    monkeypatch.setattr(fast_path(serving), "flask", Response("from Flask"))
    assert serving.get(GET, headers={"Accept-Encoding": accepted}).text == "from Flask"


@pytest.mark.parametrize(
    ("how", "status", "code", "area"),
    [
        ({"method": "GET", "path": GET}, 200, "", "JFK"),
        ({"method": "GET", "path": f"{PATH}?area=LGA"}, 422, "no-applicable-model", "other"),
        ({"method": "GET", "path": PATH}, 400, "invalid-request", ""),
        ({"method": "POST", "path": PATH, "json": BODY | GIVEN}, 200, "", "JFK"),
        ({"method": "POST", "path": PATH, "json": BODY | {"area": 7}}, 422, "invalid-request", ""),
    ],
)
def test_a_request_is_counted_and_logged_once_whether_it_fails_or_not(
    *,
    serving: FlaskClient,
    counted: Callable[..., float],
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, Any],
    status: int,
    code: str,
    area: str,
) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(request_log, "request_log", lambda _: lambda **line: lines.append(line))
    monkeypatch.setitem(serving.application.config, LOGS_REQUESTS, True)  # noqa: FBT003
    assert serving.open(**how).status_code == status
    labels = {"route": PATH, "status": str(status), "code": code, "area": area}
    assert counted("fairweather_requests_total", **labels) == 1
    assert counted("fairweather_request_seconds_count", stage="total") == 1
    assert [(each["status"], each.get("problem", "")) for each in lines] == [(status, code)]


def test_what_a_failing_model_did_is_counted_as_flask_saw_it(
    serving: FlaskClient, counted: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_session: object, _feeds: object, outputs: list[str]) -> Arrays:
        return {name: np.full((1, 24), np.nan, np.float32) for name in outputs}

    monkeypatch.setattr(onnx._OnnxSession, "run", wrong)
    answer = serving.get(GET)
    assert answer.json is not None
    assert [each["code"] for each in answer.json["refused"]] == ["invalid-output"]
    assert counted("fairweather_predictions_total", outcome="made") == 1
    assert counted("fairweather_refusals_total", code="invalid-output") == 1


def test_an_error_of_our_own_making_is_a_problem_and_stands_in_the_log(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of our own making")

    monkeypatch.setattr(Forecaster, "decide", fail)
    serving.application.config["PROPAGATE_EXCEPTIONS"] = False
    with caplog.at_level(logging.ERROR):
        answer = serving.get(GET, headers={"X-Request-ID": "mine-2"})
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert answer.headers["X-Request-ID"] == "mine-2"
    assert "of our own making" in caplog.text
