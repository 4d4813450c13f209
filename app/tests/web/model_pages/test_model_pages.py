"""The pages about models and the coverage map, through the real app."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from fairweather_app.errors import ObservationStoreError
from fairweather_app.observations import WindowCache
from pages import BROWSER, Deliver, MakeApp, Observe, read


@pytest.fixture
def several(make_app: MakeApp, tiny_delivery: Deliver) -> FlaskClient:
    """Three live deliveries and a quarantined one."""
    tiny_delivery(areas=("JFK",), topic="Winter in New York", author="Ada")
    tiny_delivery(areas=("JFK",), topic="A better winter", skill=0.6, skill_interval=(0.55, 0.65))
    tiny_delivery(areas=("TLV",), model_type="CoastPredictor", valid_months=[6, 7])
    tiny_delivery(model=b"no")
    return make_app().test_client()


def asked(client: FlaskClient, query: str = "") -> dict[str, Any]:
    content: dict[str, Any] | None = client.get(f"/models{query}").json
    assert content is not None
    return content


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, "text/html"),
        ("text/html", "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("application/json, text/html", "application/json"),
        ("", "application/json"),
    ],
)
def test_people_get_a_page_and_programs_get_json(
    several: FlaskClient, accept: str, kind: str
) -> None:
    (delivery, *_) = asked(several)["models"]
    for address in ("/models", f"/models/{delivery['delivery_id']}"):
        answer = several.get(address, headers={"Accept": accept})
        assert answer.mimetype == kind
        assert "Accept" in answer.headers["Vary"]


def test_an_unknown_delivery_is_a_page_for_people(several: FlaskClient) -> None:
    answer = several.get("/models/nothing", headers={"Accept": BROWSER})
    assert answer.status_code == 404
    assert "No such delivery" in answer.text


def test_the_page_of_models_shows_every_state_and_how_many(several: FlaskClient) -> None:
    text = several.get("/models", headers={"Accept": BROWSER}).text
    for said in ("Winter in New York", "live", "CoastPredictor", "June", "July", "corrupt"):
        assert said in text
    filtered = several.get("/models?state=quarantined", headers={"Accept": BROWSER}).text
    assert "something is wrong with the delivery itself" in filtered
    assert "A better winter" not in filtered


def test_filters_and_further_pages_keep_the_question(several: FlaskClient) -> None:
    page = read(several.get("/models?q=winter&limit=1", headers={"Accept": BROWSER}))
    links = {each["href"]: each for each in page.all("a")}
    for address in ("/models?q=winter", "/models?state=live&q=winter"):
        assert address in links
    assert links["/models?q=winter"]["aria-current"] == "true"
    (further,) = (each for each, link in links.items() if link.get("rel") == "next")
    second = read(several.get(further, headers={"Accept": BROWSER}))
    assert "First page" in second.text
    assert "2 deliveries found" in second.text


def test_the_page_of_a_delivery_shows_its_metadata(several: FlaskClient) -> None:
    (coast,) = asked(several, "?q=coast")["models"]
    text = read(several.get(f"/models/{coast['delivery_id']}", headers={"Accept": BROWSER})).text
    for expected in (
        coast["digest"],
        "Live: files verified; test examples reproduced.",
        "Season June to July",
        "Model card",
        "1 day, every hour",
        "Capabilities none beyond the forecast",
        "Hourly temperature for the last 1 day (",
        "0.25",
        "Live accuracy No data yet: no past forecast can be compared with observations.",
    ):
        assert expected in text
    assert "switched off" not in text


def test_limits_and_errors_are_in_the_units_of_each_variable(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    delivery = tiny_delivery(
        variables=("temperature", "humidity"),
        applicability_domain={
            "temperature": {"maximum": 35.0},
            "humidity": {"minimum": 20.0, "max_missing": 0.05},
        },
    ).name
    page = make_app().test_client().get(f"/models/{delivery}", headers={"Accept": BROWSER})
    text = read(page).text
    assert "Temperature: not above 35.0 °C" in text
    assert "Humidity: not below 20.0 % and at most 5 % missing" in text
    assert "percentage points" in text


def test_the_page_of_a_delivery_says_how_far_it_is_to_be_trusted(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    delivery = tiny_delivery(
        variables=("temperature", "humidity"),
        quantiles=(0.1, 0.9),
        by_lead_day=(0.3, 0.04),
        by_age={timedelta(hours=3): 0.25, timedelta(hours=24): 0.1},
        max_age=timedelta(hours=24),
        max_missing=0.1,
    ).name
    client = make_app().test_client()
    text = read(client.get(f"/models/{delivery}", headers={"Accept": BROWSER})).text
    for expected in (
        "Day Mean error Same as yesterday Usual for the season Skill In the range The forecast is",
        "EWR: temperature, °C 1 1.40 3.00 2.00 0.30 80 % informed by recent observations 2 1.92",
        "2 1.92 3.00 2.00 0.04 80 % usual for the season",
        "EWR: humidity, percentage points 1 1.40",
        "Age Mean error Same as yesterday Usual for the season Skill In the range",
        "EWR: temperature, °C 3 hours 1.50 3.00 2.00 0.25 80 % 1 day 1.80 3.00 2.00 0.10 80 %",
        "Hourly temperature for the last 1 day (up to 10 % missing, the newest at most 1 day old)",
    ):
        assert expected in text, expected


def test_the_page_of_a_delivery_without_scores_by_day_or_age_has_no_such_tables(
    several: FlaskClient,
) -> None:
    (coast,) = asked(several, "?q=coast")["models"]
    text = read(several.get(f"/models/{coast['delivery_id']}", headers={"Accept": BROWSER})).text
    for heading in ("By day of the forecast", "When observations are late", "Intended use"):
        assert heading not in text


def test_the_page_of_a_delivery_says_what_it_may_be_used_for_and_whom_to_ask(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    delivery = tiny_delivery(
        intended_use="Planning a day out.",
        limitations="<b>No</b> storms.",
        licence="CC-BY-4.0",
        contact="weather@example.org",
    ).name
    client = make_app().test_client()
    text = read(client.get(f"/models/{delivery}", headers={"Accept": BROWSER})).text
    assert (
        "Intended use Planning a day out. Limitations <b>No</b> storms. Licence CC-BY-4.0 "
        "Contact weather@example.org" in text
    )


def test_the_page_of_a_delivery_names_its_training_data(
    make_app: MakeApp, tiny_delivery: Deliver
) -> None:
    licence = "https://example.org/archive; data © A Weather Service, CC BY-SA 4.0"

    def name(document: dict[str, Any]) -> None:
        document["training"].update(data_source="graz", data_location=licence)

    delivery = tiny_delivery(change=name).name
    client = make_app().test_client()
    text = client.get(f"/models/{delivery}", headers={"Accept": BROWSER}).text
    assert "Training data" in text
    assert licence in text
    assert "1 January 2013 to 31 December 2013" in text.replace("\N{NO-BREAK SPACE}", " ")
    told = client.get(f"/models/{delivery}").json
    assert told is not None
    assert told["metadata"]["training"]["data_location"] == licence


def test_the_page_of_a_delivery_that_is_switched_off_tells_why(
    make_app: MakeApp, tiny_delivery: Deliver, tmp_path: Path
) -> None:
    delivery = tiny_delivery().name
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(f"override_cities: {{{delivery}: []}}")
    client = make_app(overrides=overrides).test_client()
    text = client.get(f"/models/{delivery}", headers={"Accept": BROWSER}).text
    assert "It is switched off for all areas." in text
    assert f"The operator narrowed {delivery} to no city." in text


def test_the_page_of_a_quarantined_delivery_tells_why(several: FlaskClient) -> None:
    (bad,) = asked(several, "?state=quarantined")["models"]
    text = several.get(f"/models/{bad['delivery_id']}", headers={"Accept": BROWSER}).text
    assert "corrupt" in text
    assert "something is wrong with the delivery itself" in text


def test_the_coverage_map_shows_the_models_and_the_gaps(several: FlaskClient) -> None:
    text = several.get("/coverage").text
    assert text.count('class="uncovered"') == 10  # TLV but for June and July
    assert text.count('class="covered"') == 14
    assert "<dt>Has neither</dt><dd>Beit-Shemesh, EWR, Jerusalem, LGA</dd>" in text


def test_the_coverage_map_has_areas_that_are_only_observed(
    several: FlaskClient, observe: Observe
) -> None:
    observe("Mars", [1.0])
    observe("LGA", [1.0])
    text = several.get("/coverage").text
    assert "<dt>Has observations, no model</dt><dd>LGA, Mars</dd>" in text
    assert "<dt>Has neither</dt><dd>Beit-Shemesh, EWR, Jerusalem</dd>" in text


def test_the_coverage_map_is_there_while_the_observations_cannot_be_read(
    several: FlaskClient, observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_ready: WindowCache) -> tuple[str, ...]:
        raise ObservationStoreError("gone")

    observe("Mars", [1.0])
    monkeypatch.setattr(WindowCache, "areas", fail)
    answer = several.get("/coverage")
    assert (answer.status_code, answer.text.count('class="covered"')) == (200, 14)
    assert "Mars" not in answer.text
    assert "<dt>Has no model</dt><dd>Beit-Shemesh, EWR, Jerusalem, LGA</dd>" in answer.text


def test_the_coverage_map_is_searched_by_area(several: FlaskClient) -> None:
    assert several.get("/coverage?q=tlv").text.count('class="covered"') == 2
