"""Why this model, what it learned from, how old what it starts from is: through the real app."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import Forecaster
from fairweather_app.web.forecast.provenance import Learned
from pages import EVENING, Deliver, MakeApp, Observe, read

HOUR = timedelta(hours=1)
BOTH = ("temperature", "humidity")
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
BEST: dict[str, Any] = {"skill": 0.9, "skill_interval": (0.8, 0.95), "model_type": "Best"}
SECOND: dict[str, Any] = {"skill": 0.2, "skill_interval": (0.1, 0.3), "model_type": "Second"}


def temperature_only(document: dict[str, Any]) -> None:
    """Let a model that is fed with humidity too forecast temperature alone."""
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


def test_only_the_first_of_a_ranking_is_said_to_rank_first(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), valid_months=[1], **BEST)
    tiny_delivery(areas=("JFK",), **SECOND)
    text = text_of(make_app().test_client())
    assert "Second answered. It declares this area" in text
    assert "is the best that does: 1 comes before it and refused." in text
    assert "ranks first" not in text


def test_a_pinned_delivery_is_said_to_be_pinned(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), **BEST)
    second = tiny_delivery(areas=("JFK",), **SECOND).name
    text = text_of(pinned(make_app(), second))
    assert "Second answered. The operator pinned JFK to it" in text
    assert "ranks first" not in text


def test_what_falls_back_from_a_pin_is_not_said_to_rank_first(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",), **BEST)
    second = tiny_delivery(areas=("JFK",), valid_months=[1], **SECOND).name
    assert "Best answered. It declares this area" in (text := text_of(pinned(make_app(), second)))
    assert "1 comes before it and refused." in text


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (datetime(2012, 6, 20, 12, tzinfo=UTC), ""),
        (datetime(2013, 2, 5, 12, tzinfo=UTC), "This model did not learn from the weather shown"),
        (datetime(2013, 2, 12, 12, tzinfo=UTC), "learned from some of the very weather shown here"),
        (datetime(2013, 6, 20, 12, tzinfo=UTC), "learned from the very weather shown here"),
        (datetime(2014, 6, 20, 12, tzinfo=UTC), ""),
    ],
    ids=["before training", "held out", "half held out", "in training", "after training"],
)
def test_a_check_says_whether_the_model_had_learned_from_that_weather(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, start: datetime, said: str
) -> None:
    tiny_delivery(areas=("JFK",))  # of 2013, but for 1 to 13 February
    observe("JFK", [10.0] * 48, until=start + 24 * HOUR)
    text = text_of(make_app().test_client(), f"/?area=JFK&reference_time={start:%Y-%m-%dT%H:%MZ}")
    assert "What came of it" in text
    assert said in text
    assert said or "learn from" not in text.replace("learned from", "learn from")


def test_a_value_speaks_of_the_time_before_it() -> None:
    first, last = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 12, 31, tzinfo=UTC)
    block = (datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 2, 13, tzinfo=UTC))
    learned = Learned(
        source="", location="", span=(first, last), held_out={"temperature": (block,)}
    )
    shown = [learned.was_shown("temperature", time) for time in (first, first + HOUR, *block, last)]
    assert shown == [False, True, True, False, True]
    assert learned.was_shown("humidity", block[1])  # nothing of it was held out
    assert not learned.was_shown("temperature", last + HOUR)


def test_what_the_model_learned_from_is_named(
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
    assert f"Learned from graz: {licence} Model card" in text_of(client)
    assert "Learned from an archive Model card" in text_of(client, "/?area=EWR")


def test_an_old_variable_announces_itself_though_another_one_is_fresh(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=0.9, change=temperature_only)
    observe("JFK", [5.0] * 24, until=NOW)
    observe("JFK", [50.0] * 24, variable="humidity", until=NOW - 20 * HOUR)
    text = text_of(make_app().test_client())
    assert "Old observations. The newest humidity of JFK is from" in text
    assert "20 hours ago. This forecast does not know the humidity since." in text


def test_an_old_variable_that_the_model_is_not_fed_with_says_nothing(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), max_missing=0.9)
    observe("JFK", [5.0] * 24, until=NOW)
    observe("JFK", [50.0] * 24, variable="humidity", until=NOW - 20 * HOUR)
    assert "Old observations" not in text_of(make_app().test_client())


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
    assert "The newest humidity of at least half of EWR, JFK and LGA is from" in text
    assert "9 hours ago" in text


def test_a_variable_that_was_never_observed_is_named(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), variables=BOTH, max_missing=1.0, change=temperature_only)
    observe("JFK", [5.0] * 24, until=NOW)
    text = text_of(make_app().test_client())
    assert "No humidity of JFK was ever observed, so this forecast does not know it." in text


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
    assert "No humidity of EWR and LGA was ever observed" in text_of(make_app().test_client())


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
    assert "What came of it" in text_of(client, earlier)


def test_of_a_delivery_that_left_meanwhile_nothing_is_claimed(
    winter_week: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    context: AppContext = winter_week.application.extensions["fairweather"]
    monkeypatch.setattr(context.catalogue, "delivery", lambda _entry: None)
    text = text_of(winter_week)
    assert "It declares this area and holds for this time of the year and for this weather." in text
    assert "Learned from" not in text


def test_a_long_list_of_areas_is_cut_on_pages(tiny_delivery: Deliver, make_app: MakeApp) -> None:
    tiny_delivery(areas=tuple(f"Area-{k:03d}" for k in range(50)))
    text = read(make_app().test_client().get("/?area=LGA")).text
    assert "Area-008, Area-009 and 40 more, and not LGA." in text
