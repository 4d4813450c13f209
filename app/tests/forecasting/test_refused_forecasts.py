"""The walk from a request to a forecast where models are not fit: who is passed over, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from answers import context_of, forecast
from fairweather_app import create_app
from fairweather_app.catalogue.refresh import GRACE_PASSES
from fairweather_app.errors import (
    NoApplicableModelError,
    NotReadyError,
    ObservationsMissingError,
    PredictionError,
)
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.models_backend import onnx

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Document = dict[str, Any]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def refusal_of(context: AppContext, area: str = "EWR", **asked: Any) -> tuple[str, str]:
    with pytest.raises(NoApplicableModelError) as caught:
        forecast(context, ForecastRequest(area=area, **asked))
    (refusal,) = caught.value.refused
    return refusal.code, refusal.reason


def test_an_empty_catalogue_is_told_as_that(make_app: MakeApp) -> None:
    with pytest.raises(NoApplicableModelError, match="the store holds no delivery yet"):
        forecast(context_of(make_app()), ForecastRequest(area="JFK"))


def test_a_gap_wider_than_the_model_allows_is_refused_saying_from_when_to_when(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_missing=0.1)
    values: list[float | None] = list(day)
    values[10:13] = [None] * 3
    observe("EWR", values)
    context = context_of(make_app())
    with pytest.raises(ObservationsMissingError) as caught:
        forecast(context, ForecastRequest(area="EWR"))
    assert "3 of 24" in str(caught.value)
    assert "missing from 2013-06-19T22:00Z to 2013-06-20T01:00Z" in str(caught.value)


def test_a_gap_that_the_model_allows_is_fed_as_missing(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_missing=0.1)
    values: list[float | None] = list(day)
    values[10:12] = [None] * 2
    observe("EWR", values)
    # the identity model hands the gap on, and a forecast with a gap is none
    code, reason = refusal_of(context_of(make_app()))
    assert code == "invalid-output"
    assert "no number" in reason


def test_observations_are_missing_only_when_every_candidate_of_the_season_lacks_them(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(variables=("humidity",))
    tiny_delivery(variables=("temperature",), valid_months=[1])
    observe("EWR", day)
    with pytest.raises(ObservationsMissingError) as caught:
        forecast(context_of(make_app()), ForecastRequest(area="EWR"))
    assert caught.value.refused.counts == {"observations-missing": 1, "out-of-season": 1}
    frost = {"temperature": {"maximum": 0.0}}
    tiny_delivery(variables=("temperature",), applicability_domain=frost)
    with pytest.raises(NoApplicableModelError) as other:
        forecast(context_of(make_app()), ForecastRequest(area="EWR"))
    assert not isinstance(other.value, ObservationsMissingError)


def test_out_of_season_is_told_before_a_gap_in_the_observations(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(valid_months=[1])
    observe("EWR", day[:12])
    with pytest.raises(NoApplicableModelError) as caught:
        forecast(context_of(make_app()), ForecastRequest(area="EWR"))
    assert not isinstance(caught.value, ObservationsMissingError)
    assert caught.value.refused.counts == {"out-of-season": 1}


def test_before_the_first_look_at_the_store_nothing_is_said_of_any_area(
    settings: dict[str, Any], tiny_delivery: Build
) -> None:
    tiny_delivery()
    context = context_of(create_app(settings))
    for area in ("EWR", "Atlantis"):
        with pytest.raises(NotReadyError, match="has not been looked at yet"):
            forecast(context, ForecastRequest(area=area))


def test_without_any_observation_they_are_missing(make_app: MakeApp, tiny_delivery: Build) -> None:
    tiny_delivery()
    with pytest.raises(ObservationsMissingError, match="24 of 24"):
        forecast(context_of(make_app()), ForecastRequest(area="EWR"))


@pytest.mark.parametrize(
    ("time", "months", "answers"),
    [
        ("2013-06-30T23:30-04:00", [6], True),
        ("2013-07-01T03:30Z", [6], True),
        ("2013-07-01T03:30Z", [7], False),
        ("2013-07-01T04:30Z", [7], True),
    ],
)
def test_the_season_is_that_of_the_local_month(  # noqa: PLR0917 - fixtures and parameters
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    time: str,
    months: list[int],
    answers: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    tiny_delivery(valid_months=months)
    asked = datetime.fromisoformat(time)
    observe("EWR", day, until=asked)
    context = context_of(make_app())
    if answers:
        assert (
            forecast(context, ForecastRequest(area="EWR", reference_time=asked)).reference_time
            == asked
        )
    else:
        assert refusal_of(context, reference_time=asked)[0] == "out-of-season"


@pytest.mark.parametrize(
    ("variable", "setting", "margin", "last", "answers"),
    [
        ("temperature", "domain_margin", 3.0, 33.0, True),
        ("temperature", "domain_margin", 3.0, 33.5, False),
        ("temperature", "domain_margin", 0.0, 30.5, False),
        ("temperature", "domain_margin", 0.0, 30.0, True),
        ("temperature", "domain_margin", 3.0, 7.0, True),
        ("temperature", "domain_margin", 3.0, 6.5, False),
        ("humidity", "humidity_margin", 5.0, 35.0, True),
        ("humidity", "humidity_margin", 5.0, 36.0, False),
        ("humidity", "humidity_margin", 0.0, 10.0, True),
        ("humidity", "humidity_margin", 0.0, 9.5, False),
    ],
)
def test_the_domain_ends_a_margin_beyond_either_bound(  # noqa: PLR0917 - likewise
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    variable: str,
    setting: str,
    margin: float,
    last: float,
    answers: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bounds = {variable: {"minimum": 10.0, "maximum": 30.0}}
    tiny_delivery(variables=(variable,), applicability_domain=bounds)
    observe("EWR", [20.0] * 23 + [last], variable=variable)
    context = context_of(make_app(**{setting: margin}))
    if answers:
        assert (
            forecast(context, ForecastRequest(area="EWR")).forecast.variables[variable].value[-1]
            == last
        )
    else:
        code, reason = refusal_of(context)
        assert code == "out-of-domain"
        assert f"{last:g}" in reason


def test_more_gaps_than_the_domain_allows_are_out_of_domain_although_the_input_would_take_them(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(max_missing=0.5, applicability_domain={"temperature": {"max_missing": 0.1}})
    observe("EWR", [None, None, None, *day[3:]])
    code, reason = refusal_of(context_of(make_app()))
    assert code == "out-of-domain"
    assert "lacks 3 of 24 observations, more than the 10 %" in reason


def test_the_next_candidate_answers_when_the_best_is_not_fit(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    frost = {"temperature": {"maximum": 1.0}}
    best = tiny_delivery(applicability_domain=frost, skill_interval=(0.8, 0.9))
    second = tiny_delivery(skill_interval=(0.1, 0.2))
    observe("EWR", day)
    decision = context_of(make_app()).forecaster.decide(ForecastRequest(area="EWR"))
    assert decision.model.delivery_id == second.name
    assert [(each.delivery_id, each.code) for each in decision.refused] == [
        (best.name, "out-of-domain")
    ]


def test_a_forecast_beyond_what_is_possible_is_not_given(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def of_humidity(document: Document) -> None:
        document["inputs"][0] |= {"variable": "pressure", "unit": "hPa"}

    tiny_delivery(change=of_humidity)
    observe("EWR", [1000.0 + value for value in day], variable="pressure")
    code, reason = refusal_of(context_of(make_app()))
    assert code == "invalid-output"
    assert "possible is -80 to 60" in reason


def test_a_runtime_that_fails_is_a_refusal(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_delivery()
    observe("EWR", day)
    context = context_of(make_app())

    def fail(*_arguments: object) -> None:
        raise PredictionError("onnxruntime failed: out of memory")

    monkeypatch.setattr(onnx._OnnxSession, "run", fail)
    assert refusal_of(context) == ("invalid-output", "onnxruntime failed: out of memory")


def test_an_unknown_variable_is_declared_by_nobody(make_app: MakeApp, tiny_delivery: Build) -> None:
    tiny_delivery()
    code, reason = refusal_of(context_of(make_app()), variables=("moonlight",))
    assert code == "variable-not-declared"
    assert reason == "it forecasts temperature, and not moonlight"


def test_a_removed_delivery_finishes_the_request_that_it_had_begun(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float], store: Path
) -> None:
    path = tiny_delivery()
    tiny_delivery(areas=("LGA",))
    observe("EWR", day)
    context = context_of(make_app())
    decision = context.forecaster.decide(ForecastRequest(area="EWR"))
    (store / path.name).rename(store / ".gone")
    for _ in range(GRACE_PASSES):
        context.catalogue.refresh()
    assert decision.model.predict("EWR", NOON, {"temperature": window_of(day)})
    with pytest.raises(NoApplicableModelError):
        forecast(context, ForecastRequest(area="EWR"))


def window_of(values: list[float]) -> Any:
    from fairweather_app.observations import Window  # noqa: PLC0415 - used by this helper only

    return Window(values=np.array(values, dtype=np.float32), reference_time=NOON, sample_rate=HOUR)
