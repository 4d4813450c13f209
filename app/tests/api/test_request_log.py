"""Every request has an id, numbers and, in production, a line in the log."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.api.metrics import MOST_AREAS, OTHER, area_label
from fairweather_app.api.request_log import LOGS_REQUESTS, begin, end
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.common.logging import REQUEST_ID, request_log, show_log
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.forecasting.live_scores import LiveScore, LiveScores

Build = Callable[..., Path]
NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
PREDICT = "/weather/predict?area=EWR&reference_time=2013-06-20T12:00Z"


def number(client: FlaskClient, series: str) -> float:
    """The value of one series, 0 where it is not told."""
    told = client.get("/metrics").get_data(as_text=True)
    found = re.search(rf"^{re.escape(series)} (\S+)$", told, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def requests_of(client: FlaskClient, route: str, status: int, code: str, area: str) -> float:
    labels = f'area="{area}",code="{code}",route="{route}",status="{status}"'
    return number(client, f"fairweather_requests_total{{{labels}}}")


@pytest.mark.parametrize("given", ["abc", "9f:1/A-b_c.d=", "x" * 128])
def test_a_well_formed_request_id_is_kept(client: FlaskClient, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b', "é"])
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    answers = [client.get("/nowhere", headers={"X-Request-ID": given}) for _ in range(2)]
    ids = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_forecasts_are_counted_by_status_code_and_area(serving: FlaskClient) -> None:
    asked = [
        (PREDICT, 200, "", "EWR"),
        (PREDICT.replace("EWR", "Atlantis"), 404, "unknown-area", OTHER),
        (PREDICT.replace("EWR", "LGA"), 422, "no-applicable-model", OTHER),
        ("/weather/predict", 400, "invalid-request", ""),
    ]
    for path, status, code, area in asked:
        before = requests_of(serving, "/weather/predict", status, code, area)
        assert serving.get(path).status_code == status
        assert requests_of(serving, "/weather/predict", status, code, area) == before + 1


def test_addresses_that_do_not_exist_share_one_label(serving: FlaskClient) -> None:
    before = requests_of(serving, "none", 404, "not-found", "")
    for at in range(3):
        serving.get(f"/nowhere/{at}")
    assert requests_of(serving, "none", 404, "not-found", "") == before + 3


def test_stages_are_timed(serving: FlaskClient) -> None:
    names = [f'fairweather_request_seconds_count{{stage="{each}"}}' for each in
             ("windows", "predict", "total")]  # fmt: skip
    before = [number(serving, name) for name in names]
    serving.get(PREDICT)
    assert [number(serving, name) for name in names] == [each + 1 for each in before]


def test_candidates_that_are_passed_over_are_counted(serving: FlaskClient) -> None:
    name = 'fairweather_refusals_total{code="observations-missing"}'
    before = number(serving, name)
    assert serving.get(PREDICT.replace("2013", "2012")).status_code == 422
    assert number(serving, name) == before + 1


def test_the_state_of_the_catalogue_is_told(
    make_app: Callable[..., Flask], tiny_delivery: Build, store: Path
) -> None:
    tiny_delivery()
    broken = tiny_delivery()
    (broken / "model.onnx").write_bytes(b"broken")
    client = make_app().test_client()
    assert number(client, "fairweather_live_models") == 1
    corrupt = 'fairweather_deliveries_not_live{code="corrupt",state="quarantined"}'
    assert number(client, corrupt) == 1
    assert number(client, "fairweather_store_problem") == 0
    store.rename(store.with_name("gone"))
    client.application.extensions["fairweather"].catalogue.refresh()
    assert number(client, "fairweather_store_problem") == 1
    assert number(client, "fairweather_live_models") == 1


def test_the_age_of_observations_is_told_of_declared_areas(serving: FlaskClient) -> None:
    assert number(serving, 'fairweather_observation_age_seconds{area="JFK"}') > 1e8
    assert number(serving, 'fairweather_observation_age_seconds{area="LGA"}') == 0


@pytest.mark.parametrize("asked", ["GET", "cached GET", "POST"])
def test_the_age_of_what_was_answered_from_is_told_by_area(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    observe: Callable[..., None],
    counted: Callable[..., float],
    asked: str,
) -> None:
    def of_temperature(document: dict[str, Any]) -> None:
        del document["outputs"][1], document["performance"][1]
        del document["tolerance"]["humidity_forecast"]

    both = ("temperature", "humidity")
    tiny_delivery(variables=both, max_missing=0.5, change=of_temperature)
    observe("EWR", [1.0] * 24)
    observe("EWR", [50.0] * 19, variable="humidity", until=NOON - timedelta(hours=5))
    client = make_app().test_client()
    body = {"area": "EWR", "observations": {"temperature": [1.0] * 24}}
    for _ in range(2 if asked == "cached GET" else 1):
        if asked == "POST":
            answer = client.post("/weather/predict", json=body)
        else:
            answer = client.get("/weather/predict?area=EWR")
        assert answer.status_code == 200
    times = 2 if asked == "cached GET" else 1
    name = "fairweather_answer_input_age_seconds"
    assert counted(f"{name}_count", area="EWR") == times
    assert counted(f"{name}_sum", area="EWR") == times * 5 * 3600
    assert counted(f"{name}_bucket", area="EWR", le="10800.0") == 0
    assert counted(f"{name}_bucket", area="EWR", le="21600.0") == times
    client.get("/weather/predict?area=Atlantis")
    assert counted(f"{name}_count", area=OTHER) == 0  # no answer, no age


def test_numbers_are_told_while_the_database_cannot_be_read(
    make_app: Callable[..., Flask], tiny_delivery: Build, tmp_path: Path
) -> None:
    tiny_delivery()
    (tmp_path / "observations.sqlite").write_bytes(b"not a database, for longer than its header")
    client = make_app().test_client()
    assert number(client, "fairweather_live_models") == 1


def test_only_so_many_areas_have_numbers_of_their_own() -> None:
    snapshot = Snapshot()
    names = [f"{at:05}" for at in range(MOST_AREAS + 5)]
    snapshot.contents.__dict__["declaring"] = dict.fromkeys(names, ())
    assert area_label(snapshot, "00000") == "00000"
    assert area_label(snapshot, f"{MOST_AREAS + 1:05}") == OTHER
    assert area_label(snapshot, None) == ""


def test_a_stage_that_has_many_parts_or_fails_is_timed_as_a_whole() -> None:
    trace = RequestTrace()
    assert trace.timed("windows", lambda: 7) == 7
    once = trace.stages["windows"]
    with pytest.raises(ZeroDivisionError):
        trace.timed("windows", lambda: 1 / 0)
    assert trace.stages["windows"] > once > 0


def test_starts_that_are_tried_for_a_refusal_page_are_no_part_of_the_request(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
    counted: Callable[..., float],
) -> None:
    tiny_delivery(areas=("JFK",), valid_months=[6])
    observe("JFK", day)
    page = make_app().test_client().get("/?area=JFK&reference_time=2013-12-20T12:00Z")
    assert page.status_code == 422
    assert "2013-06-20T12:00Z" in page.text  # which was tried
    assert counted("fairweather_predictions_total", outcome="made") == 0
    assert counted("fairweather_refusals_total", code="out-of-season") == 1


def test_an_id_ends_with_its_request(serving: FlaskClient) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        serving.get(PREDICT, headers=headers)
        assert REQUEST_ID.get() == ""


# ------------------------------------------------------------------------------------- lines


@pytest.fixture(autouse=True)
def a_log_of_its_own() -> Iterator[None]:
    """A test's log goes to the stderr that the test has."""
    request_log.cache_clear()
    yield
    request_log.cache_clear()


def test_a_forecasts_line_says_what_happened(
    make_app: Callable[..., Flask], tiny_delivery: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_delivery(samples=2)
    app = make_app()
    app.config[LOGS_REQUESTS] = True
    asked = {"area": "EWR", "reference_time": "2013-06-20T12:00Z"}
    body = asked | {"observations": {"temperature": [1.0, 2.0]}}
    app.test_client().post("/weather/predict", json=body, headers={"X-Request-ID": "7"})
    line = json.loads(capsys.readouterr().err)
    told = {name: line[name] for name in ("request_id", "method", "status", "area", "delivery_id")}
    assert told == {
        "request_id": "7",
        "method": "POST",
        "status": 200,
        "area": "EWR",
        "delivery_id": path.name,
    }
    assert 0 < line["predict_ms"] < line["ms"]
    assert line["timestamp"].endswith("Z")
    assert "problem" not in line


def test_text_is_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    request_log("text")(path="/areas", status=200)
    (line,) = capsys.readouterr().err.splitlines()
    assert "request" in line
    assert "path=/areas" in line


def test_no_line_is_written_unless_serving_asks_for_them(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    make_app().test_client().get("/healthz")
    assert not capsys.readouterr().err


def test_what_is_told_while_answering_carries_the_requests_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = logging.getLogger("fairweather_app")
    monkeypatch.setattr(ours, "handlers", [])
    monkeypatch.setattr(ours, "propagate", False)
    monkeypatch.setattr(ours, "level", logging.NOTSET)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    show_log("json")
    begin("42")
    try:
        1 / 0  # noqa: B018 - to have a stack trace
    except ZeroDivisionError:
        logging.getLogger("fairweather_app.test").exception("it failed: %s", "badly")
    end()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["request_id"]) == ("it failed: badly", "error", "42")
    assert "ZeroDivisionError" in line["exception"]


def test_a_line_on_a_terminal_holds_no_escape_sequence_but_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = logging.getLogger("fairweather_app")
    monkeypatch.setattr(ours, "handlers", [])
    monkeypatch.setattr(ours, "propagate", False)
    monkeypatch.setattr(ours, "level", logging.NOTSET)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    show_log()
    hostile = "\x1b]0;hi\x07\x9b2J"

    def fail() -> None:
        raise RuntimeError(hostile)

    try:
        fail()
    except RuntimeError:
        logging.getLogger("fairweather_app.test").exception("delivery %s failed", hostile)
    told = stream.getvalue()
    assert "\x1b[" in told  # the colours are ours
    assert not {"\x1b", "\x07", "\x9b"} & set(re.sub(r"\x1b\[[\d;]*m", "", told))
    assert told.count("\ufffd]0;hi\ufffd\ufffd2J") == 2


def test_a_kept_answer_is_counted_as_a_hit_and_as_a_request_for_its_area(
    serving: FlaskClient,
) -> None:
    def told() -> list[float]:
        series = [f'fairweather_memo_total{{outcome="{each}"}}' for each in ("miss", "hit")]
        counts = [number(serving, each) for each in series]
        return [*counts, requests_of(serving, "/weather/predict", 200, "", "EWR")]

    before = told()
    for _ in range(3):
        assert serving.get(PREDICT).status_code == 200
    assert [after - count for after, count in zip(told(), before, strict=True)] == [1, 2, 3]


def test_live_scores_are_told_by_delivery_area_variable_and_lead_day(
    serving: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = LiveScore(
        delivery_id="d", area="EWR", variable="temperature", lead_day=1, count=3, mae=2.5, bias=-1.0
    )
    monkeypatch.setattr(LiveScores, "all", lambda _: [score])
    labels = '{area="EWR",delivery_id="d",lead_day="1",variable="temperature"}'
    assert number(serving, f"fairweather_live_mae{labels}") == 2.5
    assert number(serving, f"fairweather_live_bias{labels}") == -1.0
