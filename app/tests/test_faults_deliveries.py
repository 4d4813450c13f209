"""A delivery that holds on its examples and goes wrong later: no part of the app is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import onnx_models as write
from answers import the_problem

Build = Callable[..., Path]
Observe = Callable[..., None]

JFK = "/weather/predict?area=JFK"


@pytest.fixture
def handing_on_gaps(
    make_app: Callable[..., Flask], tiny_delivery: Build, observe: Observe, day: list[float]
) -> tuple[FlaskClient, str, str]:
    """Two deliveries for JFK; the one that forecasts more hands gaps on, as NaN in its forecast."""
    both = ("temperature", "humidity")
    better = tiny_delivery(areas=("JFK",), variables=both, max_missing=0.5).name
    other = tiny_delivery(areas=("JFK",), variables=("humidity",)).name
    observe("JFK", day)
    observe("JFK", [50.0] * 24, variable="humidity")
    return make_app().test_client(), better, other


def test_a_model_that_gives_nan_for_some_windows_is_passed_over_for_these_alone(
    handing_on_gaps: tuple[FlaskClient, str, str], day: list[float]
) -> None:
    client, better, other = handing_on_gaps
    answers = []
    for window in (day, [None, *day[1:]], day):
        body = {
            "area": "JFK",
            "reference_time": "2013-06-20T12:00Z",
            "observations": {"temperature": window},
        }
        answer = client.post("/weather/predict", json=body)
        assert answer.json is not None
        answers.append(answer.json["receipt"])
    assert [each["delivery_id"] for each in answers] == [better, other, better]
    (refused,) = answers[1]["refused"]
    assert (refused["delivery_id"], refused["code"]) == (better, "invalid-output")
    assert "no number" in refused["reason"]


def test_a_forecast_with_nan_is_never_answered_when_there_is_no_other_model(
    handing_on_gaps: tuple[FlaskClient, str, str], day: list[float]
) -> None:
    client, _, _ = handing_on_gaps
    body = {
        "area": "JFK",
        "variables": ["temperature"],
        "reference_time": "2013-06-20T12:00Z",
        "observations": {"temperature": [None, *day[1:]]},
    }
    problem = the_problem(client.post("/weather/predict", json=body), 422, "no-applicable-model")
    assert problem["refused_counts"] == {"invalid-output": 1, "variable-not-declared": 1}


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("short", "invalid-output", "came out as float32 (1, 5), expected float32 (1, 24)"),
        ("long", "invalid-output", "came out as float32 (1, 48), expected float32 (1, 24)"),
        ("hungry", "invalid-output", "is smaller than requested bytes of 4294967"),
        ("endless", "timed-out", "did not answer within 0.5 s"),
    ],
)
def test_one_that_is_like_its_examples_alone_leaves_the_answer_to_the_next_model(
    make_app: Callable[..., Flask], tiny_delivery: Build, kind: str, code: str, told: str
) -> None:
    sound = tiny_delivery(areas=("JFK",)).name
    bad = tiny_delivery(
        areas=("JFK",), model=write.unlike_its_examples(kind), skill=0.9, skill_interval=(0.8, 0.95)
    ).name
    client = make_app(time_limit=0.5).test_client()
    answers = []
    for degrees in (15.0, 1.0):
        body = {
            "area": "JFK",
            "reference_time": "2013-06-20T12:00Z",
            "observations": {"temperature": [degrees] * 24},
        }
        answer = client.post("/weather/predict", json=body)
        assert answer.json is not None
        assert len(answer.json["forecast"]["temperature"]["value"]) == 24
        answers.append(answer.json["receipt"])
    assert [each["delivery_id"] for each in answers] == [bad, sound]
    (refused,) = answers[1]["refused"]
    assert (refused["delivery_id"], refused["code"]) == (bad, code)
    assert told in refused["reason"]
