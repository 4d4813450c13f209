from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from fairweather_app.api.schemas import MOST_LISTED, ModelsQuery


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    return found


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_every_address_is_in_the_document_and_nothing_else(
    app: Flask, document: dict[str, Any]
) -> None:
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.endpoint.startswith("api.") and method in {"GET", "POST"}
    }
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    undocumented = {("/openapi.json", "get"), ("/models/{delivery_id}/card/{name}", "get")}
    assert routed - documented == undocumented
    assert documented <= routed


def test_the_answers_are_what_the_document_says(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
    document: dict[str, Any],
) -> None:
    bands = (0.1, 0.9)
    path = tiny_delivery(areas=("JFK",), skill=None, skill_interval=None, quantiles=bands)
    tiny_delivery(areas=("JFK",), model=b"no")
    observe("JFK", day)
    client = make_app().test_client()
    addresses = {
        "/weather/predict": "/weather/predict?area=JFK",
        "/models/{delivery_id}": f"/models/{path.name}",
    }
    for template, item in document["paths"].items():
        if "card" in template:
            continue
        answer = client.get(addresses.get(template, template))
        assert answer.status_code == 200
        schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(answer.json, schema, document)
    problem = item_schema(document, "/weather/predict", "422", "application/problem+json")
    check(client.get("/weather/predict?area=LGA").json, problem, document)


def test_the_document_asks_for_a_time_as_a_time(document: dict[str, Any]) -> None:
    request = document["components"]["schemas"]["PredictRequest"]
    assert request["additionalProperties"] is False
    assert {"type": "string", "format": "date-time"} in [
        {key: each[key] for key in ("type", "format") if key in each}
        for each in request["properties"]["reference_time"]["anyOf"]
    ]


def item_schema(document: dict[str, Any], path: str, status: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path]["get"]["responses"][status]["content"][kind]
    schema: dict[str, Any] = found["schema"]
    return schema


def check(content: object, schema: dict[str, Any], document: dict[str, Any]) -> None:
    whole = {"components": document["components"], **schema}
    Draft202012Validator(whole).validate(content)


def test_the_document_tells_what_may_be_asked_of_models(document: dict[str, Any]) -> None:
    told = {
        each["name"]: each["schema"]
        for each in document["paths"]["/models"]["get"]["parameters"]
        if each["in"] == "query" and not each["required"]
    }
    assert set(told) == set(ModelsQuery.model_fields)
    assert told["limit"] == {"type": "integer", "minimum": 1, "maximum": MOST_LISTED}
    assert "superseded" in told["state"]["enum"]
