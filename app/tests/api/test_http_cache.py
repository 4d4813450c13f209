"""What is kept of answers: true at every moment, counted, and never of a POST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.api.forecast_response import RESPONSES, CachedResponse, ForecastResponses
from fairweather_app.catalogue.entries import Entry
from fairweather_app.common.lru import LruCache
from fairweather_app.errors import LoadError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.models_backend import onnx
from fairweather_app.models_backend.runtime_model import RuntimeModel

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Counted = Callable[..., float]
Counts = Callable[[], tuple[float, float, float]]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
JFK = "/weather/predict?area=JFK"


@pytest.fixture
def context(serving: FlaskClient) -> AppContext:
    found: AppContext = serving.application.extensions["fairweather"]
    return found


def cache(client: FlaskClient) -> LruCache[ForecastRequest, CachedResponse]:
    responses: ForecastResponses = client.application.extensions[RESPONSES]
    return responses.cache


@pytest.fixture
def counts(counted: Counted) -> Counts:
    """Predictions that were made and that were kept, and hits of either memory, in this test."""
    return lambda: (
        counted("fairweather_predictions_total", outcome="made"),
        counted("fairweather_predictions_total", outcome="kept"),
        counted("fairweather_memo_total", outcome="hit"),
    )


def test_the_same_question_is_answered_once_and_then_remembered(
    serving: FlaskClient, counts: Counts
) -> None:
    bodies = {serving.get(JFK).data for _ in range(5)}
    assert len(bodies) == 1
    assert counts() == (1, 0, 4)


def test_an_answer_has_an_etag_and_has_to_be_asked_about_before_it_is_used_again(
    serving: FlaskClient, counted: Counted
) -> None:
    answer = serving.get(JFK)
    assert answer.headers["Cache-Control"] == "no-cache"
    etag = answer.headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = serving.get(JFK, headers={"If-None-Match": known})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == etag
        assert again.headers["Cache-Control"] == "no-cache"
    assert serving.get(JFK, headers={"If-None-Match": '"other"'}).status_code == 200
    labels = {"route": "/weather/predict", "code": "", "area": "JFK"}
    assert counted("fairweather_requests_total", status="304", **labels) == 4


def test_an_observation_that_arrives_changes_the_answer_at_once(
    serving: FlaskClient, observe: Observe, day: list[float]
) -> None:
    before = serving.get(JFK)
    observe("JFK", [20.0])  # a correction of the latest
    after = serving.get(JFK, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json is not None
    assert after.json["forecast"]["temperature"]["value"] == [*day[:-1], 20.0]
    observe("JFK", [21.0], until=NOON + timedelta(hours=1))
    latest = serving.get(JFK)
    assert latest.json is not None
    assert latest.json["reference_time"] == "2013-06-20T13:00:00Z"


def test_an_observation_of_elsewhere_makes_no_new_prediction_and_no_new_etag(
    serving: FlaskClient, counts: Counts, observe: Observe
) -> None:
    before = serving.get(JFK)
    observe("EWR", [20.0])
    assert serving.get(JFK, headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
    assert counts() == (1, 1, 1)  # the hit is the prediction


def test_a_delivery_that_arrives_changes_the_answer_at_once(
    serving: FlaskClient, context: AppContext, tiny_delivery: Build
) -> None:
    first = serving.get(JFK)
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9))
    context.catalogue.refresh()
    second = serving.get(JFK, headers={"If-None-Match": first.headers["ETag"]})
    assert second.json is not None
    assert second.json["receipt"]["delivery_id"] == better.name


def test_a_look_at_the_store_that_finds_nothing_new_forgets_no_answer(
    serving: FlaskClient, context: AppContext, counts: Counts
) -> None:
    serving.get(JFK)
    context.catalogue.refresh()
    serving.get(JFK)
    assert counts() == (1, 0, 1)


def test_an_answer_without_a_better_model_that_cannot_be_opened_now_is_not_remembered(
    serving: FlaskClient,
    context: AppContext,
    tiny_delivery: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9)).name
    context.catalogue.refresh()
    opened = context.catalogue.model

    def fails(entry: Entry) -> RuntimeModel:
        if entry.delivery_id == better:
            raise LoadError(Code.RUNTIME_UNAVAILABLE, "gone")
        return opened(entry)

    with monkeypatch.context() as patch:
        patch.setattr(context.catalogue, "model", fails)
        answer = serving.get(JFK)
        assert answer.json is not None
        assert answer.json["receipt"]["refused_counts"] == {"runtime-unavailable": 1}
    recovered = serving.get(JFK)
    assert recovered.json is not None
    assert recovered.json["receipt"]["delivery_id"] == better


def test_with_the_clock_at_now_an_answer_is_kept_until_the_hour_is_over(
    *,
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    counts: Counts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_delivery(areas=("JFK",))
    observe("JFK", day * 2, until=NOON + timedelta(hours=12))
    app = make_app(clock="now")
    context: AppContext = app.extensions["fairweather"]
    told = []
    for time in (NOON, NOON, NOON + timedelta(hours=1), NOON):  # and then it is set back
        monkeypatch.setitem(context.__dict__, "clock", lambda _area, time=time: time)
        content = app.test_client().get(JFK).json
        told.append((content or {})["reference_time"])
    noon, later = "2013-06-20T12:00:00Z", "2013-06-20T13:00:00Z"
    assert told == [noon, noon, later, noon]
    assert counts() == (2, 0, 2)


def test_every_choice_of_variables_has_its_own_answer(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",), variables=("temperature", "humidity"))
    observe("JFK", day)
    observe("JFK", day, variable="humidity")
    client = make_app().test_client()
    told = [
        set((client.get(JFK + more).json or {})["forecast"])
        for more in ("", "&variable=humidity", "&variable=temperature", "")
    ]
    both = {"time", "temperature", "humidity"}
    assert told == [both, {"time", "humidity"}, {"time", "temperature"}, both]


def test_a_post_never_uses_what_is_remembered(serving: FlaskClient, counts: Counts) -> None:
    serving.get(JFK)
    for _ in range(3):
        answer = serving.post("/weather/predict", json={"area": "JFK"})
        assert answer.status_code == 200
        assert "ETag" not in answer.headers
    assert counts() == (4, 0, 0)


def test_a_post_brings_nothing_into_the_memory(
    serving: FlaskClient, context: AppContext, day: list[float]
) -> None:
    given: dict[str, Any] = {
        "area": "JFK",
        "reference_time": "2013-06-20T12:00Z",
        "observations": {"temperature": [7.0] * 24},
    }
    serving.post("/weather/predict", json=given)
    assert (cache(serving).used, context.forecaster.predictions.used) == (0, 0)
    answer = serving.get(JFK)
    assert answer.json is not None
    assert answer.json["forecast"]["temperature"]["value"] == day


def test_problems_are_not_to_be_kept_by_anybody(serving: FlaskClient) -> None:
    answer = serving.get("/weather/predict?area=LGA")
    the_problem(answer, 422, "no-applicable-model")
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_answer_after_a_failure_of_a_better_model_is_not_remembered(
    serving: FlaskClient,
    context: AppContext,
    tiny_delivery: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9))
    context.catalogue.refresh()
    with context.catalogue.model_cache.in_use(
        context.catalogue.snapshot.entry(better.name)
    ) as leased:
        bad = leased
    run = onnx._OnnxSession.run

    def fails(session: Any, feeds: Any, outputs: Any) -> Any:
        found = run(session, feeds, outputs)
        if session is bad:
            return {name: values * float("nan") for name, values in found.items()}
        return found

    with monkeypatch.context() as patch:
        patch.setattr(onnx._OnnxSession, "run", fails)
        answer = serving.get(JFK)
        assert answer.json is not None
        assert answer.json["receipt"]["refused_counts"] == {"invalid-output": 1}
    recovered = serving.get(JFK)
    assert recovered.json is not None
    assert recovered.json["receipt"]["delivery_id"] == better.name


def test_the_memory_for_answers_is_bounded(
    serving: FlaskClient, observe: Observe, day: list[float]
) -> None:
    observe("JFK", day * 4)
    kept = len(serving.get(JFK).data)
    cache(serving).capacity = 3 * kept
    for hour in range(12):
        time = f"2013-06-20T{hour:02}:00Z"
        assert serving.get(f"{JFK}&reference_time={time}").status_code == 200
    assert 0 < cache(serving).used <= 3 * kept


def test_the_page_uses_the_same_memory(serving: FlaskClient, counts: Counts) -> None:
    serving.get(JFK)
    assert serving.get("/?area=JFK").status_code == 200
    assert counts() == (1, 0, 1)
