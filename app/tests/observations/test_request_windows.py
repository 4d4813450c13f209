"""Observations that a request brings along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from answers import context_of, forecast
from fairweather_app.errors import (
    InvalidRequestError,
    NoApplicableModelError,
    ObservationsMissingError,
)
from fairweather_app.forecasting.forecaster import ForecastRequest

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Document = dict[str, Any]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)


def test_given_observations_are_used_and_none_of_the_apps_own(
    make_app: MakeApp, tiny_delivery: Build, day: list[float]
) -> None:
    tiny_delivery()
    context = context_of(make_app())
    answer = forecast(
        context, ForecastRequest(area="EWR", reference_time=NOON, observations={"temperature": day})
    )
    assert answer.forecast.variables["temperature"].value == day


def test_an_input_that_is_not_given_is_read(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=("temperature", "humidity"))
    observe("EWR", day, variable="humidity")
    answer = forecast(
        context_of(make_app()),
        ForecastRequest(area="EWR", observations={"temperature": [5.0] * 24}),
    )
    assert answer.forecast.variables["temperature"].value == [5.0] * 24
    assert answer.forecast.variables["humidity"].value == day


@pytest.mark.parametrize(
    ("given_values", "told"),
    [
        ({"temperature": [1.0] * 23}, "observations.temperature: found 23 values; expected 24"),
        ({"temperature": []}, "found 0 values; expected 24"),
        ({"warmth": [1.0] * 24}, "observations.warmth: no model for this area has such an input"),
        ({"temperature": [1.0] * 23 + [99.0]}, "value 24 is 99; possible is -80 to 60"),
    ],
)
def test_observations_that_fit_no_candidate_are_an_invalid_request(
    make_app: MakeApp, tiny_delivery: Build, given_values: dict[str, list[float]], told: str
) -> None:
    tiny_delivery()
    with pytest.raises(InvalidRequestError) as caught:
        forecast(context_of(make_app()), ForecastRequest(area="EWR", observations=given_values))
    (problem,) = caught.value.problems
    assert told in problem


def test_all_that_is_wrong_with_given_observations_is_told_at_once(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    tiny_delivery()
    with pytest.raises(InvalidRequestError) as caught:
        forecast(
            context_of(make_app()),
            ForecastRequest(area="EWR", observations={"temperature": [], "warmth": []}),
        )
    assert len(caught.value.problems) == 2


def test_a_length_that_only_another_candidate_takes_passes_the_first_over(
    make_app: MakeApp, tiny_delivery: Build, day: list[float]
) -> None:
    long = tiny_delivery(samples=48, skill_interval=(0.8, 0.9))
    short = tiny_delivery(samples=24, skill_interval=(0.1, 0.2))
    decision = context_of(make_app()).forecaster.decide(
        ForecastRequest(area="EWR", observations={"temperature": day})
    )
    assert decision.model.delivery_id == short.name
    (refusal,) = decision.refused
    assert (refusal.delivery_id, refusal.code) == (long.name, "observations-missing")
    assert "takes 48 values, 24 were given" in refusal.reason


def test_given_gaps_are_the_requests_own_and_waiting_would_not_help(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    tiny_delivery()
    context = context_of(make_app())
    with pytest.raises(NoApplicableModelError) as caught:
        forecast(context, ForecastRequest(area="EWR", observations={"temperature": [None] * 24}))
    assert not isinstance(caught.value, ObservationsMissingError)
    assert caught.value.refused.counts == {"observations-missing": 1}


def test_given_observations_do_not_make_an_area_declared(
    make_app: MakeApp, tiny_delivery: Build, day: list[float]
) -> None:
    tiny_delivery(areas=("EWR",))
    with pytest.raises(NoApplicableModelError) as caught:
        forecast(
            context_of(make_app()), ForecastRequest(area="LGA", observations={"temperature": day})
        )
    assert caught.value.refused.counts == {"area-not-declared": 1}
