"""What tests ask of an app: its context, its answers, every delivery that is not live."""

from __future__ import annotations

import json
from typing import Any

from fairweather_interface.refusals import Code
from flask import Flask
from werkzeug.test import TestResponse

from fairweather_app.api.forecast_response import ForecastResponses
from fairweather_app.api.problems import PROBLEMS
from fairweather_app.api.schemas import Forecast
from fairweather_app.catalogue.ingestion import Ingested
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import ForecastRequest


def context_of(app: Flask) -> AppContext:
    found: AppContext = app.extensions["fairweather"]
    return found


def the_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    content: dict[str, Any] = json.loads(answer.data)
    assert content["type"] == f"/problems/{code}"
    assert content["title"] == PROBLEMS[code].title
    assert content["status"] == status
    assert status in PROBLEMS[code].statuses
    assert content["detail"]
    assert "Traceback" not in answer.text
    return content


def refused_with(found: Ingested, state: str, code: Code, *words: str) -> None:
    assert (found.entry.state, found.entry.code, found.model) == (state, code, None)
    assert found.entry.reason is not None
    for each in words:
        assert each in found.entry.reason


def forecast(context: AppContext, request: ForecastRequest) -> Forecast:
    """A forecast as it is answered over HTTP, of an app that nothing else has asked."""
    responses = ForecastResponses(context)
    answer = responses.get if request.observations is None else responses.make
    return Forecast.model_validate_json(answer(request, RequestTrace()).body)
