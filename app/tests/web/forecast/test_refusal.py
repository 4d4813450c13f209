"""The page when there is no forecast: the cause, what to try instead, the reasons."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from flask.testing import FlaskClient

from fairweather_app import create_app
from fairweather_app.errors import ObservationStoreError
from fairweather_app.web.forecast.refusal import REASONS, reasons_in_words
from pages import EVENING, Deliver, MakeApp, Observe, read


def test_a_refusal_is_a_page_with_reasons_and_other_areas(winter_week: FlaskClient) -> None:
    answer = winter_week.get("/?area=LGA")
    page = read(answer)
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    for text in (
        "No forecast for LGA Neither model covers LGA.",
        "You asked for: LGA, latest forecast.",
        "A forecast appears here as soon as a model for LGA is delivered.",
        "fairweather-research train",
        "Why not",
        "WinterPredictor area-not-declared",
        "JFK, EWR",
        "CoastPredictor area-not-declared",
        "TLV",
    ):
        assert text in page.text
    assert "/?area=JFK" in {each.get("href") for each in page.all("a")}


@pytest.mark.parametrize(
    ("models", "cause"),
    [
        ([{"areas": ("TLV",)}], "The only model does not cover JFK."),
        ([{"areas": ("TLV",)}] * 3, "None of the 3 models covers JFK."),
        ([{"model": b"no"}], "The only model for JFK is damaged."),
        ([{"areas": ("TLV",)}, {"valid_months": [6]}], "The only model for JFK is for another"),
        (
            [{"valid_months": [6]}, {"valid_months": [7]}],
            "Both models for JFK are for another season.",
        ),
        (
            [{"areas": ("TLV",)}, {"valid_months": [6]}, {"model": b"no"}],
            "Neither model for JFK can be used: 1 is damaged and 1 is for another season.",
        ),
    ],
)
def test_a_refusal_states_the_cause_of_the_models_for_the_area(
    make_app: MakeApp,
    tiny_delivery: Deliver,
    observe: Observe,
    models: list[dict[str, Any]],
    cause: str,
) -> None:
    for each in models:
        tiny_delivery(**({"areas": ("JFK",)} | each))
    observe("JFK", [1.0] * 24, until=EVENING)
    assert cause in read(make_app().test_client().get("/?area=JFK")).text


def test_the_only_model_of_an_area_that_was_withdrawn_is_the_cause(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    app, delivery = make_app(), tiny_delivery(areas=("JFK",)).name
    context = app.extensions["fairweather"]
    context.catalogue.refresh()
    context.catalogue.decisions.add("withdraw", delivery, author="ann", reason="too warm at night")
    context.catalogue.refresh()
    page = read(app.test_client().get("/?area=JFK"))
    assert "No forecast for JFK The only model for JFK was withdrawn." in page.text


def test_every_code_of_the_contract_has_words() -> None:
    missing = set(Code) - set(REASONS)
    assert not missing, f"found no words for {missing}; expected a row in web/forecast/refusal.py"
    assert "3 refused with unheard-of" in reasons_in_words({"unheard-of": 3}, "JFK")


def test_a_refusal_by_very_many_lists_some_and_says_how_to_list_all(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    for _ in range(22):
        tiny_delivery(areas=("TLV",))
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "None of the 22 models covers JFK." in page.text
    assert "Why not (the first 20)" in page.text
    assert page.text.count("area-not-declared") == 20
    assert "And 2 more; to list all: flask --app fairweather_app models why JFK" in page.text


def test_a_forecast_with_very_many_refusals_names_the_command_that_lists_all(
    make_app: MakeApp, tiny_delivery: Deliver, observe: Observe, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",))
    for _ in range(21):
        tiny_delivery(areas=("TLV",))
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "21 models were not used" in page.text
    assert "And 1 more; to list all: flask --app fairweather_app models why JFK" in page.text


@pytest.mark.parametrize(("address", "status"), [("/", 200), ("/?area=JFK", 503)])
def test_a_store_that_cannot_be_read_is_reported_and_not_taken_for_an_empty_one(
    make_app: MakeApp, store: Path, address: str, status: int
) -> None:
    store.rmdir()
    answer = make_app().test_client().get(address)
    page = read(answer)
    assert answer.status_code == status
    assert f"{store} cannot be read" in page.text
    assert "Still loading models" in page.text
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
    assert "We have no place called “Atlantis”" in read(answer).text
    assert "/?area=JFK" in {each.get("href") for each in read(answer).all("a")}


def test_missing_observations_are_a_page_that_says_how_to_bring_them(
    winter_week: FlaskClient,
) -> None:
    answer = winter_week.get("/?area=EWR")
    page = read(answer)
    assert answer.status_code == 503
    assert "No forecast for EWR Observations for EWR are missing." in page.text
    assert "observations import FILE" in page.text
    assert "observations-missing" in page.text


def test_a_start_out_of_season_is_refused_with_advice(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",), valid_months=[6, 7])
    observe("JFK", day, until=EVENING)
    client = make_app().test_client()
    page = read(client.get("/?area=JFK&reference_time=2013-12-20T00:00Z"))
    assert "You asked for: JFK, Thursday 19 December 2013, 19:00 EST." in page.text
    assert "out-of-season" in page.text
    assert "Choose a time in the months that these models are valid for." in page.text


@pytest.mark.parametrize("start", ["yesterday", "2013-02-30T00:00", "<b>now</b>", "\x00"])
def test_a_start_that_is_no_time_is_a_page_that_says_how_to_write_one(
    winter_week: FlaskClient, start: str
) -> None:
    answer = winter_week.get("/", query_string={"area": "JFK", "reference_time": start})
    assert answer.status_code == 400
    assert "Use local time, 2013-12-20T19:00" in read(answer).text


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

    for module in ("forecast.page", "layout.rendering"):
        monkeypatch.setattr(f"fairweather_app.web.{module}.area_summaries", fail)
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
    assert "Times with a forecast" in page.text
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
    assert "Times with a forecast" not in page.text
