"""The HTTP interface: the manifest, and whether the app is up and ready."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairweather_interface.software import read_software
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app import create_app
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend.software import NEWEST_SCHEMA

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]


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
    assert content["status"] == "degraded"
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
