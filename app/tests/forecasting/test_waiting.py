"""When a forecast waits for observations: 503 while waiting helps, and 422 where it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PREDICT = "/weather/predict?area=EWR"
AT_NOON = f"{PREDICT}&reference_time=2013-06-20T12:00Z"
THREE_HOURS = 3 * HOUR
GAPS = {"max_missing": 0.5}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """An app whose store is filled before its first request."""
    return make_app().test_client()


def refresh(client: FlaskClient) -> None:
    client.application.extensions["fairweather"].catalogue.refresh()


# ------------------------------------------------------------------------------------ max_age


@pytest.mark.parametrize("age", [0, 3])
def test_a_model_is_asked_while_its_newest_observation_is_as_new_as_it_wants(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, age: int
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    observe("EWR", [1.0] * 24, until=NOON - age * HOUR)
    refresh(client)
    answer = client.get(AT_NOON)
    assert answer.json is not None
    # the identity model hands the gap on, and a forecast with a gap is none
    assert list(answer.json.get("refused_counts", ())) == ["invalid-output"] * bool(age)


@pytest.mark.parametrize("age", [4, 11])
def test_a_model_is_refused_when_its_newest_observation_is_older_than_it_allows(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float], age: int
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    observe("EWR", day, until=NOON - age * HOUR)
    refresh(client)
    answer = client.get(AT_NOON)
    problem = the_problem(answer, 503, "observations-stale")
    reason = f"newest temperature {age} h before the start; the model is fit for 3 h"
    assert reason in problem["detail"]
    assert problem["refused"][0]["code"] == "observations-stale"
    assert problem["refused"][0]["reason"] == reason
    assert answer.headers["Retry-After"] == "3600"


def test_a_gap_too_wide_is_missing_before_it_is_old(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_age=THREE_HOURS, max_missing=0.1)
    observe("EWR", day, until=NOON - 11 * HOUR)
    refresh(client)
    the_problem(client.get(AT_NOON), 503, "observations-missing")


def test_the_next_model_answers_for_one_that_needs_newer_observations(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def of_humidity_too(document: dict[str, Any]) -> None:
        document["inputs"][1]["max_age"] = "PT3H"
        del document["outputs"][1], document["performance"][1]
        del document["tolerance"]["humidity_forecast"]

    both = ("temperature", "humidity")
    best = tiny_delivery(variables=both, skill_interval=(0.8, 0.9), change=of_humidity_too, **GAPS)
    second = tiny_delivery(skill_interval=(0.1, 0.2))
    observe("EWR", day)
    observe("EWR", [50.0] * 24, variable="humidity", until=NOON - 5 * HOUR)
    answer = make_app().test_client().get(PREDICT)
    assert answer.json is not None
    receipt = answer.json["receipt"]
    assert receipt["delivery_id"] == second.name
    assert [(each["delivery_id"], each["code"]) for each in receipt["refused"]] == [
        (best.name, "observations-stale")
    ]


def test_among_models_that_wait_one_with_old_observations_is_the_nearest_to_an_answer(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    tiny_delivery(skill_interval=(0.8, 0.9))
    observe("EWR", day, until=NOON - 5 * HOUR)
    refresh(client)
    problem = the_problem(client.get(AT_NOON), 503, "observations-stale")
    assert problem["refused_counts"] == {"observations-missing": 1, "observations-stale": 1}


# --------------------------------------------------------------------------------- 422 or 503


@pytest.mark.parametrize("address", [PREDICT, AT_NOON])
def test_a_model_of_another_season_does_not_decide_whether_waiting_helps(
    make_app: MakeApp, tiny_delivery: Build, address: str
) -> None:
    tiny_delivery(valid_months=[4, 5, 6, 7, 8, 9], model_type="Summer")
    tiny_delivery(valid_months=[1, 2, 3, 10, 11, 12], model_type="Winter")
    answer = make_app().test_client().get(address)
    problem = the_problem(answer, 503, "observations-missing")
    assert problem["refused_counts"] == {"observations-missing": 1, "out-of-season": 1}
    assert answer.headers["Retry-After"] == "3600"


def test_where_every_model_is_of_another_season_waiting_does_not_help(
    client: FlaskClient, tiny_delivery: Build
) -> None:
    tiny_delivery(valid_months=[1])
    refresh(client)
    the_problem(client.get(AT_NOON), 422, "no-applicable-model")


def test_a_model_that_refuses_the_weather_shows_that_waiting_does_not_help(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(applicability_domain={"temperature": {"maximum": 0.0}})
    tiny_delivery(variables=("humidity",))
    observe("EWR", day)
    refresh(client)
    problem = the_problem(client.get(PREDICT), 422, "no-applicable-model")
    assert problem["refused_counts"] == {"observations-missing": 1, "out-of-domain": 1}


@pytest.mark.parametrize("kind", ["missing", "stale"])
def test_a_past_start_whose_windows_will_not_change_is_422(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float], kind: str
) -> None:
    if kind == "stale":
        tiny_delivery(max_age=THREE_HOURS, **GAPS)
        observe("EWR", day, until=NOON - 5 * HOUR)
    else:
        tiny_delivery()
    refresh(client)
    answer = client.get(AT_NOON)
    the_problem(answer, 503, f"observations-{kind}")
    observe("EWR", day, until=NOON + 48 * HOUR)  # the gap stays
    answer = client.get(AT_NOON)
    problem = the_problem(answer, 422, "no-applicable-model")
    assert problem["refused_counts"] == {f"observations-{kind}": 1}
    assert "Retry-After" not in answer.headers


def test_an_input_that_comes_late_is_waited_for_though_the_others_went_on(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=("temperature", "humidity"))
    observe("EWR", day, until=NOON + HOUR)
    observe("EWR", day, variable="humidity", until=NOON - HOUR)
    refresh(client)
    the_problem(client.get(AT_NOON), 503, "observations-missing")
    observe("EWR", [50.0], variable="humidity", until=NOON + HOUR)
    the_problem(client.get(AT_NOON), 422, "no-applicable-model")


def test_the_clocks_start_is_waited_for_because_it_moves_on(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery()
    observe("EWR", [*day[:12], None, *day[13:]])
    refresh(client)
    the_problem(client.get(PREDICT), 503, "observations-missing")


def test_old_observations_of_the_request_are_not_waited_for(
    client: FlaskClient, tiny_delivery: Build
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    refresh(client)
    body = {"area": "EWR", "observations": {"temperature": [1.0] * 20 + [None] * 4}}
    problem = the_problem(client.post("/weather/predict", json=body), 422, "no-applicable-model")
    assert problem["refused_counts"] == {"observations-stale": 1}


def test_the_next_observation_is_due_after_the_shortest_sample_rate(
    client: FlaskClient, tiny_delivery: Build
) -> None:
    def every_half_hour(document: dict[str, Any]) -> None:
        document["inputs"][0] |= {"period": "PT12H", "sample_rate": "PT30M"}

    tiny_delivery(change=every_half_hour)
    tiny_delivery()
    refresh(client)
    assert client.get(AT_NOON).headers["Retry-After"] == "1800"


# ----------------------------------------------------------------------------------- for people


def test_a_page_that_waits_for_newer_observations_says_so_with_advice(
    client: FlaskClient, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    observe("EWR", day, until=NOON - 5 * HOUR)
    refresh(client)
    answer = client.get("/?area=EWR&reference_time=2013-06-20T12:00Z")
    assert answer.status_code == 503
    for text in (
        "The newest observations for EWR are too old.",
        "Wait for newer observations or import them, or choose an earlier time.",
        "observations import FILE",
        "Newest temperature 5 h before the start; the model is fit for 3 h.",
    ):
        assert text in answer.text


def test_the_command_says_what_helps_where_a_model_waits(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_age=THREE_HOURS, **GAPS)
    observe("EWR", day, until=NOON - 5 * HOUR)
    ask = ["models", "why", "EWR", "--at", "2013-06-20T12:00Z"]
    result = make_app().test_cli_runner().invoke(args=ask)
    assert result.exit_code == 1
    assert "observations-stale" in result.stdout
    assert "`observations status --area EWR` shows the age" in result.stderr
    assert "The newest observations for EWR are too old: newest temperature" in result.stderr
