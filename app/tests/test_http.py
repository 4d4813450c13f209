"""The HTTP interface: shapes, codes, and everything a client can get wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.software import read_software
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fairweather_app import create_app
from fairweather_app.api.problems import CODES
from fairweather_app.app_context import AppContext
from fairweather_app.software import NEWEST_SCHEMA

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]


def the_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    content: dict[str, Any] = json.loads(answer.data)
    assert content["type"] == f"/problems/{code}"
    assert content["title"] == CODES[code]
    assert content["status"] == status
    assert content["detail"]
    assert "Traceback" not in answer.text
    return content


@pytest.fixture
def serving(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> FlaskClient:
    """An app with a live model for EWR and JFK, and observations of LGA too."""
    tiny_delivery(areas=("EWR", "JFK"))
    for area in ("EWR", "JFK", "LGA"):
        observe(area, day)
    return make_app().test_client()


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
        "refused",
        "refused_counts",
    }
    assert content["receipt"]["train_end_time"] == "2013-12-31T00:00:00Z"


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


# -------------------------------------------------------------------------- areas and models


def test_areas_are_listed_with_what_there_is_for_them(serving: FlaskClient) -> None:
    content = serving.get("/areas").json
    assert content is not None
    areas = {each["area"]: each for each in content["areas"]}
    assert areas["JFK"] == {
        "area": "JFK",
        "latitude": 40.6398,
        "longitude": -73.7789,
        "timezone": "America/New_York",
        "models": 1,
        "variables": ["temperature"],
        "latest_observation": "2013-06-20T12:00:00Z",
    }
    assert areas["LGA"]["models"] == 0


def test_models_lists_every_delivery_whatever_its_state(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    def from_the_future(document: dict[str, Any]) -> None:
        document.update(schema_version="1.0", min_reader="1.0")

    good, bad = tiny_delivery(), tiny_delivery(model=b"no")
    new = tiny_delivery(change=from_the_future)
    content = make_app().test_client().get("/models").json
    assert content is not None
    assert content["store"]["problem"] is None
    states = {each["delivery_id"]: (each["state"], each["code"]) for each in content["models"]}
    assert states == {
        good.name: ("live", None),
        bad.name: ("quarantined", "corrupt"),
        new.name: ("refused", "schema-too-new"),
    }
    future = next(each for each in content["models"] if each["delivery_id"] == new.name)
    assert "1.0" in future["reason"]
    assert NEWEST_SCHEMA in future["reason"]


def test_one_model_is_shown_with_its_metadata_as_delivered(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    def with_a_new_field(document: dict[str, Any]) -> None:
        document.update(schema_version="0.99", min_reader="0.1", colour="green")

    path = tiny_delivery(change=with_a_new_field)
    client = make_app().test_client()
    content = client.get(f"/models/{path.name}").json
    assert content is not None
    assert content["metadata"] == json.loads((path / "metadata.json").read_text())
    assert content["unknown_fields"] == ["colour"]
    assert content["schema_version"] == "0.99"
    card = client.get(content["card"])
    assert card.status_code == 200
    assert b"A tiny model" in card.data


def test_an_unknown_delivery_is_404(serving: FlaskClient) -> None:
    for address in ("/models/nothing", "/models/nothing/card/"):
        the_problem(serving.get(address), 404, "unknown-delivery")


def test_a_delivery_that_cannot_be_read_is_shown_without_metadata_and_card(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    (path / "model.onnx").write_bytes(b"flipped")
    client = make_app().test_client()
    content = client.get(f"/models/{path.name}").json
    assert content is not None
    assert (content["metadata"], content["card"], content["model_type"]) == (None, None, None)
    the_problem(client.get(f"/models/{path.name}/card/"), 404, "not-found")


# -------------------------------------------------------------------------------------- card


def test_a_card_is_served_in_a_sandbox(serving: FlaskClient, store: Path) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card/")
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert serving.get(f"/models/{path.name}/card/index.html").data == answer.data


def test_a_card_address_without_its_slash_leads_to_it(serving: FlaskClient, store: Path) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card")
    assert answer.status_code == 308
    assert answer.location.endswith(f"/models/{path.name}/card/")


@pytest.mark.parametrize(
    "name",
    [
        "../metadata.json",
        "..%2fmetadata.json",
        "%2e%2e/metadata.json",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "index.html/",
        ".",
        "nothing.png",
        "index.html%00.png",
        "..\\metadata.json",
    ],
)
def test_nothing_but_the_files_of_the_card_can_be_had(
    serving: FlaskClient, store: Path, name: str
) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card/{name}")
    assert answer.status_code in {308, 404}
    assert b"schema_version" not in answer.data


def test_a_copy_that_was_deleted_is_no_500(
    serving: FlaskClient, store: Path, settings: dict[str, Any]
) -> None:
    (path,) = store.iterdir()
    (copy,) = settings["cache"].rglob("index.html")
    copy.unlink()
    the_problem(serving.get(f"/models/{path.name}/card/"), 404, "not-found")


# -------------------------------------------------------------------------------- operations


def test_software_is_a_software_manifest_of_the_contract(serving: FlaskClient) -> None:
    software = read_software(serving.get("/software").data)
    assert software.name == "fairweather-app"
    schemas = software.readable_schemas
    assert (schemas.oldest, schemas.newest) == ("0.1", NEWEST_SCHEMA)
    assert [runtime.name for runtime in software.runtimes] == ["onnxruntime"]
    assert set(software.roles) == {"observations", "reference_time", "area_index"}
    assert software.variables["temperature"] == "degC"


def test_the_process_is_healthy_before_it_is_ready(make_app: MakeApp, tiny_delivery: Build) -> None:
    app = make_app()
    client = app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    problem = the_problem(client.get("/readyz"), 503, "not-ready")
    assert "none of 0 deliveries is live" in problem["detail"]
    tiny_delivery()
    context: AppContext = app.extensions["fairweather"]
    context.catalogue.refresh()
    content = client.get("/readyz").json
    assert content is not None
    assert (content["status"], content["live"], content["store"]["problem"]) == ("ready", 1, None)


def test_a_store_problem_is_told_while_what_is_live_answers(
    serving: FlaskClient, store: Path
) -> None:
    store.rename(store.with_name("aside"))
    context: AppContext = serving.application.extensions["fairweather"]
    context.catalogue.refresh()
    content = serving.get("/readyz").json
    assert content is not None
    assert str(store) in content["store"]["problem"]
    assert serving.get("/weather/predict?area=JFK").status_code == 200


def test_an_app_without_a_store_is_not_ready_and_says_why(make_app: MakeApp, store: Path) -> None:
    store.rmdir()
    problem = the_problem(make_app().test_client().get("/readyz"), 503, "not-ready")
    assert str(store) in problem["detail"]


def test_a_forecast_is_not_ready_before_the_first_look_at_the_store(
    settings: dict[str, Any], tiny_delivery: Build
) -> None:
    tiny_delivery()
    client = create_app(settings).test_client()
    for answer in (
        client.get("/weather/predict?area=EWR"),
        client.post("/weather/predict", json={"area": "EWR"}),
    ):
        problem = the_problem(answer, 503, "not-ready")
        assert problem["detail"] == "the store has not been looked at yet"


def test_a_forecast_is_not_ready_while_the_store_cannot_be_read_and_nothing_is_live(
    make_app: MakeApp, store: Path
) -> None:
    store.rmdir()
    answer = make_app().test_client().get("/weather/predict?area=EWR")
    assert str(store) in the_problem(answer, 503, "not-ready")["detail"]


def test_a_forecast_is_not_ready_while_the_cache_fails_and_nothing_is_live(
    make_app: MakeApp, tiny_delivery: Build, settings: dict[str, Any]
) -> None:
    app = make_app()
    shutil.rmtree(settings["cache"])
    settings["cache"].write_text("a file where a folder should be")
    path = tiny_delivery()
    app.extensions["fairweather"].catalogue.refresh()
    client = app.test_client()
    problem = the_problem(client.get("/weather/predict?area=EWR"), 503, "not-ready")
    assert path.name in problem["detail"]
    content = client.get(f"/models/{path.name}").json
    assert content is not None
    assert (content["state"], content["code"]) == ("quarantined", "runtime-unavailable")


def test_out_of_season_is_422_although_observations_are_missing_too(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(valid_months=[1])
    observe("EWR", day[:12])
    answer = make_app().test_client().get("/weather/predict?area=EWR")
    problem = the_problem(answer, 422, "no-applicable-model")
    assert problem["refused_counts"] == {"out-of-season": 1}


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

    monkeypatch.setattr("fairweather_app.api.routes.forecast", explode)
    answer = serving.get("/weather/predict?area=JFK")
    problem = the_problem(answer, 500, "internal-error")
    assert "secret" not in json.dumps(problem)
    assert "ZeroDivisionError" in caplog.text
