"""Lower and upper bounds: when and only when the model can tell its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from answers import the_problem
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend.capabilities import UNCERTAINTY

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Document = dict[str, Any]


def predict(app: Flask) -> Any:
    answer = app.test_client().get("/weather/predict?area=EWR")
    assert answer.json is not None
    return answer.json["forecast"]


def test_a_model_that_can_is_answered_with_its_outermost_bounds_and_their_probabilities(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(quantiles=(0.25, 0.1, 0.95))  # the kit shifts by 10 (p - 0.5)
    observe("EWR", day)
    found = predict(make_app())["temperature"]
    assert list(found) == ["unit", "value", "lower", "upper", "interval"]
    assert found["value"] == day
    assert found["lower"] == pytest.approx([value - 4 for value in day])
    assert found["upper"] == pytest.approx([value + 4.5 for value in day])
    assert found["interval"] == [0.1, 0.95]


@pytest.mark.parametrize("quantiles", [(), (0.5,), (0.1,), (0.1, 0.4), (0.6, 0.9)])
def test_a_model_that_cannot_is_answered_in_the_shape_there_always_was(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    quantiles: tuple[float, ...],
) -> None:
    tiny_delivery(quantiles=quantiles)
    observe("EWR", day)
    assert predict(make_app())["temperature"] == {"unit": "degC", "value": day}


def test_a_variable_without_a_band_has_none_beside_one_that_has(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def of_temperature(document: Document) -> None:
        document["uncertainty"] = document["uncertainty"][:2]

    tiny_delivery(
        variables=("temperature", "humidity"), quantiles=(0.1, 0.9), change=of_temperature
    )
    observe("EWR", day)
    observe("EWR", day, variable="humidity")
    app = make_app()
    found = predict(app)
    assert found["temperature"]["interval"] == [0.1, 0.9]
    assert set(found["humidity"]) == {"unit", "value"}
    context: AppContext = app.extensions["fairweather"]
    (entry,) = context.catalogue.snapshot.live
    model = context.catalogue.model(entry)
    assert model.can(UNCERTAINTY)
    assert model.can(UNCERTAINTY, "temperature")
    assert not model.can(UNCERTAINTY, "humidity")


def test_a_band_has_null_where_its_variable_has_no_step(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def every_two_hours(document: Document) -> None:
        document["outputs"][1]["step"] = "PT2H"

    tiny_delivery(
        variables=("temperature", "humidity"), quantiles=(0.1, 0.9), change=every_two_hours
    )
    observe("EWR", day)
    observe("EWR", day, variable="humidity")
    humidity = predict(make_app())["humidity"]
    for name in ("value", "lower", "upper"):
        assert [value is None for value in humidity[name][:4]] == [True, False, True, False]
        assert len(humidity[name]) == 36


def test_values_and_bounds_come_out_of_one_run(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_delivery(quantiles=(0.1, 0.25, 0.9))
    observe("EWR", day)
    app = make_app()
    context: AppContext = app.extensions["fairweather"]
    (entry,) = context.catalogue.snapshot.live
    model = context.catalogue.model(entry)
    runs = []
    real = model.session.run

    def run(feeds: Any, outputs: Any) -> Any:
        runs.append(tuple(outputs))
        return real(feeds, outputs)

    monkeypatch.setattr(type(model.session), "run", lambda _self, *given: run(*given))
    predict(app)
    assert runs == [
        ("temperature_forecast", "temperature_forecast_q10", "temperature_forecast_q90")
    ]


@pytest.mark.parametrize(
    ("band", "told"),
    [
        ((9.0, 1.0), "upside down: at step 1 the lower bound is 9 degC, the upper one 1"),
        ((float("nan"), 1.0), "the lower bound of temperature that is no number"),
        ((1.0, 99.0), "the upper bound of temperature from 99 to 99 degC, possible is -80 to 60"),
    ],
)
def test_a_band_that_cannot_be_is_no_forecast(  # noqa: PLR0917 - fixtures and parameters
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
    band: tuple[float, float],
    told: str,
) -> None:
    tiny_delivery(quantiles=(0.1, 0.9))
    observe("EWR", day)
    app = make_app()
    context: AppContext = app.extensions["fairweather"]
    (entry,) = context.catalogue.snapshot.live
    model = context.catalogue.model(entry)
    values = dict(zip(("q10", "q90"), band, strict=True))

    def run(_self: object, _feeds: object, outputs: list[str]) -> Any:
        return {
            name: np.full((1, 24), values.get(name.rpartition("_")[2], 5.0), dtype=np.float32)
            for name in outputs
        }

    monkeypatch.setattr(type(model.session), "run", run)
    answer = app.test_client().get("/weather/predict?area=EWR")
    problem = the_problem(answer, 422, "no-applicable-model")
    assert problem["refused_counts"] == {"invalid-output": 1}
    assert told in problem["refused"][0]["reason"]


def test_an_unknown_model_type_is_served_by_its_capabilities_and_they_are_shown(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    path = tiny_delivery(model_type="TeaLeafPredictor", quantiles=(0.1, 0.9))
    plain = tiny_delivery(areas=("LGA",))
    broken = tiny_delivery(areas=("LGA",), model=b"no", quantiles=(0.1, 0.9))
    observe("EWR", day)
    app = make_app()
    assert predict(app)["temperature"]["interval"] == [0.1, 0.9]
    client = app.test_client()
    listed = client.get("/models").json
    assert listed is not None
    told = {each["delivery_id"]: each["capabilities"] for each in listed["models"]}
    assert told == {path.name: ["uncertainty"], plain.name: [], broken.name: ["uncertainty"]}
    shown = client.get(f"/models/{path.name}").json
    assert shown is not None
    assert shown["capabilities"] == ["uncertainty"]
    lines = app.test_cli_runner().invoke(args=["models", "list"]).stdout.splitlines()
    (line,) = (each for each in lines if each.startswith(path.name))
    assert line.split()[1:5] == ["live", "TeaLeafPredictor", "EWR", "uncertainty"]
