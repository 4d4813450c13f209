"""Answers as they are written: what their schema says, to the last digit."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.api.forecast_response import OPTIONS, RESPONSES, ForecastResponses
from fairweather_app.api.schemas import Forecast
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import ForecastRequest, SelectedForecast
from fairweather_app.models_backend.runtime_model import Prediction

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)


def responses_of(app: Flask) -> ForecastResponses:
    found: ForecastResponses = app.extensions[RESPONSES]
    return found


def decide(app: Flask, *, area: str = "EWR", **asked: Any) -> SelectedForecast:
    context: AppContext = app.extensions["fairweather"]
    return context.forecaster.decide(ForecastRequest(area=area, **asked))


def written(app: Flask, area: str = "EWR", **asked: Any) -> bytes:
    return responses_of(app).write(decide(app, area=area, **asked)).body


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_numbers_are_the_shortest_that_read_back_as_the_models_own(values: list[float]) -> None:
    own = np.array(values, dtype=np.float32)
    told = json.loads(orjson.dumps(own, option=OPTIONS))
    assert told == [float(str(value)) for value in own]
    np.testing.assert_array_equal(np.array(told, dtype=np.float32), own)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_an_answer_is_to_the_byte_what_its_schema_writes(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    quantiles: tuple[float, ...],
) -> None:
    tiny_delivery(areas=("LGA",))
    tiny_delivery(valid_months=[1], skill_interval=(0.8, 0.9))
    tiny_delivery(variables=("temperature", "humidity"), quantiles=quantiles)
    observe("EWR", day)
    observe("EWR", [50.0 + value for value in day], variable="humidity")
    app = make_app()
    for variables in (None, ("humidity",)):
        body = written(app, variables=variables)
        assert Forecast.model_validate_json(body).model_dump_json().encode() == body


def test_times_end_with_a_z_and_seconds_are_told(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery()
    observe("EWR", day)
    content = json.loads(written(make_app(), reference_time=NOON))
    assert content["reference_time"] == "2013-06-20T12:00:00Z"
    assert content["forecast"]["time"][-1] == "2013-06-21T12:00:00Z"


def test_a_prediction_of_any_layout_in_memory_is_written(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery()
    observe("EWR", day)
    app = make_app()
    selected = decide(app)
    strided = np.arange(48, dtype=np.float32)[::2]
    predictions = {"temperature": Prediction(strided)}
    body = responses_of(app).write(replace(selected, predictions=predictions))
    assert json.loads(body.body)["forecast"]["temperature"]["value"] == strided.tolist()


def test_what_answers_of_a_model_have_in_common_is_bounded_and_goes_with_it(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
) -> None:
    tiny_delivery()
    observe("EWR", day)
    app = make_app()
    responses, selected = responses_of(app), decide(app)
    request = selected.request
    selected = replace(selected, model=replace(selected.model))  # one that nobody else has
    for number in range(5):
        variables = ("temperature", f"v{number}")
        responses.write(replace(selected, request=replace(request, variables=variables)))
    assert list(responses.templates[selected.model]) == [("EWR", ("temperature",))]
    model = weakref.ref(selected.model)
    del selected
    gc.collect()
    assert model() is None
