"""The walk from a request to a forecast: what is answered, and for which areas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairweather_interface import SCHEMA_VERSION
from flask import Flask

from answers import context_of, forecast
from fairweather_app.errors import (
    InvalidRequestError,
    NoApplicableModelError,
    ObservationsMissingError,
    UnknownAreaError,
)
from fairweather_app.forecasting.areas import area_summaries, known_areas
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.models_backend import onnx

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Document = dict[str, Any]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


# ----------------------------------------------------------------------------------- answers


def test_a_forecast_is_what_the_model_says_with_its_times_units_and_zone(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    path = tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    answer = forecast(context_of(make_app()), ForecastRequest(area="JFK"))
    assert (answer.area, answer.reference_time) == ("JFK", NOON)
    assert answer.timezone == "America/New_York"
    assert answer.forecast.time == [NOON + k * HOUR for k in range(1, 25)]
    assert list(answer.forecast.variables) == ["temperature"]
    assert answer.forecast.variables["temperature"].value == day
    assert answer.forecast.variables["temperature"].unit == "degC"
    assert answer.forecast.variables["temperature"].lower is None
    receipt = answer.receipt
    assert receipt.delivery_id == path.name
    assert receipt.model_type == "IdentityPredictor"
    assert receipt.schema_version == SCHEMA_VERSION
    assert receipt.runtime.startswith("onnxruntime ")
    assert receipt.skill == {"temperature": 0.25}
    assert not receipt.synthetic
    assert receipt.refused == []
    assert receipt.refused_counts == {}


def test_the_receipt_lists_who_was_passed_over_the_candidates_first(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    elsewhere = [tiny_delivery(areas=("LGA",)).name for _ in range(25)]
    winter = tiny_delivery(areas=("JFK",), valid_months=[1], skill_interval=(0.8, 0.9))
    answering = tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    receipt = forecast(context_of(make_app()), ForecastRequest(area="JFK")).receipt
    assert receipt.delivery_id == answering.name
    assert len(receipt.refused) == 20
    assert receipt.refused[0].delivery_id == winter.name
    assert {each.delivery_id for each in receipt.refused[1:]} <= set(elsewhere)
    assert receipt.refused_counts == {"area-not-declared": 25, "out-of-season": 1}


def test_only_the_wanted_variables_are_answered(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=("temperature", "humidity"))
    observe("EWR", day)
    observe("EWR", day, variable="humidity")
    context = context_of(make_app())
    answer = forecast(context, ForecastRequest(area="EWR", variables=("humidity",)))
    assert list(answer.forecast.variables) == ["humidity"]
    assert list(answer.receipt.skill) == ["humidity"]
    assert list(forecast(context, ForecastRequest(area="EWR")).forecast.variables) == [
        "temperature",
        "humidity",
    ]


def test_a_reference_time_in_any_zone_is_answered_in_utc(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery()
    observe("EWR", day + [99.0] * 5, until=NOON + 5 * HOUR, variable="humidity")
    observe("EWR", day)
    asked = datetime.fromisoformat("2013-06-20T08:00-04:00")
    answer = forecast(context_of(make_app()), ForecastRequest(area="EWR", reference_time=asked))
    assert answer.reference_time == NOON
    assert answer.reference_time.utcoffset() == timedelta(0)


def test_a_reference_time_without_a_zone_is_refused(make_app: MakeApp) -> None:
    with pytest.raises(InvalidRequestError, match="has no zone"):
        forecast(
            context_of(make_app()),
            ForecastRequest(area="JFK", reference_time=NOON.replace(tzinfo=None)),
        )


def test_a_model_with_context_inputs_is_fed_time_and_place(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_delivery(areas=("EWR", "JFK"), context=True)
    observe("JFK", day)
    context = context_of(make_app())
    fed: list[dict[str, Any]] = []
    run = onnx._OnnxSession.run

    def spy(session: Any, feeds: Any, outputs: Any) -> Any:
        fed.append(feeds)
        return run(session, feeds, outputs)

    monkeypatch.setattr(onnx._OnnxSession, "run", spy)
    forecast(context, ForecastRequest(area="JFK"))
    assert fed[0]["area_index"].tolist() == [1]
    assert fed[0]["reference_time"].tolist() == [int(NOON.timestamp())]
    assert fed[0]["reference_time"].dtype == np.int64


def test_outputs_of_different_steps_share_one_axis_with_null_between(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def every_two_hours(document: Document) -> None:
        document["outputs"][1]["step"] = "PT2H"

    tiny_delivery(variables=("temperature", "humidity"), change=every_two_hours)
    observe("EWR", day)
    observe("EWR", day, variable="humidity")
    series = forecast(context_of(make_app()), ForecastRequest(area="EWR")).forecast
    assert len(series.time) == 36
    assert series.variables["temperature"].value[24:] == [None] * 12
    assert series.variables["humidity"].value[:4] == [None, day[0], None, day[1]]


# ------------------------------------------------------------------------------------- areas


def test_a_name_is_known_to_a_delivery_a_definition_or_an_observation(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe
) -> None:
    tiny_delivery(areas=("Hebron",))
    tiny_delivery(areas=("Gaza",), model=b"no")
    observe("Haifa", [20.0])
    context = context_of(make_app())
    known = known_areas(context.catalogue.snapshot.contents, context.windows)
    assert {"Hebron", "Gaza", "Haifa", "Jerusalem", "JFK"} <= set(known)
    assert list(known) == sorted(known)
    for area in ("Haifa", "Jerusalem", "Gaza"):
        with pytest.raises(NoApplicableModelError) as caught:
            forecast(context, ForecastRequest(area=area))
        assert caught.value.refused.counts
    with pytest.raises(UnknownAreaError) as unknown:
        forecast(context, ForecastRequest(area="hebron"))
    assert unknown.value.known == known


def test_a_nearby_airport_is_no_substitute(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(areas=("EWR",))
    tiny_delivery(areas=("JFK",))
    observe("LGA", day)
    with pytest.raises(NoApplicableModelError) as caught:
        forecast(context_of(make_app()), ForecastRequest(area="LGA"))
    assert not isinstance(caught.value, ObservationsMissingError)
    assert caught.value.refused.counts == {"area-not-declared": 2}


def test_summaries_tell_what_there_is_for_each_area(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK", "Atlantis"), variables=("temperature",))
    tiny_delivery(areas=("JFK",), variables=("humidity", "temperature"))
    observe("JFK", day)
    observe("Haifa", day)
    context = context_of(make_app())
    summaries = area_summaries(context.catalogue.snapshot.contents, context.windows)
    found = {each.area: each for each in summaries}
    assert (found["JFK"].models, set(found["JFK"].variables)) == (2, {"temperature", "humidity"})
    assert found["JFK"].latest_observation == NOON
    assert (found["Atlantis"].latitude, found["Atlantis"].timezone) == (0.0, "UTC")
    assert (found["Jerusalem"].models, found["Jerusalem"].timezone) == (0, "Asia/Jerusalem")
    assert (found["Haifa"].latitude, found["Haifa"].variables) == (None, [])
