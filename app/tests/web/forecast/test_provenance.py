"""Why this model, its training data, how old its inputs are: through the real app."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from fairweather_interface.metadata import read_metadata
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import Forecaster
from fairweather_app.web.forecast import page
from fairweather_app.web.forecast.provenance import count_trained
from fairweather_app.web.forecast.series import Series
from pages import EVENING, Deliver, MakeApp, Observe, read

HOUR = timedelta(hours=1)
BOTH = ("temperature", "humidity")
NOW = datetime(2024, 5, 3, 12, tzinfo=UTC)
BEST: dict[str, Any] = {"skill": 0.9, "skill_interval": (0.8, 0.95), "model_type": "Best"}
SECOND: dict[str, Any] = {"skill": 0.2, "skill_interval": (0.1, 0.3), "model_type": "Second"}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reader's present be half an hour after `NOW`."""

    class Frozen(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            moment = NOW + HOUR / 2
            return cls.fromtimestamp(moment.timestamp(), tz)

    monkeypatch.setattr(page, "datetime", Frozen)


def temperature_only(document: dict[str, Any]) -> None:
    """Let a model that has humidity as an input too forecast temperature alone."""
    document["outputs"] = [each for each in document["outputs"] if "temp" in each["name"]]
    document["tolerance"].pop("humidity_forecast")
    document["performance"] = [
        each for each in document["performance"] if each["variable"] == "temperature"
    ]


def text_of(client: FlaskClient, address: str = "/?area=JFK") -> str:
    answer = client.get(address)
    assert answer.status_code == 200, read(answer).text
    return read(answer).text


def pinned(app: Flask, delivery_id: str) -> FlaskClient:
    """A client of an app whose operator has pinned JFK to a delivery."""
    context: AppContext = app.extensions["fairweather"]
    context.catalogue.decisions.add("pin", "JFK", author="ann", delivery_id=delivery_id)
    context.catalogue.refresh()
    return app.test_client()


def test_only_the_first_of_a_ranking_is_called_the_best(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), valid_months=[1], **BEST)
    tiny_delivery(areas=("JFK",), **SECOND)
    text = text_of(make_app().test_client())
    assert "Second made this forecast. It covers this area, season and conditions" in text
    assert "is the best-ranked that does. One better-ranked model could not be used." in text


def test_a_pinned_delivery_is_named_as_the_operators_choice(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), **BEST)
    second = tiny_delivery(areas=("JFK",), **SECOND).name
    text = text_of(pinned(make_app(), second))
    assert "Second made this forecast. The operator chose it for JFK." in text
    assert "best-ranked" not in text


def test_what_falls_back_from_a_pin_is_not_called_the_first_choice(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), **BEST)
    second = tiny_delivery(areas=("JFK",), valid_months=[1], **SECOND).name
    text = text_of(pinned(make_app(), second))
    assert "Best made this forecast. It covers this area" in text
    assert "One better-ranked model could not be used." in text


@pytest.mark.parametrize(
    ("start", "note"),
    [
        (datetime(2012, 6, 20, 12, tzinfo=UTC), ""),
        (
            datetime(2013, 2, 5, 12, tzinfo=UTC),
            "These observations were not in the model's training data: it was held out",
        ),
        (
            datetime(2013, 2, 12, 12, tzinfo=UTC),
            "Part of these observations was in the model's training data",
        ),
        (
            datetime(2013, 6, 20, 12, tzinfo=UTC),
            "These observations were in the model's training data",
        ),
        (datetime(2014, 6, 20, 12, tzinfo=UTC), ""),
    ],
    ids=["before training", "held out", "half held out", "in training", "after training"],
)
def test_a_verification_tells_whether_the_weather_was_training_data(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, start: datetime, note: str
) -> None:
    tiny_delivery(areas=("JFK",))  # of 2013, but for 1 to 13 February
    observe("JFK", [10.0] * 48, until=start + 24 * HOUR)
    text = text_of(make_app().test_client(), f"/?area=JFK&reference_time={start:%Y-%m-%dT%H:%MZ}")
    assert "How it turned out" in text
    assert note in text
    assert note or "in the model's training data" not in text


def test_a_value_is_of_the_time_before_it(tiny_delivery: Deliver) -> None:
    delivery = tiny_delivery(areas=("JFK",))
    metadata = read_metadata((delivery / "metadata.json").read_bytes())
    first, last = metadata.training.train_start_time, metadata.training.train_end_time
    (block,) = metadata.performance[0].held_out or ()
    assert first is not None

    def count(variable: str, time: datetime) -> tuple[int, int]:
        series = Series(variable=variable, label="", unit="", values=[1.0], observed=[1.0])
        return count_trained(metadata, "JFK", [series], [time])

    times = (first, first + HOUR, block.start, block.end, last)
    shown = [count("temperature", time) for time in times]
    assert shown == [(0, 0), (1, 0), (1, 0), (0, 1), (1, 0)]
    assert count("humidity", block.end) == (1, 0)  # nothing of it was held out
    assert count("temperature", last + HOUR) == (0, 0)


def test_the_training_data_are_named(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    licence = "data © A Weather Service, CC BY-SA 4.0"

    def name(document: dict[str, Any]) -> None:
        document["training"].update(data_source="graz", data_location=licence)

    def tell(document: dict[str, Any]) -> None:
        document["training"].update(data_source="an archive", data_location="x" * 1000)

    tiny_delivery(areas=("JFK",), change=name)
    tiny_delivery(areas=("EWR",), change=tell)
    observe("JFK", day)
    observe("EWR", day)
    client = make_app().test_client()
    assert f"Training data graz: {licence} Model card" in text_of(client)
    assert "Training data an archive Model card" in text_of(client, "/?area=EWR")


@pytest.mark.usefixtures("frozen")
def test_an_old_variable_announces_itself_though_another_one_is_fresh(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=0.9, change=temperature_only)
    observe("JFK", [5.0] * 24, until=NOW)
    observe("JFK", [50.0] * 24, variable="humidity", until=NOW - 20 * HOUR)
    text = text_of(make_app().test_client())
    assert "Old observations. The newest humidity observation for JFK is from" in text
    assert "20 hours ago. Humidity since then is not included." in text


@pytest.mark.usefixtures("frozen")
def test_an_old_variable_that_is_no_input_of_the_model_is_not_announced(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), max_missing=0.9)
    observe("JFK", [5.0] * 24, until=NOW)
    observe("JFK", [50.0] * 24, variable="humidity", until=NOW - 20 * HOUR)
    assert "Old observations" not in text_of(make_app().test_client())


@pytest.mark.usefixtures("frozen")
def test_a_region_is_as_old_as_the_half_of_it_that_is_freshest(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    def of_three(document: dict[str, Any]) -> None:
        temperature_only(document)
        (humidity,) = (each for each in document["inputs"] if each["name"] == "humidity")
        humidity["areas"] = ["EWR", "JFK", "LGA"]

    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=0.9, change=of_three)
    observe("JFK", [5.0] * 24, until=NOW)
    for hours, area in ((0, "JFK"), (9, "EWR"), (40, "LGA")):
        observe(area, [50.0] * 24, variable="humidity", until=NOW - hours * HOUR)
    text = text_of(make_app().test_client())
    assert "The newest humidity observation for at least half of EWR, JFK and LGA is from" in text
    assert "9 hours ago" in text


@pytest.mark.usefixtures("frozen")
def test_a_variable_that_was_never_observed_is_named(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=1.0, change=temperature_only)
    observe("JFK", [5.0] * 24, until=NOW)
    text = text_of(make_app().test_client())
    assert "Humidity was never observed at JFK and is not included." in text


@pytest.mark.usefixtures("frozen")
def test_a_region_that_mostly_was_never_observed_names_what_lacks(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    def of_three(document: dict[str, Any]) -> None:
        temperature_only(document)
        (humidity,) = (each for each in document["inputs"] if each["name"] == "humidity")
        humidity["areas"] = ["EWR", "JFK", "LGA"]

    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=1.0, change=of_three)
    for name in BOTH:
        observe("JFK", [5.0] * 24, variable=name, until=NOW)
    assert "Humidity was never observed at EWR and LGA" in text_of(make_app().test_client())


def test_a_week_earlier_is_linked_and_costs_no_prediction(
    tiny_delivery: Deliver,
    observe: Observe,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[datetime] = []

    def count(*arguments: Any, **options: Any) -> Any:
        tried.append(arguments[3])
        return attempt(*arguments, **options)

    attempt = Forecaster.attempt
    monkeypatch.setattr(Forecaster, "attempt", count)
    tiny_delivery(areas=("JFK",))
    observe("JFK", [5.0] * 24 * 9, until=EVENING)
    client = make_app().test_client()
    page = read(client.get("/?area=JFK"))
    assert tried == [EVENING]
    earlier = "/?area=JFK&reference_time=2013-12-13T00:00Z"
    assert earlier in {each["href"] for each in page.all("a")}
    assert "How it turned out" in text_of(client, earlier)


def test_nothing_is_claimed_of_a_delivery_that_left_meanwhile(
    winter_week: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    context: AppContext = winter_week.application.extensions["fairweather"]
    monkeypatch.setattr(context.catalogue, "delivery", lambda _entry: None)
    text = text_of(winter_week)
    assert "It covers this area, season and conditions." in text
    assert "Training data" not in text.replace("Training data up to", "")


def test_a_long_list_of_areas_is_cut_on_pages(tiny_delivery: Deliver, make_app: MakeApp) -> None:
    tiny_delivery(areas=tuple(f"Area-{k:03d}" for k in range(50)))
    text = read(make_app().test_client().get("/?area=LGA")).text
    assert "Area-008, Area-009 and 40 more, and not LGA." in text
