"""The page when there is no forecast: who was asked, what each said, what can be asked instead."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from fairweather_app import create_app
from fairweather_app.errors import ObservationStoreError
from pages import EVENING, Deliver, MakeApp, Observe, read


def test_a_refusal_is_a_page_with_reasons_and_other_areas(winter_week: FlaskClient) -> None:
    answer = winter_week.get("/?area=LGA")
    page = read(answer)
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    for said in (
        "No model can answer for LGA",
        "Both models were asked, and neither declares itself fit for this.",
        "It declares JFK, EWR, and not LGA.",
        "It declares TLV, and not LGA.",
        "a nearby area is never a substitute",
        "fairweather-research train",
    ):
        assert said in page.text
    assert "/?area=JFK" in {each.get("href") for each in page.all("a")}


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "The one model there is was asked, and it does not declare itself fit for this."),
        (2, "Both models were asked, and neither declares itself fit for this."),
        (3, "All 3 models were asked, and none declares itself fit for this."),
    ],
)
def test_a_refusal_counts_the_models_that_were_asked_as_people_do(
    make_app: MakeApp, tiny_delivery: Deliver, count: int, told: str
) -> None:
    for _ in range(count):
        tiny_delivery(areas=("TLV",))
    assert told in read(make_app().test_client().get("/?area=JFK")).text


def test_a_refusal_by_very_many_lists_some_and_says_how_to_list_all(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    for _ in range(22):
        tiny_delivery(areas=("TLV",))
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "All 22 models were asked" in page.text
    assert "What the first 20 candidates said" in page.text
    assert page.text.count("It declares TLV, and not JFK.") == 20
    assert "And 2 more, which flask --app fairweather_app models why JFK lists." in page.text


def test_a_forecast_that_passed_over_very_many_says_how_to_list_all(
    make_app: MakeApp, tiny_delivery: Deliver, observe: Observe, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",))
    for _ in range(21):
        tiny_delivery(areas=("TLV",))
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "21 models were passed over" in page.text
    assert "And 1 more, which flask --app fairweather_app models why JFK lists." in page.text


@pytest.mark.parametrize(("address", "status"), [("/", 200), ("/?area=JFK", 503)])
def test_a_store_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one(
    make_app: MakeApp, store: Path, address: str, status: int
) -> None:
    store.rmdir()
    answer = make_app().test_client().get(address)
    page = read(answer)
    assert answer.status_code == status
    assert f"{store} cannot be read" in page.text
    assert "The models are not known yet" in page.text
    assert "No model has been delivered yet" not in page.text


@pytest.mark.parametrize(("address", "status"), [("/", 200), ("/?area=EWR", 503)])
def test_before_the_first_look_the_page_says_so(
    settings: dict[str, Any], tiny_delivery: Deliver, address: str, status: int
) -> None:
    tiny_delivery()
    answer = create_app(settings).test_client().get(address)
    assert answer.status_code == status
    assert "The store has not been looked at yet." in read(answer).text


def test_an_unknown_area_is_a_page_too(winter_week: FlaskClient) -> None:
    answer = winter_week.get("/?area=Atlantis")
    assert answer.status_code == 404
    assert "Nobody here knows Atlantis" in read(answer).text
    assert "/?area=JFK" in {each.get("href") for each in read(answer).all("a")}


def test_missing_observations_are_a_page_that_says_how_to_bring_them(
    winter_week: FlaskClient,
) -> None:
    answer = winter_week.get("/?area=EWR")
    page = read(answer)
    assert answer.status_code == 503
    assert "Observations for EWR are missing" in page.text
    assert "observations import FILE" in page.text
    assert "observations-missing" in page.text


def test_a_start_out_of_season_is_refused_with_advice(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",), valid_months=[6, 7])
    observe("JFK", day, until=EVENING)
    client = make_app().test_client()
    page = read(client.get("/?area=JFK&reference_time=2013-12-20T00:00Z"))
    assert "Start Thursday 19 December 2013, 19:00 EST" in page.text
    assert "out-of-season" in page.text
    assert "Ask for a start in the months" in page.text


@pytest.mark.parametrize("start", ["yesterday", "2013-02-30T00:00", "<b>now</b>", "\x00"])
def test_a_start_that_is_no_time_is_a_page_that_says_how_to_write_one(
    winter_week: FlaskClient, start: str
) -> None:
    answer = winter_week.get("/", query_string={"area": "JFK", "reference_time": start})
    assert answer.status_code == 400
    assert "such as 2013-12-20T19:00" in read(answer).text


def test_without_any_model_the_page_says_what_to_do_next(client: FlaskClient) -> None:
    page = read(client.get("/"))
    assert "No model has been delivered yet." in page.text
    assert "fairweather-research train RECIPE.yaml --store STORE" in page.text
    assert "observations import FILE" in page.text
    answer = client.get("/?area=JFK")
    assert answer.status_code == 422
    assert "No model has been delivered yet" in read(answer).text


def test_with_models_and_no_observations_the_page_says_how_to_bring_them(
    tiny_delivery: Deliver, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",))
    page = read(make_app().test_client().get("/"))
    assert "No observations yet" in page.text
    assert "observations import FILE" in page.text


def test_a_database_that_fails_is_a_page_without_its_secrets(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ObservationStoreError("postgresql://user:secret@host is gone")

    monkeypatch.setattr("fairweather_app.web.forecast.page.area_summaries", fail)
    answer = client.get("/?area=JFK")
    assert answer.status_code == 503
    assert "The observations cannot be read" in read(answer).text
    assert "secret" not in answer.get_data(as_text=True)


def test_a_refusal_offers_starts_that_a_model_does_answer(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",), valid_months=[11], model_type="NovemberPredictor")
    observe("JFK", day, until=datetime(2013, 12, 1, 4, tzinfo=UTC))
    client = make_app().test_client()
    answer = client.get("/?area=JFK&reference_time=2013-12-20T00:00Z")
    page = read(answer)
    assert answer.status_code == 422
    assert "Starts that a model answers" in page.text
    assert "Saturday 30 November 2013, 23:00 EST NovemberPredictor" in page.text
    starts = [each["href"] or "" for each in page.all("a") if "11-" not in (each["href"] or "")]
    (start,) = (each for each in starts if "2013-12-01T04" in each)
    assert client.get(start).status_code == 200


def test_no_start_is_offered_that_would_be_refused(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",), valid_months=[3])  # nothing was observed in March
    observe("JFK", day, until=EVENING)
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "out-of-season" in page.text
    assert "Starts that a model answers" not in page.text
