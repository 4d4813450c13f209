"""The list of deliveries: filtered, searched, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.errors import ObservationStoreError
from fairweather_app.observations import WindowCache

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]


@pytest.fixture
def several(make_app: MakeApp, tiny_delivery: Build) -> FlaskClient:
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


def test_without_a_question_all_are_listed_as_ever(several: FlaskClient) -> None:
    content = asked(several)
    ids = [each["delivery_id"] for each in content["models"]]
    assert ids == sorted(ids)
    assert len(ids) == 4
    assert set(content) == {"store", "pins", "models"}  # nothing of pages, where one is enough


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?state=live", 3),
        ("?state=quarantined", 1),
        ("?state=withdrawn", 0),
        ("?area=JFK", 2),
        ("?area=JFK&state=live", 2),
        ("?area=Atlantis", 0),
        ("?q=coast", 1),
        ("?q=WINTER", 2),
        ("?q=winter+better", 1),
        ("?q=ada", 1),
        ("?q=corrupt", 1),
        ("?q=tlv", 1),
        ("?q=nothing+of+the+kind", 0),
    ],
)
def test_a_question_narrows_the_list(several: FlaskClient, query: str, count: int) -> None:
    assert len(asked(several, query)["models"]) == count


def test_months_are_listed(several: FlaskClient) -> None:
    (coast,) = asked(several, "?q=coast")["models"]
    assert coast["valid_months"] == [6, 7]


def test_pages_follow_each_other_and_hold_everything_once(several: FlaskClient) -> None:
    whole = [each["delivery_id"] for each in asked(several)["models"]]
    seen: list[str] = []
    address: str | None = "/models?limit=1"
    while address is not None:
        content = several.get(address).json
        assert content is not None
        assert content["total"] == 4
        assert len(content["models"]) == 1
        seen += [each["delivery_id"] for each in content["models"]]
        address = content.get("next")
    assert seen == whole


def test_the_next_page_asks_the_same_question(several: FlaskClient) -> None:
    content = asked(several, "?limit=1&state=live&q=winter")
    query = parse_qs(urlsplit(content["next"]).query)
    assert query == {
        "limit": ["1"], "state": ["live"], "q": ["winter"],
        "after": [content["models"][0]["delivery_id"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=many", "limit"),
        ("?limit=many", "limit: found 'many'; expected a valid integer"),
        ("?state=dead", "state: found 'dead'; expected 'live', 'refused', "),
        ("?q=%00", "q: found '\\x00'; '\\x00' holds characters that cannot be printed"),
        ("?state=live&state=refused", "state: given more than once"),
        ("?page=2", "page: not a parameter; expected state, area, q, limit, after"),
        ("?q=", "q"),
        ("?q=a&q=b", "q: given more than once"),
    ],
)
def test_what_cannot_be_asked_is_told(several: FlaskClient, query: str, said: str) -> None:
    problems = the_problem(several.get(f"/models{query}"), 400, "invalid-request")["problems"]
    assert any(each.startswith(said) for each in problems)
    page = several.get(f"/models{query}", headers={"Accept": BROWSER})
    assert page.status_code == (200 if query == "?q=" else 400)  # a form sends empty fields


# ------------------------------------------------------------------------- people and programs


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
    assert "No such delivery is known" in answer.text


def test_the_page_of_models_shows_every_state_and_how_many(several: FlaskClient) -> None:
    text = several.get("/models", headers={"Accept": BROWSER}).text
    for said in ("Winter in New York", "live", "CoastPredictor", "June", "July", "corrupt"):
        assert said in text
    filtered = several.get("/models?state=quarantined", headers={"Accept": BROWSER}).text
    assert "something is wrong with the delivery itself" in filtered
    assert "A better winter" not in filtered


def test_the_page_of_a_delivery_says_what_it_declares(several: FlaskClient) -> None:
    (coast,) = asked(several, "?q=coast")["models"]
    text = several.get(f"/models/{coast['delivery_id']}", headers={"Accept": BROWSER}).text
    for said in (coast["digest"], "June to July", "Model card", "every hour", "0.25", "Serves:"):
        assert said in text
    assert "answer nowhere" not in text


def test_the_page_of_a_delivery_says_what_it_learned_from(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    licence = "https://example.org/archive; data © A Weather Service, CC BY-SA 4.0"

    def name(document: dict[str, Any]) -> None:
        document["training"].update(data_source="graz", data_location=licence)

    delivery = tiny_delivery(change=name).name
    client = make_app().test_client()
    text = client.get(f"/models/{delivery}", headers={"Accept": BROWSER}).text
    assert "What it learned from" in text
    assert licence in text
    assert "1 January 2013 to 31 December 2013" in text.replace("\N{NO-BREAK SPACE}", " ")
    told = client.get(f"/models/{delivery}").json
    assert told is not None
    assert told["metadata"]["training"]["data_location"] == licence


def test_the_page_of_a_delivery_that_is_kept_back_says_so(
    make_app: MakeApp, tiny_delivery: Build, tmp_path: Path
) -> None:
    delivery = tiny_delivery().name
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(f"override_cities: {{{delivery}: []}}")
    client = make_app(overrides=overrides).test_client()
    text = client.get(f"/models/{delivery}", headers={"Accept": BROWSER}).text
    assert "All the same it may answer nowhere." in text
    assert f"The operator narrowed {delivery} to no city." in text


def test_the_page_of_a_quarantined_delivery_says_why(several: FlaskClient) -> None:
    (bad,) = asked(several, "?state=quarantined")["models"]
    text = several.get(f"/models/{bad['delivery_id']}", headers={"Accept": BROWSER}).text
    assert "corrupt" in text
    assert "something is wrong with the delivery itself" in text


def test_the_coverage_map_says_who_answers_and_where_nobody_does(several: FlaskClient) -> None:
    text = several.get("/coverage").text
    assert text.count('class="nobody"') == 10  # TLV but for June and July
    assert text.count('class="covered"') == 14
    assert "<dt>Not observed either</dt><dd>Beit-Shemesh, EWR, Jerusalem, LGA</dd>" in text


def test_the_coverage_map_has_areas_that_are_only_observed(
    several: FlaskClient, observe: Callable[..., None]
) -> None:
    observe("Mars", [1.0])
    observe("LGA", [1.0])
    text = several.get("/coverage").text
    assert "<dt>Observed, and waiting for a model</dt><dd>LGA, Mars</dd>" in text
    assert "<dt>Not observed either</dt><dd>Beit-Shemesh, EWR, Jerusalem</dd>" in text


def test_the_coverage_map_is_there_while_the_observations_cannot_be_read(
    several: FlaskClient, observe: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_ready: WindowCache) -> tuple[str, ...]:
        raise ObservationStoreError("gone")

    observe("Mars", [1.0])
    monkeypatch.setattr(WindowCache, "areas", fail)
    answer = several.get("/coverage")
    assert (answer.status_code, answer.text.count('class="covered"')) == (200, 14)
    assert "Mars" not in answer.text
    assert "<dt>Known by name</dt><dd>Beit-Shemesh, EWR, Jerusalem, LGA</dd>" in answer.text


def test_the_coverage_map_is_searched_by_area(several: FlaskClient) -> None:
    assert several.get("/coverage?q=tlv").text.count('class="covered"') == 2
