from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.names import parse_name
from fairweather_interface.software import read_software
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from fairweather_app.api.problems import PROBLEMS
from fairweather_app.api.schemas import MOST_LISTED, NAME, WHOLE_SECONDS, ModelsQuery
from fairweather_app.common.times import parse_time


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    return found


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


FILES = {
    "/page/{name}": "files of the pages",
    "/docs/{name}": "files of the pages",
    "/models/{delivery_id}/card/{name}": "files of cards; OpenAPI has no name with slashes",
}


def test_every_address_is_in_the_document_and_nothing_else(
    app: Flask, document: dict[str, Any]
) -> None:
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    assert routed - documented == {(path, "get") for path in FILES}
    assert documented <= routed


def test_every_address_takes_what_the_document_says_of_all(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert {"HEAD", "OPTIONS"} <= (rule.methods or set()) or "POST" in (rule.methods or set())


def test_every_problem_is_in_the_document_with_each_of_its_statuses(
    document: dict[str, Any],
) -> None:
    shown: dict[str, set[int]] = {}
    for _, response in problems(document):
        for code, example in response["content"]["application/problem+json"]["examples"].items():
            assert example["value"]["type"] == f"/problems/{code}"
            shown.setdefault(code, set()).add(example["value"]["status"])
    assert {code: tuple(sorted(found)) for code, found in shown.items()} == {
        each.code: each.statuses for each in PROBLEMS.values()
    }


def test_a_problem_is_shown_where_its_status_is(document: dict[str, Any]) -> None:
    for status, response in problems(document):
        examples = response["content"]["application/problem+json"]["examples"].values()
        assert {each["value"]["status"] for each in examples} <= {status, 404, 405}
        if status:
            assert {each["value"]["status"] for each in examples} == {status}


def test_every_answer_in_json_has_an_example_that_its_schema_allows(
    document: dict[str, Any],
) -> None:
    checked = 0
    for path, _, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for holder in [*bodies, *operation["responses"].values()]:
            for kind, content in holder.get("content", {}).items():
                if "json" not in kind:
                    continue
                assert content["examples"], path
                for example in content["examples"].values():
                    check(example["value"], content["schema"], document)
                    checked += 1
    assert checked > 40


def test_every_parameter_says_what_it_is_and_its_example_is_one(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        for parameter in operation["parameters"]:
            assert parameter["description"], (path, parameter["name"])
            assert "example" in parameter, (path, parameter["name"])
            check(parameter["example"], parameter["schema"], document)


def test_the_examples_of_documents_are_such_documents(document: dict[str, Any]) -> None:
    def example(path: str) -> Any:
        answer = document["paths"][path]["get"]["responses"]["200"]
        return answer["content"]["application/json"]["examples"]["example"]["value"]

    assert read_software(json.dumps(example("/software"))).name == "fairweather-app"
    validate(example("/openapi.json"))


def test_links_lead_to_operations_and_their_parameters(document: dict[str, Any]) -> None:
    by_id = {operation["operationId"]: operation for _, _, operation in operations(document)}
    found = 0
    for operation in by_id.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                taken = {each["name"] for each in by_id[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= taken
                found += 1
    assert found


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
        "/models/{delivery_id}/card/": f"/models/{path.name}/card/",
    }
    for template, item in document["paths"].items():
        answer = client.get(addresses.get(template, template))
        assert answer.status_code == 200
        told = item["get"]["responses"]["200"]
        check_headers(answer, told, document)
        assert answer.mimetype in told["content"]
        if answer.is_json:
            check(answer.json, told["content"]["application/json"]["schema"], document)
    refused = client.get("/weather/predict?area=LGA")
    told = document["paths"]["/weather/predict"]["get"]["responses"]["422"]
    check_headers(refused, told, document)
    check(refused.json, told["content"]["application/problem+json"]["schema"], document)


def test_the_document_asks_for_a_time_as_a_time(document: dict[str, Any]) -> None:
    request = document["components"]["schemas"]["PredictRequest"]
    assert request["additionalProperties"] is False
    assert {"type": "string", "format": "date-time"} in [
        {key: each[key] for key in ("type", "format") if key in each}
        for each in request["properties"]["reference_time"]["anyOf"]
    ]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def problems(document: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every answer that is a problem, with its status; 0 where it is of no operation."""
    for response in document["components"]["responses"].values():
        yield 0, response
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if "application/problem+json" in response.get("content", {}):
                yield int(status), response


def check_headers(answer: TestResponse, told: dict[str, Any], document: dict[str, Any]) -> None:
    for name, reference in told["headers"].items():
        header = document["components"]["headers"][reference["$ref"].rpartition("/")[2]]
        assert name in answer.headers or not header.get("required")
        if name in answer.headers:
            check(answer.headers[name], header["schema"], document)


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
    assert told["state"]["enum"] == ["live", "refused", "quarantined", "withdrawn"]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2013-12-20T00:00:00Z", True),
        ("2013-12-20T00:00:00.000+05:30", True),
        ("1900-01-01T00:00:00Z", True),
        ("2013-12-20T00:00:00.5Z", False),
        ("1899-12-31T23:59:59Z", False),
        ("2201-01-01T00:00:00Z", False),
    ],
)
def test_the_pattern_of_times_says_what_is_taken(text: str, taken: bool) -> None:  # noqa: FBT001
    assert bool(re.search(WHOLE_SECONDS, text)) is taken
    try:
        parse_time(text)
    except ValueError:
        assert not taken
    else:
        assert taken


@given(st.text(st.characters(codec="latin-1"), min_size=1, max_size=8))
def test_the_pattern_of_names_says_what_is_taken(text: str) -> None:
    seen = "".join(" " if sign.isspace() else sign for sign in text)  # white space of any kind
    taken = bool(re.fullmatch(NAME, seen))
    try:
        parse_name(text)
    except ValueError:
        assert not taken
    else:
        assert taken
