"""Live scores and shadows: past forecasts held against what came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairweather_interface.refusals import Code
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.background.recorder import Recorder, record
from fairweather_app.catalogue.entries import Entry
from fairweather_app.common.times import to_microseconds
from fairweather_app.errors import LoadError, ObservationStoreError
from fairweather_app.forecasting import live_scores
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecast_log import LoggedForecast
from fairweather_app.forecasting.live_scores import score
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.observations.store import Times, Values

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Counted = Callable[..., float]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECONDS_AN_HOUR = 3_600_000_000
JFK = "/weather/predict?area=JFK"


def context_of(client: FlaskClient) -> AppContext:
    found: AppContext = client.application.extensions["fairweather"]
    return found


def a_forecast(values: list[float], name: str = "a") -> LoggedForecast:
    return LoggedForecast(
        delivery_id=name,
        area="JFK",
        variable="temperature",
        reference_time=to_microseconds(NOON),
        step=MICROSECONDS_AN_HOUR,
        values=np.array(values, dtype="<f4").tobytes(),
    )


def observed(values: dict[float, float]) -> Callable[..., tuple[Times, Values]]:
    """Observations so many hours after noon."""
    times = [to_microseconds(NOON + hours * HOUR) for hours in sorted(values)]
    found = np.array(times, dtype=np.int64), np.array([values[hours] for hours in sorted(values)])
    return lambda _area, _variable, _after, _until: found


# ----------------------------------------------------------------------------------- scores


def test_error_and_bias_are_of_forecast_minus_observed() -> None:
    (found,) = score([a_forecast([10.0, 10.0, 10.0])], observed({1: 11.0, 2: 9.0, 3: 13.0}))
    assert (found.delivery_id, found.area, found.variable) == ("a", "JFK", "temperature")
    assert (found.lead_day, found.count, found.bias) == (1, 3, -1.0)
    assert found.mae == pytest.approx(5 / 3)


def test_the_first_day_ends_with_hour_24() -> None:
    found = score([a_forecast([1.0] * 49)], observed({24: 0.0, 25: 0.0, 48: 0.0, 49: 0.0}))
    assert [(each.lead_day, each.count) for each in found] == [(1, 1), (2, 2), (3, 1)]


def test_what_came_is_the_mean_of_the_observations_of_a_step_and_gaps_do_not_count() -> None:
    came = {0: 99.0, 0.5: 10.0, 1: 12.0, 2.5: 20.0}
    (found,) = score([a_forecast([10.0, 7.0, 22.0, 7.0])], observed(came))
    assert (found.count, found.mae, found.bias) == (2, 1.5, 0.5)


def test_each_delivery_has_its_own_scores() -> None:
    found = score([a_forecast([1.0]), a_forecast([3.0], "b")], observed({1: 0.0}))
    assert [(each.delivery_id, each.mae) for each in found] == [("a", 1.0), ("b", 3.0)]


def test_nothing_is_scored_of_what_nobody_observed() -> None:
    assert score([], observed({1: 0.0})) == []
    assert score([a_forecast([1.0])], observed({})) == []


# ---------------------------------------------------------------------- from answer to score


def test_a_forecast_is_scored_when_what_it_speaks_of_arrives(
    serving: FlaskClient, observe: Observe, day: list[float]
) -> None:
    context = context_of(serving)
    first = serving.get(JFK).json
    assert first is not None
    assert record(context) == 1
    name = first["receipt"]["delivery_id"]
    address = f"/models/{name}"
    assert (serving.get(address).json or {})["live_scores"] == []
    observe("JFK", [value - 2 for value in day[:6]], until=NOON + 6 * HOUR)
    (told,) = (serving.get(address).json or {})["live_scores"]
    assert told == {
        "area": "JFK",
        "variable": "temperature",
        "lead_day": 1,
        "count": 6,
        "mae": pytest.approx(2.0, abs=1e-5),
        "bias": pytest.approx(2.0, abs=1e-5),
    }
    (all_of_them,) = context.live.all()
    assert (all_of_them.delivery_id, all_of_them.count) == (name, 6)


def test_a_forecast_is_kept_once_however_often_it_is_asked_for(
    serving: FlaskClient, observe: Observe, counted: Counted
) -> None:
    context = context_of(serving)
    for _ in range(3):
        serving.get(JFK)
        observe("EWR", [1.0])  # so that the answer is made anew
    assert record(context) == 1
    assert record(context) == 0
    assert counted("fairweather_recorded_forecasts_total", outcome="kept") == 1


def test_the_first_forecast_stays_when_another_worker_makes_it_again(
    make_app: MakeApp, serving: FlaskClient, observe: Observe
) -> None:
    other = make_app().test_client()
    serving.get(JFK)
    record(context_of(serving))
    observe("JFK", [30.0])
    other.get(JFK)
    record(context_of(other))
    (found,) = context_of(other).live.log.read()
    assert np.frombuffer(found.values, dtype="<f4")[-1] != 30.0


@pytest.mark.parametrize("asked", ["past", "post"])
def test_what_was_observed_already_and_what_is_made_up_is_not_kept(
    serving: FlaskClient, observe: Observe, day: list[float], asked: str
) -> None:
    context = context_of(serving)
    if asked == "past":
        observe("JFK", day, until=NOON + HOUR)
        assert serving.get(f"{JFK}&reference_time=2013-06-20T12:00Z").status_code == 200
    else:
        body = {"area": "JFK", "observations": {"temperature": day}}
        assert serving.post("/weather/predict", json=body).status_code == 200
    assert record(context) == 0


def test_forecasts_wait_while_the_database_fails(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(serving)
    serving.get(JFK)

    def fail(*_arguments: object) -> None:
        raise ObservationStoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(context.live.log, "add", fail)
        with pytest.raises(ObservationStoreError):
            record(context)
    assert record(context) == 1


@pytest.mark.sqlite
def test_where_the_database_is_read_only_forecasts_are_served_and_it_is_logged_once(
    serving: FlaskClient,
    settings: dict[str, Any],
    make_app: MakeApp,
    caplog: pytest.LogCaptureFixture,
    counted: Counted,
) -> None:
    context_of(serving).observations.close()
    path = str(settings["observations"]).removeprefix("sqlite:///")
    reading = make_app(observations=f"sqlite:///file:{path}?mode=ro&uri=true").test_client()
    recorder = Recorder(context_of(reading), seconds=0.01)
    recorder.start()
    for _ in range(3):
        for area in ("EWR", "JFK"):
            assert reading.get(f"/weather/predict?area={area}").status_code == 200
        time.sleep(0.05)
    recorder.stop()
    (line,) = [each.message for each in caplog.records if "forecasts are" in each.message]
    assert line.startswith("forecasts are neither kept nor scored: the observation database ")
    assert "attempt to write a readonly database" in line
    assert context_of(reading).live.take_pending() == []
    assert counted("fairweather_recorded_forecasts_total", outcome="lost") == 2


def test_too_many_that_wait_are_lost_and_counted(
    serving: FlaskClient, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scores, "MOST_PENDING", 1)
    for area in ("JFK", "EWR"):
        serving.get(f"/weather/predict?area={area}")
    assert record(context_of(serving)) == 1
    assert record(context_of(serving)) == 0
    assert counted("fairweather_recorded_forecasts_total", outcome="lost") == 1


def test_the_recorder_keeps_what_waits_when_it_is_stopped(serving: FlaskClient) -> None:
    context = context_of(serving)
    recorder = Recorder(context, seconds=60)
    recorder.start()
    serving.get(JFK)
    recorder.stop()
    assert len(context.live.log.read()) == 1


@pytest.mark.sqlite
def test_while_the_database_cannot_be_used_a_delivery_has_no_scores_and_is_told_all_the_same(
    serving: FlaskClient, tmp_path: Path
) -> None:
    content = serving.get(JFK).json
    assert content is not None
    (tmp_path / "observations.sqlite").unlink()
    answer = serving.get(f"/models/{content['receipt']['delivery_id']}")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["live_scores"] is None


# ----------------------------------------------------------------------------------- shadows


def test_a_shadow_predicts_beside_the_one_that_answers_and_is_scored_alike(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    counted: Counted,
) -> None:
    chosen = tiny_delivery(areas=("JFK",)).name
    shadow = tiny_delivery(areas=("JFK",), skill_interval=(0.8, 0.9)).name
    elsewhere = tiny_delivery(areas=("LGA",)).name
    observe("JFK", day)
    client = make_app(shadow=f"{shadow}, {elsewhere}").test_client()
    content = client.get(JFK).json
    assert content is not None
    assert content["receipt"]["delivery_id"] == chosen
    refused = {each["delivery_id"]: each for each in content["receipt"]["refused"]}
    assert refused[shadow]["code"] == "overridden"
    assert "it is a shadow" in refused[shadow]["reason"]
    context = context_of(client)
    assert counted("fairweather_shadow_predictions_total") == 0  # not while somebody waits
    assert record(context) == 2
    assert counted("fairweather_shadow_predictions_total") == 1
    observe("JFK", [0.0] * 3, until=NOON + 3 * HOUR)
    assert {each.delivery_id: each.count for each in context.live.all()} == {chosen: 3, shadow: 3}
    assert (client.get(f"/models/{shadow}").json or {})["shadow"] is True
    assert (client.get(f"/models/{chosen}").json or {})["shadow"] is False


def test_a_shadow_that_refuses_or_is_not_there_disturbs_nobody(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",))
    winter = tiny_delivery(areas=("JFK",), valid_months=[1]).name
    observe("JFK", day)
    nobody = "2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11"
    client = make_app(shadow=f"{winter},{nobody}").test_client()
    assert client.get(JFK).status_code == 200
    assert record(context_of(client)) == 1


def test_a_shadow_that_cannot_be_opened_loses_nothing_of_the_one_that_answered(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_delivery(areas=("JFK",))
    shadow = tiny_delivery(areas=("JFK",)).name
    observe("JFK", day)
    client = make_app(shadow=shadow).test_client()
    assert client.get(JFK).status_code == 200

    catalogue = context_of(client).catalogue
    model = catalogue.model

    def fails(entry: Entry) -> RuntimeModel:
        if entry.delivery_id == shadow:
            raise LoadError(Code.RUNTIME_UNAVAILABLE, "gone")
        return model(entry)

    monkeypatch.setattr(catalogue, "model", fails)
    assert record(context_of(client)) == 1


def test_models_score_tells_them_and_exits_1_when_there_are_none(
    serving: FlaskClient, observe: Observe, day: list[float]
) -> None:
    runner = serving.application.test_cli_runner()
    none = runner.invoke(args=["models", "score"])
    assert none.exit_code == 1
    assert "no forecast can be scored yet" in none.stderr
    content = serving.get(JFK).json
    assert content is not None
    context = context_of(serving)
    record(context)
    observe("JFK", [day[0] - 1], until=NOON + HOUR)
    name = content["receipt"]["delivery_id"]
    told = runner.invoke(args=["models", "score", name])
    assert told.exit_code == 0
    assert told.stdout.splitlines()[1].split() == [
        *(name, "JFK", "temperature", "1", "1", "1.00", "+1.00")
    ]
    as_json = json.loads(runner.invoke(args=["models", "score", name, "--json"]).stdout)
    assert as_json[0]["lead_day"] == 1
