"""Faults of models and of the observation database, each caused."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.delivery import Delivery
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.errors import RETRY_SECONDS
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend import onnx
from fairweather_app.observations import ObservationStore

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
JFK = "/weather/predict?area=JFK"


def context_of(client: FlaskClient) -> AppContext:
    found: AppContext = client.application.extensions["fairweather"]
    return found


def unavailable(client: FlaskClient, address: str = JFK) -> None:
    answer = client.get(address)
    the_problem(answer, 503, "observations-unavailable")
    assert answer.headers["Retry-After"] == str(RETRY_SECONDS)


@pytest.fixture
def jfk(make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]) -> FlaskClient:
    """An app with a model for JFK, in no hurry."""
    tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    return make_app().test_client()


@pytest.fixture
def impatient(jfk: FlaskClient) -> FlaskClient:
    """The same app, which gives up a model after a second."""
    context_of(jfk).forecaster._limit.seconds = 1.0
    return jfk


@contextmanager
def database_given_up_soon(client: FlaskClient) -> Iterator[None]:
    """Inside the block the database has no time; after it, it has all it needs, and no pause."""
    limit = context_of(client).windows._limit
    unhurried, limit.seconds = limit.seconds, 0.2
    yield
    limit.seconds = unhurried
    limit._paused.clear()  # as after so many seconds


# ----------------------------------------------------------------------------------- models


@pytest.fixture
def bad_model(
    impatient: FlaskClient, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Any], Any]], str]:
    """Makes a better model for JFK go wrong: what it finds goes through a function first."""
    context = context_of(impatient)
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9)).name
    context.catalogue.refresh()
    with context.catalogue.model_cache.in_use(context.catalogue.snapshot.entry(better)) as leased:
        bad = leased
    run = onnx._OnnxSession.run

    def go_wrong(how: Callable[[Any], Any]) -> str:
        def wrong(session: Any, feeds: Any, outputs: Any) -> Any:
            found = run(session, feeds, outputs)
            return how(found) if session is bad else found

        monkeypatch.setattr(onnx._OnnxSession, "run", wrong)
        return better

    return go_wrong


def test_a_model_that_hangs_is_passed_over_and_the_next_one_answers(
    impatient: FlaskClient, bad_model: Callable[..., str], counted: Callable[..., float]
) -> None:
    let_go, asked = threading.Event(), []

    def hang(found: Any) -> Any:
        asked.append(found)
        let_go.wait(60)
        return found

    better = bad_model(hang)
    for _ in range(3):
        content = impatient.get(JFK).json
        assert content is not None
        (refused,) = content["receipt"]["refused"]
        assert (refused["delivery_id"], refused["code"]) == (better, "timed-out")
        assert "did not answer within 1 s" in refused["reason"]
    assert len(asked) == 1  # one request waited for it, and no other
    assert counted("fairweather_refusals_total", code="timed-out") == 3
    let_go.set()


def test_a_model_that_was_given_up_is_in_memory_until_its_call_ends_and_no_longer(
    impatient: FlaskClient, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9)).name
    context, let_go = context_of(impatient), threading.Event()
    context.catalogue.refresh()
    model_cache = context.catalogue.model_cache
    with model_cache.in_use(context.catalogue.snapshot.entry(better)) as session:
        hung = weakref.ref(session)
    del session
    run = onnx._OnnxSession.run

    def hang(session: Any, feeds: Any, outputs: Any) -> Any:
        if session is hung():
            let_go.wait(60)
        return run(session, feeds, outputs)

    monkeypatch.setattr(onnx._OnnxSession, "run", hang)
    assert impatient.get(JFK).status_code == 200
    before = model_cache.used
    shutil.rmtree(Path(context.settings.store) / better)
    context.catalogue.refresh()
    gc.collect()
    assert hung() is not None
    assert model_cache.used == before  # gone from the catalogue, and still in memory
    let_go.set()
    until = time.monotonic() + 30
    while hung() is not None and time.monotonic() < until:
        time.sleep(0.01)
        gc.collect()
    assert hung() is None
    assert model_cache.used < before


def test_that_a_model_is_loaded_first_is_not_charged_to_its_time_limit(
    impatient: FlaskClient, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9)).name
    context = context_of(impatient)
    context.catalogue.refresh()
    context.catalogue.model_cache.retain(frozenset())
    load = onnx.OnnxBackend.load

    def slow(backend: onnx.OnnxBackend, delivery: Delivery) -> Any:
        time.sleep(1.5)
        return load(backend, delivery)

    monkeypatch.setattr(onnx.OnnxBackend, "load", slow)
    content = impatient.get(JFK).json
    assert content is not None
    assert content["receipt"]["delivery_id"] == better
    assert content["receipt"]["refused"] == []


@pytest.mark.parametrize(
    ("factor", "told"), [(float("nan"), "no number"), (1000.0, "possible is -80 to 60")]
)
def test_a_model_that_says_what_cannot_be_is_passed_over_and_the_next_one_answers(
    impatient: FlaskClient, bad_model: Callable[..., str], factor: float, told: str
) -> None:
    better = bad_model(lambda found: {name: each * factor for name, each in found.items()})
    content = impatient.get(JFK).json
    assert content is not None
    (refused,) = content["receipt"]["refused"]
    assert (refused["delivery_id"], refused["code"]) == (better, "invalid-output")
    assert told in refused["reason"]


def test_when_the_only_model_hangs_the_request_is_refused_in_time(
    impatient: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(onnx._OnnxSession, "run", lambda *_: let_go.wait(60))
    problem = the_problem(impatient.get(JFK), 422, "no-applicable-model")
    assert problem["refused_counts"] == {"timed-out": 1}
    let_go.set()


# --------------------------------------------------------------------------------- database


def test_a_writer_that_holds_the_database_does_not_hold_up_readers(
    jfk: FlaskClient, tmp_path: Path, observe: Observe, day: list[float]
) -> None:
    jfk.get("/areas")
    with closing(sqlite3.connect(tmp_path / "observations.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert jfk.get(JFK).status_code == 200
        other.execute("ROLLBACK")
    observe("JFK", [20.0])
    content = jfk.get(JFK).json
    assert content is not None
    assert content["forecast"]["temperature"]["value"] == [*day[:-1], 20.0]


def test_a_database_that_is_locked_is_503_and_served_again_when_it_is_free(
    jfk: FlaskClient, observations: ObservationStore, tmp_path: Path
) -> None:
    for store in (context_of(jfk).observations, observations):
        store.close()
    with closing(sqlite3.connect(tmp_path / "observations.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps readers out, in WAL mode too
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE held (x)")
        with database_given_up_soon(jfk):
            unavailable(jfk)
        other.execute("ROLLBACK")
    assert jfk.get(JFK).status_code == 200


def test_a_database_that_is_missing_is_503_until_it_is_there_again(
    jfk: FlaskClient, tmp_path: Path
) -> None:
    assert jfk.get(JFK).status_code == 200
    file = tmp_path / "observations.sqlite"
    file.rename(tmp_path / "away")
    unavailable(jfk)
    unavailable(jfk, "/areas")
    (tmp_path / "away").rename(file)
    assert jfk.get(JFK).status_code == 200


def test_a_database_that_hangs_is_503_in_time_and_asked_again_later(
    jfk: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, asked = threading.Event(), []

    def hang(*_arguments: object) -> None:
        asked.append(1)
        let_go.wait(60)

    with monkeypatch.context() as patch, database_given_up_soon(jfk):
        patch.setattr(ObservationStore, "series", hang)
        for _ in range(3):
            unavailable(jfk)
    assert len(asked) == 1  # one request waited for it, and no other
    let_go.set()
    assert jfk.get(JFK).status_code == 200


def test_a_post_that_brings_everything_needs_no_database(
    jfk: FlaskClient, tmp_path: Path, day: list[float]
) -> None:
    jfk.get(JFK)
    (tmp_path / "observations.sqlite").unlink()
    body = {
        "area": "JFK",
        "reference_time": "2013-06-20T12:00Z",
        "observations": {"temperature": day},
    }
    assert jfk.post("/weather/predict", json=body).status_code == 200
    unavailable(jfk)


# ------------------------------------------------------------------------------------ clocks


def test_a_clock_that_is_set_back_changes_no_answer_and_no_limit(
    jfk: FlaskClient, monkeypatch: pytest.MonkeyPatch, observe: Observe
) -> None:
    before = jfk.get(JFK)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86_400)
    assert jfk.get(JFK).data == before.data
    observe("JFK", [20.0], until=NOON + timedelta(hours=1))
    content = jfk.get(JFK).json
    assert content is not None
    assert content["reference_time"] == "2013-06-20T13:00:00Z"
