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
        ("?q=%00", "q: found '\\x00'; found '\\x00', expected a name without the control "),
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
