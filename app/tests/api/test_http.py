"""The HTTP interface: forecasts and problems, and everything a client can get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]


# ----------------------------------------------------------------------------------- predict


def test_a_forecast_has_exactly_the_shape_that_people_rely_on(
    serving: FlaskClient, day: list[float]
) -> None:
    answer = serving.get("/weather/predict?area=JFK")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    content = answer.json
    assert content is not None
    assert set(content) == {"area", "reference_time", "timezone", "forecast", "receipt"}
    assert content["area"] == "JFK"
    assert content["reference_time"] == "2013-06-20T12:00:00Z"
    assert content["timezone"] == "America/New_York"
    assert set(content["forecast"]) == {"time", "temperature"}
    assert content["forecast"]["time"][0] == "2013-06-20T13:00:00Z"
    assert content["forecast"]["temperature"] == {"unit": "degC", "value": day}
    assert set(content["receipt"]) == {
        "delivery_id",
        "digest",
        "model_type",
        "schema_version",
        "topic",
        "author",
        "train_end_time",
        "runtime",
        "skill",
        "synthetic",
        "signed_by",
        "inputs",
        "refused",
        "refused_counts",
    }
    assert content["receipt"]["train_end_time"] == "2013-12-31T00:00:00Z"
    assert content["receipt"]["inputs"] == {
        "temperature": {
            "variable": "temperature",
            "observed_until": "2013-06-20T12:00:00Z",
            "age": "PT0S",
            "missing": 0.0,
        }
    }


def test_a_post_with_observations_gives_the_same_shape(
    serving: FlaskClient, day: list[float]
) -> None:
    body = {
        "area": "JFK",
        "reference_time": "2013-06-21T00:00Z",
        "observations": {"temperature": [value + 1 for value in day]},
    }
    answer = serving.post("/weather/predict", json=body)
    assert answer.status_code == 200
    content = answer.json
    assert content is not None
    assert content["reference_time"] == "2013-06-21T00:00:00Z"
    assert content["forecast"]["temperature"]["value"][0] == day[0] + 1
    assert set(content["forecast"]) == {"time", "temperature"}


def test_a_post_without_observations_asks_the_app_s_own(
    serving: FlaskClient, day: list[float]
) -> None:
    answer = serving.post("/weather/predict", json={"area": "JFK", "variables": ["temperature"]})
    assert answer.json is not None
    assert answer.json["forecast"]["temperature"]["value"] == day


def test_whole_numbers_and_null_are_values(serving: FlaskClient) -> None:
    body = {"area": "JFK", "observations": {"temperature": [1] * 23 + [None]}}
    problem = the_problem(serving.post("/weather/predict", json=body), 422, "no-applicable-model")
    assert problem["refused"][0]["code"] == "observations-missing"
    body = {"area": "JFK", "observations": {"temperature": [1] * 24}}
    assert serving.post("/weather/predict", json=body).status_code == 200


def test_an_area_nobody_knows_is_404_with_the_areas_there_are(serving: FlaskClient) -> None:
    problem = the_problem(serving.get("/weather/predict?area=Atlantis"), 404, "unknown-area")
    assert {"EWR", "JFK", "LGA", "Jerusalem"} <= set(problem["areas"])
    assert "refused" not in problem


def test_a_known_area_that_no_model_declares_is_422_with_a_refusal_for_each(
    serving: FlaskClient,
) -> None:
    problem = the_problem(serving.get("/weather/predict?area=LGA"), 422, "no-applicable-model")
    assert [each["code"] for each in problem["refused"]] == ["area-not-declared"]
    assert problem["refused_counts"] == {"area-not-declared": 1}
    assert set(problem["refused"][0]) == {"delivery_id", "model_type", "code", "reason"}


def test_an_answer_lists_twenty_refusals_at_most_and_counts_all(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    for _ in range(22):
        tiny_delivery(areas=("EWR",))
    client = make_app().test_client()
    problem = the_problem(client.get("/weather/predict?area=LGA"), 422, "no-applicable-model")
    assert len(problem["refused"]) == 20
    assert problem["refused_counts"] == {"area-not-declared": 22}


def test_missing_observations_are_503_saying_from_when_to_when(serving: FlaskClient) -> None:
    answer = serving.get("/weather/predict?area=JFK&reference_time=2013-06-21T00:00Z")
    problem = the_problem(answer, 503, "observations-missing")
    assert "missing from 2013-06-20T12:00Z to 2013-06-21T00:00Z" in problem["detail"]
    assert problem["refused_counts"] == {"observations-missing": 1}


def test_an_observation_database_that_fails_is_503_and_keeps_its_address(
    make_app: MakeApp, tiny_delivery: Build, tmp_path: Path
) -> None:
    tiny_delivery()
    file = tmp_path / "broken.sqlite"
    file.write_bytes(b"this is no database" * 100)
    client = make_app(observations=f"sqlite:///{file}").test_client()
    for address in ("/weather/predict?area=EWR", "/areas"):
        problem = the_problem(client.get(address), 503, "observations-unavailable")
        assert str(tmp_path) not in json.dumps(problem)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "area: Field required"),
        ("area=", "area: "),
        ("area=JFK&reference_time=yesterday", "reference_time: 'yesterday' is not an ISO-8601"),
        ("area=JFK&reference_time=2013-06-20T12:00", "is not an ISO-8601 time with a zone"),
        ("area=JFK&reference_time=2013-06-20T12:00+02:00", "write '+' as %2B"),
        ("area=JFK&reference_time=", "reference_time: "),
        ("area=JFK&reference_time=0001-01-01T00:00Z", "out of reach"),
        ("area=JFK&reference_time=9999-12-31T23:59Z", "out of reach"),
        ("area=JFK&aera=LGA", "aera: not a parameter; expected area, variable, reference_time"),
        ("area=JFK&area=LGA", "area: given more than once"),
        ("area=JFK&variable=", "variables.0: "),
        ("area=JFK%00", "area: "),
        ("area=" + "J" * 300, "area: "),
    ],
)
def test_a_query_that_is_wrong_is_400_with_every_problem(
    serving: FlaskClient, query: str, told: str
) -> None:
    problem = the_problem(serving.get(f"/weather/predict?{query}"), 400, "invalid-request")
    assert any(told in each for each in problem["problems"])


def test_an_unknown_variable_is_declared_by_nobody(serving: FlaskClient) -> None:
    answer = serving.get("/weather/predict?area=JFK&variable=moonlight")
    problem = the_problem(answer, 422, "no-applicable-model")
    assert problem["refused_counts"] == {"variable-not-declared": 1}


VALUES = ", ".join(["1"] * 23)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("", 400, "EOF"),
        ("not json", 400, "Invalid JSON"),
        ("{'area': 'JFK'}", 400, "Invalid JSON"),
        ('{"area": "JFK"', 400, "Invalid JSON"),
        ('{"area": "\udcff"}', 400, "Invalid JSON"),
        ("[]", 422, "object"),
        ("{}", 422, "area: Field required"),
        ('{"area": 7}', 422, "area: Input should be a valid string"),
        ('{"area": ""}', 422, "area: "),
        ('{"area": "JFK", "aera": 1}', 422, "aera: "),
        ('{"area": "JFK", "reference_time": 0}', 422, "reference_time: 0 is not a time"),
        ('{"area": "JFK", "reference_time": "0"}', 422, "reference_time: '0' is not an ISO"),
        ('{"area": "JFK", "reference_time": "2013-06-20T12:00"}', 422, "with a zone"),
        ('{"area": "JFK", "variables": []}', 422, "variables: "),
        ('{"area": "JFK", "variables": "temperature"}', 422, "variables: "),
        ('{"area": "JFK", "observations": []}', 422, "observations: "),
        ('{"area": "JFK", "observations": {"temperature": "warm"}}', 422, "observations.temp"),
        ('{"area": "JFK", "observations": {"temperature": ["1"]}}', 422, "temperature.0: "),
        ('{"area": "JFK", "observations": {"temperature": [true]}}', 422, "temperature.0: "),
        (
            f'{{"area": "JFK", "observations": {{"temperature": [{VALUES}, NaN]}}}}',
            422,
            "temperature.23: Input should be a finite number",
        ),
        (
            f'{{"area": "JFK", "observations": {{"temperature": [{VALUES}, 1e400]}}}}',
            422,
            "finite number",
        ),
        (
            f'{{"area": "JFK", "observations": {{"temperature": [{VALUES}]}}}}',
            422,
            "observations.temperature: found 23 values; expected 24",
        ),
        (
            f'{{"area": "JFK", "observations": {{"temperature": [{VALUES}, 1e39]}}}}',
            422,
            "possible is -80 to 60",
        ),
        ('{"area": "JFK", "observations": {"warmth": [1]}}', 422, "expected temperature"),
    ],
)
def test_a_body_that_is_wrong_is_told_with_every_problem(
    serving: FlaskClient, body: str, status: int, told: str
) -> None:
    answer = serving.post(
        "/weather/predict",
        data=body.encode(errors="surrogateescape"),
        content_type="application/json",
    )
    problem = the_problem(answer, status, "invalid-request")
    assert any(told in each for each in problem["problems"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"area": "JFK", "area": "EWR"}', "'area': given more than once"),
        ('{"area": "JFK", "area": "JFK"}', "'area': given more than once"),
        ('{"area": "JFK", "\\u0061rea": "EWR"}', "'area': given more than once"),
        ('{"area": "JFK", "\\ud800": 1, "\\ud800": 1}', "given more than once"),
        (f'{{"area": "JFK", "area": {"9" * 5000}}}', "'area': given more than once"),
        (
            '{"area": "JFK", "observations": {"temperature": [1], "temperature": [2]}}',
            "'temperature': given more than once",
        ),
    ],
)
def test_a_body_that_gives_a_key_twice_is_400(serving: FlaskClient, body: str, told: str) -> None:
    answer = serving.post("/weather/predict", data=body, content_type="application/json")
    problem = the_problem(answer, 400, "invalid-request")
    assert any(told in each for each in problem["problems"])


def test_a_body_that_is_nested_too_deep_is_400(serving: FlaskClient) -> None:
    body = "[" * 100_000 + "]" * 100_000
    answer = serving.post("/weather/predict", data=body, content_type="application/json")
    the_problem(answer, 400, "invalid-request")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_kind_is_415(serving: FlaskClient, kind: str | None) -> None:
    answer = serving.post("/weather/predict", data=b'{"area": "JFK"}', content_type=kind)
    problem = the_problem(answer, 415, "unsupported-media-type")
    assert "application/json" in problem["detail"]


def test_a_charset_in_the_content_type_is_no_fault(serving: FlaskClient) -> None:
    answer = serving.post(
        "/weather/predict",
        data=b'{"area": "JFK"}',
        content_type="application/json; charset=utf-8",
    )
    assert answer.status_code == 200


def test_a_body_over_the_limit_is_413(make_app: MakeApp) -> None:
    client = make_app(body_limit=1024).test_client()
    body = b'{"area": "' + b"J" * 2000 + b'"}'
    answer = client.post("/weather/predict", data=body, content_type="application/json")
    the_problem(answer, 413, "body-too-large")


# ---------------------------------------------------------------------------------- problems


def test_nothing_at_an_address_is_a_problem(serving: FlaskClient) -> None:
    the_problem(serving.get("/nowhere"), 404, "not-found")


def test_another_method_is_a_problem_that_says_which_are_taken(serving: FlaskClient) -> None:
    answer = serving.delete("/weather/predict")
    the_problem(answer, 405, "method-not-allowed")
    assert set(answer.allow) >= {"GET", "POST"}


def test_a_failure_of_the_app_is_a_problem_without_a_stack_trace_and_is_logged(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_arguments: object, **_more: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("fairweather_app.forecasting.forecaster.Forecaster.decide", explode)
    answer = serving.get("/weather/predict?area=JFK")
    problem = the_problem(answer, 500, "internal-error")
    assert "secret" not in json.dumps(problem)
    assert "ZeroDivisionError" in caplog.text
