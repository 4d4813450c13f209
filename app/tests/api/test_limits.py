"""Answers are as long as the app chooses, whatever a client sends."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ValidationError

from answers import the_problem
from fairweather_app.api import requests
from fairweather_app.api.requests import LARGE, MOST_TEXTS
from fairweather_app.api.schemas import LargePredictRequest

MakeApp = Callable[..., Flask]
ADDRESS = "/weather/predict"
LONGEST_ANSWER = 20_000


def wrong(kind: str, count: int) -> str:
    """Write a body with so many faults of one kind."""
    rows = range(count)
    return {
        "values": '{"area":"JFK","observations":{"temperature":[' + ",".join('""' for _ in rows),
        "truths": '{"area":"JFK","observations":{"temperature":[' + ",".join("true" for _ in rows),
        "lists": '{"area":"JFK","observations":{"temperature":[' + ",".join("[]" for _ in rows),
        "variables": '{"area":"JFK","variables":[' + ",".join("1" for _ in rows),
        "names": '{"area":"JFK","observations":{' + ",".join(f'"k{each}":[1]' for each in rows),
        "keys": '{"area":"JFK",' + ",".join(f'"k{each}":1' for each in rows),
        "twice": '{"area":"JFK",' + ",".join(f'"k{each % 99}":1' for each in rows),
        "long": '{"area":"JFK","observations":{' + ",".join(f'"{each:0999}":[1]' for each in rows),
    }[kind] + {"values": "]}}", "truths": "]}}", "lists": "]}}", "variables": "]}"}.get(
        kind, "}" if kind in {"keys", "twice"} else "}}"
    )


@pytest.mark.parametrize("count", [100, 3000, 60_000])
@pytest.mark.parametrize(
    "kind", ["values", "truths", "lists", "variables", "names", "keys", "twice", "long"]
)
def test_an_answer_does_not_grow_with_the_faults_of_a_body(
    serving: FlaskClient, kind: str, count: int
) -> None:
    body = wrong(kind, count if kind != "long" else count // 10)
    answer = serving.post(ADDRESS, data=body, content_type="application/json")
    assert answer.status_code in {400, 422}
    assert len(answer.data) < LONGEST_ANSWER
    problem = the_problem(answer, answer.status_code, "invalid-request")
    assert 1 <= len(problem["problems"]) <= 21


def test_the_first_faults_are_named_and_the_others_counted(serving: FlaskClient) -> None:
    body = wrong("values", 1000)
    problem = the_problem(
        serving.post(ADDRESS, data=body, content_type="application/json"), 422, "invalid-request"
    )
    assert problem["problems"][0] == "observations.temperature.0: Input should be a valid number"
    assert problem["problems"][-1] == "and 980 more"


def test_in_a_large_body_the_collecting_stops_too() -> None:
    for kind in ("truths", "lists", "variables"):
        body = wrong(kind, 100_000)
        assert len(body) > LARGE
        with pytest.raises(ValidationError) as caught:
            LargePredictRequest.model_validate_json(body)
        assert caught.value.error_count() == 1


def test_numbers_in_quotes_are_told_as_such(serving: FlaskClient) -> None:
    answer = serving.post(ADDRESS, data=wrong("values", 60_000), content_type="application/json")
    (problem,) = the_problem(answer, 422, "invalid-request")["problems"]
    assert problem.startswith(f"found 60004 names and texts; expected at most {MOST_TEXTS}")
    assert problem.endswith("numbers are written without quotes")


def test_an_address_with_many_variables_is_refused(serving: FlaskClient) -> None:
    query = "&".join(f"variable=v{each}" for each in range(90))
    answer = serving.get(f"{ADDRESS}?area=JFK&{query}")
    problem = the_problem(answer, 400, "invalid-request")
    assert problem["problems"] == [
        "variables: List should have at most 50 items after validation, not 90"
    ]


@pytest.mark.parametrize("accepted", ["*/*", "text/html", "gzip"])
@pytest.mark.parametrize(
    "path", [ADDRESS, "/", "/models", "/areas", "/coverage", "/page/page.css", "/metrics", "/no"]
)
def test_thousands_of_parameters_are_refused_at_every_address_before_they_are_read(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str, accepted: str
) -> None:
    def read(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("werkzeug.wrappers.request.Request.args", property(read))
    monkeypatch.setattr(requests, "parse_qs", read)
    query = "&".join(f"{each:x}=1" for each in range(3000))
    header = "Accept-Encoding" if accepted == "gzip" else "Accept"
    answer = serving.get(f"{path}?{query}", headers={header: accepted})
    (problem,) = the_problem(answer, 400, "invalid-request")["problems"]
    assert problem == "found more than 100 parameters: ask in several requests"


def test_lists_and_objects_of_a_body_are_counted(serving: FlaskClient) -> None:
    for body in (wrong("lists", 6000), "{1:" * 6000):
        answer = serving.post(ADDRESS, data=body, content_type="application/json")
        (problem,) = the_problem(answer, 400, "invalid-request")["problems"]
        assert problem.endswith(f" lists and objects; expected at most {MOST_TEXTS}")


def test_echoed_names_are_cut(serving: FlaskClient) -> None:
    for path in (
        *(f"{ADDRESS}?area={'x' * 5000}", f"{ADDRESS}?area=JFK&{'x' * 5000}=1"),
        *(f"{ADDRESS}?area=JFK&reference_time={'1' * 5000}", f"/models/{'x' * 5000}"),
        *(f"/models?state={'x' * 5000}", f"/models?{'x' * 5000}=1", f"/{'x' * 5000}"),
        *(f"{ADDRESS}?area=JFK&variable={'x' * 200}", f"/models/{'x' * 5000}/card/"),
    ):
        answer = serving.get(path)
        assert answer.status_code in {400, 404, 422}
        assert len(answer.data) < 2000, path


def test_an_unknown_area_among_thousands_is_a_short_answer(
    tiny_delivery: Callable[..., Path], make_app: MakeApp
) -> None:
    tiny_delivery(areas=tuple(f"Station-{number:04}" for number in range(1000)))
    problem = the_problem(
        make_app().test_client().get(f"{ADDRESS}?area=Nowhere"), 404, "unknown-area"
    )
    assert len(problem["areas"]) == 100
    assert problem["detail"].endswith("more.")
    assert len(json.dumps(problem)) < 4000


# ----------------------------------------------------------------------------- bodies


BODY = b'{"area": "JFK"}'


@pytest.mark.parametrize(
    ("body", "headers", "found", "accepted"),
    [
        (gzip.compress(BODY, mtime=0), {"Content-Encoding": "gzip"}, "gzip", "identity"),
        (gzip.compress(BODY, mtime=0), {}, "gzip", "identity"),
        (BODY, {"Content-Encoding": "br"}, "br", "identity"),
        (b"\x28\xb5\x2f\xfd rest", {}, "zstd", "identity"),
        (BODY.decode().encode("utf-16"), {}, "UTF-16 or UTF-32", None),
        (BODY.decode().encode("utf-16-le"), {}, "UTF-16 or UTF-32", None),
        (BODY.decode().encode("utf-16-be"), {}, "UTF-16 or UTF-32", None),
        (BODY.decode().encode("utf-32"), {}, "UTF-16 or UTF-32", None),
    ],
)
def test_a_body_that_is_no_plain_utf_8_is_named(
    serving: FlaskClient, body: bytes, headers: dict[str, str], found: str, accepted: str | None
) -> None:
    kind = {"Content-Type": "application/json"} | headers
    answer = serving.post(ADDRESS, data=body, headers=kind)
    problem = the_problem(answer, 415, "unsupported-media-type")
    assert f" in {found}; expected " in problem["detail"]
    assert answer.headers.get("Accept-Encoding") == accepted


def test_a_byte_order_mark_of_utf_8_is_passed_over(serving: FlaskClient, day: list[float]) -> None:
    content = {"area": "JFK", "observations": {"temperature": day}}
    body = b"\xef\xbb\xbf" + json.dumps(content).encode()
    assert serving.post(ADDRESS, data=body, content_type="application/json").status_code == 200
    kind = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    assert serving.post(ADDRESS, data=body, headers=kind).status_code == 200


@pytest.mark.parametrize("more", [0, 1, 5000])
def test_a_body_of_unknown_length_is_taken_whole_or_not_at_all(
    make_app: MakeApp, more: int
) -> None:
    client = make_app(body_limit=1024).test_client()
    body = BODY.ljust(1024) + b"x" * more
    answer = client.post(
        ADDRESS,
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert answer.status_code == (413 if more else 422)  # no model is there
