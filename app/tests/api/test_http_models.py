"""The HTTP interface: areas, deliveries and their cards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.models_backend.software import NEWEST_SCHEMA

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]


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
        document.update(schema_version="2.0", min_reader="2.0")

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
    assert "2.0" in future["reason"]
    assert NEWEST_SCHEMA in future["reason"]


def test_one_model_is_shown_with_its_metadata_as_delivered(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    def with_a_new_field(document: dict[str, Any]) -> None:
        document.update(schema_version="1.99", min_reader="1.0", colour="green")

    path = tiny_delivery(change=with_a_new_field)
    client = make_app().test_client()
    content = client.get(f"/models/{path.name}").json
    assert content is not None
    assert content["metadata"] == json.loads((path / "metadata.json").read_text())
    assert content["unknown_fields"] == ["colour"]
    assert content["schema_version"] == "1.99"
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
