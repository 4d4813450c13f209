"""Which forecasts are logged, however many requests there are, and which of them stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.background.recorder import record
from fairweather_app.common.times import to_microseconds
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecast_log import DAYS_KEPT, LoggedForecast

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
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
        step=3_600_000_000,
        values=np.array(values, dtype="<f4").tobytes(),
    )


def seen_from_lga(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> FlaskClient:
    """An app that forecasts JFK from the mean of JFK and LGA; LGA is observed for hours more."""

    def change(document: dict[str, Any]) -> None:
        document["inputs"][0]["areas"] = ["JFK", "LGA"]

    tiny_delivery(areas=("JFK",), change=change)
    observe("JFK", [day[0], *day])
    observe("LGA", [day[-1]] * 28, until=NOON + 3 * HOUR)
    return make_app().test_client()


def test_whoever_asks_at_every_second_or_ahead_of_the_observations_adds_no_row(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    client = seen_from_lga(make_app, tiny_delivery, observe, day)
    context = context_of(client)
    times = [f"12:{minute:02}:01" for minute in range(5)] + ["11:59:59", "12:30:00", "15:00:00"]
    for time_of_day in times:
        answer = client.get(f"{JFK}&reference_time=2013-06-20T{time_of_day}Z")
        assert answer.status_code == 200, answer.text
    assert record(context) == 0
    assert client.get(f"{JFK}&reference_time=2013-06-20T12:00Z").status_code == 200
    assert record(context) == 1


def test_an_hour_that_was_asked_for_ahead_is_kept_as_it_is_when_it_comes(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    """Else anybody could have each hour scored with windows that are hours old."""
    client = seen_from_lga(make_app, tiny_delivery, observe, day)
    ahead = f"{JFK}&reference_time=2013-06-20T15:00Z"
    assert client.get(ahead).status_code == 200
    record(context_of(client))
    observe("JFK", [30.0, 31.0, 32.0], until=NOON + 3 * HOUR)
    assert client.get(ahead).status_code == 200
    assert record(context_of(client)) == 1
    (found,) = context_of(client).live.log.read()
    assert found.reference_time == to_microseconds(NOON + 3 * HOUR)
    assert np.frombuffer(found.values, dtype="<f4")[-1] == pytest.approx((32.0 + day[-1]) / 2)


def test_between_two_hours_the_forecast_of_the_hour_is_kept_once(
    serving: FlaskClient, observe: Observe, day: list[float]
) -> None:
    for minutes in (7, 14, 50):
        observe("JFK", [20.0], until=NOON + timedelta(minutes=minutes))
        content = serving.get(JFK).json
        assert content is not None
        assert content["reference_time"] == f"2013-06-20T12:{minutes:02}:00Z"
        assert record(context_of(serving)) == (minutes == 7)
    (found,) = context_of(serving).live.log.read()
    assert found.reference_time == to_microseconds(NOON)
    assert np.frombuffer(found.values, dtype="<f4") == pytest.approx(day)


def test_forecasts_are_dropped_by_age_and_not_by_how_many_there_are(
    context: AppContext,
) -> None:
    log = context.live.log
    old = [replace(a_forecast([1.0], name), area=area) for name in "ab" for area in ("EWR", "JFK")]
    log.add(old)
    day = timedelta(days=1)
    later = replace(old[0], reference_time=to_microseconds(NOON + DAYS_KEPT * day))
    log.add([later])
    assert len(log.read()) == 5  # thirty days old, and not older
    log.add([replace(old[0], reference_time=to_microseconds(NOON + DAYS_KEPT * day + HOUR))])
    assert [(each.delivery_id, each.area) for each in log.read()] == [
        *(("a", "EWR"), ("a", "EWR"), ("a", "JFK"), ("b", "JFK"))
    ]


def test_what_earlier_releases_kept_between_two_hours_does_not_count(context: AppContext) -> None:
    between = replace(a_forecast([1.0]), reference_time=to_microseconds(NOON) + 1_000_000)
    context.live.log.add([between, a_forecast([1.0], "b")])
    assert [each.delivery_id for each in context.live.log.read()] == ["b"]
