"""What a receipt says of the observations that a forecast was made from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.durations import parse_iso_duration
from flask import Flask

from schemas import SO_FAR

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = ("temperature", "humidity")


def temperature_only(document: dict[str, Any]) -> None:
    """Humidity is an input, and no output: a gap in it makes no gap in the forecast."""
    del document["outputs"][1], document["performance"][1]
    del document["tolerance"]["humidity_forecast"]


def inputs_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["receipt"]["inputs"]
    return found


@pytest.mark.parametrize("schema", SO_FAR)
def test_every_input_of_every_schema_says_how_old_and_how_whole_it_was(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float], schema: str
) -> None:
    tiny_delivery(schema=schema, variables=BOTH, max_missing=0.5, change=temperature_only)
    observe("EWR", day)
    observe("EWR", [50.0] * 19, variable="humidity", until=NOON - 5 * HOUR)
    assert inputs_of(make_app().test_client().get("/weather/predict?area=EWR")) == {
        "temperature": {
            "variable": "temperature",
            "observed_until": "2013-06-20T12:00:00Z",
            "age": "PT0S",
            "missing": 0.0,
        },
        "humidity": {
            "variable": "humidity",
            "observed_until": "2013-06-20T07:00:00Z",
            "age": "PT5H",
            "missing": 5 / 24,
        },
    }


def test_an_input_without_any_value_has_no_age(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=BOTH, max_missing=1.0, change=temperature_only)
    observe("EWR", day)
    found = inputs_of(make_app().test_client().get("/weather/predict?area=EWR"))
    assert found["humidity"] == {
        "variable": "humidity",
        "observed_until": None,
        "age": None,
        "missing": 1.0,
    }


def test_inputs_are_named_as_the_model_names_them(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def of_two_places(document: dict[str, Any]) -> None:
        temperature_only(document)
        document["inputs"][1] |= {"variable": "temperature", "unit": "degC"}
        document["inputs"][1]["areas"] = ["EWR", "JFK"]

    tiny_delivery(variables=BOTH, change=of_two_places)
    observe("EWR", day)
    observe("JFK", day, until=NOON - 30 * HOUR)
    found = inputs_of(make_app().test_client().get("/weather/predict?area=EWR"))
    assert {name: each["variable"] for name, each in found.items()} == {
        "temperature": "temperature",
        "humidity": "temperature",
    }
    assert found["humidity"]["age"] == "PT0S"  # half of its members have a value


@pytest.mark.parametrize(("last", "age"), [(0, "PT0S"), (1, "PT1H"), (11, "PT11H")])
def test_windows_of_a_request_are_as_old_as_their_newest_value(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, last: int, age: str
) -> None:
    tiny_delivery(variables=BOTH, max_missing=0.5, change=temperature_only)
    observe("EWR", [1.0] * 24)
    humidity = [50.0] * (24 - last) + [None] * last
    body = {
        "area": "EWR",
        "reference_time": "2013-06-20T14:00:00+02:00",
        "observations": {"humidity": humidity},
    }
    answer = make_app().test_client().post("/weather/predict", json=body)
    found = inputs_of(answer)["humidity"]
    assert found["age"] == age
    assert datetime.fromisoformat(found["observed_until"]) == NOON - last * HOUR
    assert found["missing"] == pytest.approx(last / 24)
    if last:
        assert parse_iso_duration(found["age"]) == last * HOUR


def test_a_cached_answer_tells_the_age_again_when_an_observation_arrives(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=BOTH, max_missing=0.5, change=temperature_only)
    observe("EWR", day)
    observe("EWR", [50.0] * 19, variable="humidity", until=NOON - 5 * HOUR)
    client = make_app().test_client()
    for _ in range(2):
        answer = client.get("/weather/predict?area=EWR")
        assert inputs_of(answer)["humidity"]["age"] == "PT5H"
    observe("EWR", [50.0] * 2, variable="humidity", until=NOON - HOUR)
    assert inputs_of(client.get("/weather/predict?area=EWR"))["humidity"]["age"] == "PT1H"
