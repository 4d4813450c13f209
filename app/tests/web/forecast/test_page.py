"""The page, through the real app and tiny deliveries."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.web import PAGES
from fairweather_app.web.layout import rendering
from pages import BROWSER, EVENING, Deliver, MakeApp, Observe, read

HOSTILE = "<script>alert(1)</script>\"'&<!--</title>"


def test_the_models_page_tells_which_pins_hold(
    winter_week: FlaskClient, tiny_delivery: Deliver
) -> None:
    context = winter_week.application.extensions["fairweather"]
    winter, gone = tiny_delivery(areas=("JFK",)).name, tiny_delivery(areas=("EWR",)).name
    context.catalogue.decisions.add("pin", "JFK", author="ann", delivery_id=winter)
    context.catalogue.decisions.add("pin", "EWR", author="ann", delivery_id=gone)
    context.catalogue.decisions.add("withdraw", gone, author="ann", reason="too warm at night")
    context.catalogue.refresh()
    text = read(winter_week.get("/models", headers={"Accept": "text/html"})).text
    assert f"Pinned: JFK → {winter[:8]}" in text
    assert f"Inactive pin. EWR is pinned to {gone}, which may not answer" in text


def test_the_forecast_is_words_then_a_week_then_hours_in_local_time(
    winter_week: FlaskClient,
) -> None:
    answer = winter_week.get("/?area=JFK")
    page = read(answer)
    assert answer.status_code == 200
    assert "Friday 20 December: low 2 °C, high 5 °C, humidity 60 %." in page.text
    assert "Based on observations up to Thursday 19 December 2013, 19:00 EST." in page.text
    assert "Old observations. The newest observation for JFK is from Thursday 19" in page.text
    assert "This forecast is out of date." in page.text
    assert "Thursday 19 December Thu 19 from 20:00" in page.text
    assert "America/New_York (EST)" in page.text
    times = page.all("time")
    assert len(times) == 168
    assert times[0]["datetime"] == "2013-12-20T01:00Z"


def test_the_page_names_a_band_where_there_is_one(
    winter_week: FlaskClient, tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("LGA",), quantiles=(0.1, 0.9), samples=168)
    observe("LGA", [2.0] * 168, until=EVENING)
    page = read(make_app().test_client().get("/?area=LGA"))
    assert "In brackets: 80 % range." in page.text
    assert "2.0 (\N{MINUS SIGN}2.0 to 6.0)" in page.text
    assert "80 % range" not in read(winter_week.get("/?area=JFK")).text


def test_the_page_names_the_model_why_it_was_chosen_and_what_was_refused(
    winter_week: FlaskClient,
) -> None:
    page = read(winter_week.get("/?area=JFK"))
    for text in (
        "WinterPredictor made this forecast.",
        "is the best-ranked that does. 1 other model does not cover JFK or could not be used.",
        "Temperature: 25 % more accurate than the best simple guess",
        "Winter in New York",
        "The winter team",
        "Training data up to",
        "1 model was not used",
        "CoastPredictor",
        "area-not-declared",
        "TLV",
    ):
        assert text in page.text
    assert any(
        re.fullmatch(r"/models/[0-9a-f-]{36}/card/", each.get("href") or "")
        for each in page.all("a")
    )


def test_the_links_of_the_pages_lead_somewhere(winter_week: FlaskClient) -> None:
    listed = winter_week.get("/models").json
    assert listed is not None
    addresses = [
        *("/", "/?area=JFK", "/?area=LGA", "/?area=JFK&reference_time=2013-12-19T19:00"),
        *("/models", "/coverage"),
        *(f"/models/{each['delivery_id']}" for each in listed["models"]),
    ]
    for address in addresses:
        for link in read(winter_week.get(address, headers={"Accept": BROWSER})).all("a"):
            target = link["href"] or ""
            if not target.startswith("#"):
                assert winter_week.get(target).status_code != 404, target


def test_behind_a_prefix_every_address_of_a_page_begins_with_it(
    winter_week: FlaskClient, make_app: MakeApp, tmp_path: Path
) -> None:
    empty = make_app(store=tmp_path).test_client()
    for client, address in ((winter_week, "/?area=JFK"), (winter_week, "/"), (empty, "/?area=")):
        page = read(client.get(address, base_url="http://localhost/weather-app"))
        for _, attributes in page.elements:
            for name in ("href", "src", "action", "data-library"):
                target = attributes.get(name) or "#"
                assert target.startswith(("#", "/weather-app/")), target


def test_the_hour_that_comes_twice_is_told_apart_by_its_zone(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), samples=48)
    observe("JFK", [10.0] * 48, until=datetime(2013, 11, 3, 0, tzinfo=UTC))
    text = make_app().test_client().get("/?area=JFK").text
    clocks = re.findall(r'<time datetime="2013-11-0([^"]+)">([^<]+)</time>', text)
    told = dict(clocks)
    assert (told["3T03:00Z"], told["3T04:00Z"]) == ("23:00", "00:00 EDT")
    assert (told["3T05:00Z"], told["3T06:00Z"]) == ("01:00 EDT", "01:00 EST")
    assert (told["4T04:00Z"], told["4T05:00Z"]) == ("23:00 EST", "00:00")


def test_synthetic_models_wear_a_badge(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    def invent(document: dict[str, Any]) -> None:
        document["training"]["synthetic"] = True

    tiny_delivery(areas=("JFK",), change=invent)
    observe("JFK", day)
    page = read(make_app().test_client().get("/?area=JFK"))
    assert "synthetic: trained on simulated data" in page.text


def test_real_models_wear_none(winter_week: FlaskClient) -> None:
    assert "synthetic" not in read(winter_week.get("/?area=JFK")).text


def test_an_area_is_found_however_it_is_capitalised(winter_week: FlaskClient) -> None:
    assert "humidity 60 %" in read(winter_week.get("/?area=+jfk+")).text


def test_a_start_is_local_time_and_comes_back_in_the_form(winter_week: FlaskClient) -> None:
    page = read(winter_week.get("/?area=JFK&reference_time=2013-12-19T19:00"))
    assert "Based on observations up to Thursday 19 December 2013, 19:00 EST" in page.text
    (field,) = (each for each in page.all("input") if each["name"] == "reference_time")
    assert field["value"] == "2013-12-19T19:00"
    as_json = "/weather/predict?area=JFK&reference_time=2013-12-20T00:00Z"
    assert as_json in {each.get("href") for each in page.all("a")}


def test_without_an_area_the_page_offers_those_that_are_served(winter_week: FlaskClient) -> None:
    page = read(winter_week.get("/"))
    links = {each.get("href") for each in page.all("a")}
    assert {"/?area=JFK", "/?area=EWR", "/?area=TLV"} <= links
    assert "/?area=LGA" not in links
    assert "LGA" in page.text  # known from the definitions, and said to have no model


def test_names_and_texts_of_deliveries_stay_text(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]
) -> None:
    tiny_delivery(areas=(HOSTILE,), topic=HOSTILE, author=HOSTILE, model_type=HOSTILE)
    observe(HOSTILE, day)
    client = make_app().test_client()
    for query in ({}, {"area": HOSTILE}, {"area": "LGA"}, {"area": HOSTILE + "?"}):
        page = read(client.get("/", query_string=query))
        assert HOSTILE in page.text + str(page.all("option"))
        for script in page.all("script"):
            assert script.get("src") or script["type"] == "application/json"
        for body in page.scripts:
            assert "<" not in body
    assert read(client.get("/", query_string={"area": HOSTILE})).all("table")


def test_the_chart_is_given_its_numbers_as_data(
    winter_week: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "has_chart_library", lambda: True)
    page = read(winter_week.get("/?area=JFK"))
    numbers = json.loads("".join(page.scripts))
    assert [series["name"] for series in numbers["series"]] == ["temperature", "humidity"]
    assert len(numbers["time"]) == len(numbers["series"][0]["value"]) == 168
    assert len(numbers["nights"]) == 10  # two of them before the start


def test_without_the_chart_library_words_and_tables_are_whole(
    winter_week: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "has_chart_library", lambda: False)
    page = read(winter_week.get("/?area=JFK"))
    assert "low 2 °C, high 5 °C" in page.text
    assert len(page.all("time")) == 168
    assert page.all("script") == []
    assert page.all("figure") == []


EVERY_PAGE = (
    *("/", "/?area=JFK", "/?area=LGA", "/?area=Atlantis", "/?area=JFK&reference_time=x"),
    *("/models", "/models?state=live&q=winter", "/models?limit=0", "/models/nothing"),
    *("/coverage", "/coverage?q=J", "/coverage?q=nowhere"),
    "/docs",
)


def test_every_page_of_the_app_is_among_these(app: Flask) -> None:
    addresses = app.url_map.bind("localhost")
    read_here = {addresses.match(urlsplit(each).path)[0] for each in EVERY_PAGE}
    forgotten = {page.endpoint for page in PAGES} - read_here
    assert not forgotten, f"found no address of {forgotten}; expected one in EVERY_PAGE"


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_every_page_can_be_read_by_everyone(winter_week: FlaskClient, address: str) -> None:
    page = read(winter_week.get(address, headers={"Accept": BROWSER}))
    assert page.all("html")[0]["lang"] == "en"
    for landmark in ("header", "main", "footer", "h1"):
        assert len(page.all(landmark)) == 1, landmark
    assert page.all("search")
    assert all(each.get("aria-label") for each in page.all("nav"))
    labelled = {each["for"] for each in page.all("label")}
    shown = [each for each in page.all("input") if each.get("type") != "hidden"]
    assert {each["id"] for each in shown} == labelled
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for section in page.all("section"):
        assert section["aria-labelledby"] in ids
    assert all(each.get("scope") for each in page.all("th"))
    assert "width=device-width" in str(page.all("meta"))


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_a_page_lets_nothing_in_and_asks_no_other_host(
    winter_week: FlaskClient, address: str
) -> None:
    answer = winter_week.get(address, headers={"Accept": BROWSER})
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.get_data(as_text=True)
    assert not re.search(r"(https?:)?//[a-z0-9]", text, re.IGNORECASE)
    assert not re.search(r"\s(style|on[a-z]+)\s*=", text)


def test_the_units_of_an_address_are_obeyed_and_remembered(winter_week: FlaskClient) -> None:
    page = read(winter_week.get("/?area=JFK&units=F"))
    assert "low 36 °F, high 41 °F" in page.text
    assert "humidity 60 %" in page.text
    assert "°C" not in page.text.replace("°C °F", "")
    assert "low 36 °F, high 41 °F" in read(winter_week.get("/?area=JFK")).text
    assert "low 2 °C, high 5 °C" in read(winter_week.get("/?area=JFK&units=c")).text
    assert "low 2 °C, high 5 °C" in read(winter_week.get("/?area=JFK&units=kelvin")).text


@pytest.mark.parametrize("area", ["JFK", "LGA", ""])
def test_units_of_the_address_stay_there_for_whoever_keeps_no_cookies(
    winter_week: FlaskClient, area: str
) -> None:
    client = winter_week.application.test_client(use_cookies=False)
    page = read(client.get(f"/?area={area}&units=f"))
    assert {"type": "hidden", "name": "units", "value": "F"} in page.all("input")
    links = {each["href"] or "" for each in page.all("a")}
    pages = {each for each in links if each.startswith("/?") and "units=C" not in each}
    assert len(pages) > 1
    assert all("units=F" in each for each in pages), pages
    plain = read(client.get(f"/?area={area}"))
    assert all(each["name"] != "units" for each in plain.all("input"))
    assert not any("units=" in (each["href"] or "") for each in plain.all("a") if area != "JFK")


def test_the_area_that_was_read_last_is_where_the_page_leads(winter_week: FlaskClient) -> None:
    assert winter_week.get("/").status_code == 200
    assert winter_week.get("/?area=JFK").status_code == 200
    lead = winter_week.get("/")
    assert (lead.status_code, lead.location) == (302, "/?area=JFK")
    assert "Cookie" in lead.headers["Vary"]
    assert winter_week.get("/?area=").status_code == 200  # the choice of areas is still to be had
    assert winter_week.get("/?area=LGA").status_code == 422
    assert winter_week.get("/").location == "/?area=JFK"  # a refusal is not remembered


def test_what_is_asked_without_an_area_is_asked_of_the_remembered_one(
    winter_week: FlaskClient,
) -> None:
    winter_week.get("/?area=JFK")
    lead = winter_week.get("/?units=F&reference_time=2013-12-19T19:00")
    assert "fairweather-units=F" in lead.headers["Set-Cookie"]
    asked = parse_qs(urlsplit(lead.location or "").query)
    assert asked == {"area": ["JFK"], "units": ["F"], "reference_time": ["2013-12-19T19:00"]}
    page = read(winter_week.get(lead.location or ""))
    assert "Based on observations up to Thursday 19 December 2013, 19:00 EST" in page.text
    assert "°F" in page.text


def test_what_is_remembered_stays_with_this_page(winter_week: FlaskClient) -> None:
    (cookie,) = winter_week.get("/?area=JFK").headers.getlist("Set-Cookie")
    for said in ("fairweather-area=JFK", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert said in cookie
    assert winter_week.get("/?area=JFK").headers.getlist("Set-Cookie") == []


def test_a_remembered_area_that_is_no_more_is_forgotten(winter_week: FlaskClient) -> None:
    winter_week.set_cookie("fairweather-area", "Atlantis%0d%0a")
    winter_week.set_cookie("fairweather-units", "<b>")
    answer = winter_week.get("/")
    assert answer.status_code == 200
    assert "Choose an area" in read(answer).text


def test_a_forecast_of_the_past_is_shown_beside_the_observations(
    winter_week: FlaskClient, observe: Observe
) -> None:
    page = read(winter_week.get("/?area=JFK&reference_time=2013-12-20T00:00Z"))
    assert "How it turned out" not in page.text
    assert "Recent observations" in page.text
    observe("JFK", [4.5] * 24, until=datetime(2013, 12, 21, 0, tzinfo=UTC))
    page = read(winter_week.get("/?area=JFK&reference_time=2013-12-20T00:00Z"))
    # forecast are 2, 3, 4, 5, and so on: wrong by 2.5, 1.5, 0.5 and 0.5
    assert "Temperature: wrong by 1.2 °C on average over 24 values" in page.text
    assert "These observations were in the model's training data" in page.text
    assert "Humidity: wrong by" not in page.text


def test_a_page_is_for_one_reader_and_revalidated(winter_week: FlaskClient) -> None:
    answer = winter_week.get("/?area=JFK")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in answer.vary


def test_the_page_follows_the_system_into_the_dark(winter_week: FlaskClient) -> None:
    page = read(winter_week.get("/"))
    assert {"name": "color-scheme", "content": "light dark"} in page.all("meta")
