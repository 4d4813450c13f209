"""A delivery that holds on its examples and goes wrong later: no part of the app is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

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
