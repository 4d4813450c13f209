"""Pages of other origins: none may read an answer, but those of the origins that are let in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from fairweather_app import load_settings
from fairweather_app.errors import SettingsError

HOME = "https://weather.example"
ELSEWHERE = "https://elsewhere.example"
FORECAST = "/weather/predict?area=JFK"
PREFLIGHT = {"Origin": HOME, "Access-Control-Request-Method": "POST"}


@pytest.fixture
def open_to(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
) -> Callable[..., FlaskClient]:
    """A client of an app that can forecast for JFK and lets some origins in."""
    tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    return lambda *origins: make_app(cors_origins=origins).test_client()


@pytest.mark.parametrize("path", [FORECAST, "/weather/predict?area=Atlantis", "/areas", "/"])
def test_nothing_is_sent_where_nobody_is_let_in(
    open_to: Callable[..., FlaskClient], path: str
) -> None:
    client = open_to()
    for answer in (
        client.get(path, headers={"Origin": HOME}),
        client.options(path, headers=PREFLIGHT),
    ):
        assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []
        assert "Origin" not in answer.vary


@pytest.mark.parametrize(
    "path", [FORECAST, "/weather/predict?area=Atlantis", "/models", "/nowhere"]
)
def test_an_origin_that_is_let_in_may_read_answers_and_problems(
    open_to: Callable[..., FlaskClient], path: str
) -> None:
    answer = open_to(HOME, "http://localhost:8080").get(path, headers={"Origin": HOME})
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [HOME]
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert set(exposed) == {"ETag", "Retry-After", "X-Request-ID"}
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_another_origin_may_not(open_to: Callable[..., FlaskClient]) -> None:
    for origin in (ELSEWHERE, "null", HOME + ".evil.example", HOME.upper(), ""):
        answer = open_to(HOME).get(FORECAST, headers={"Origin": origin})
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": HOME}, {"Origin": ELSEWHERE}])
@pytest.mark.parametrize("path", [FORECAST, "/areas", "/models"])
def test_a_cache_is_told_that_answers_differ_by_origin(
    open_to: Callable[..., FlaskClient], path: str, headers: dict[str, str]
) -> None:
    client = open_to(HOME)
    assert "Origin" in client.get(path, headers=headers).vary
    kept = client.get(path, headers=headers).headers.get("ETag")
    if kept:
        again = client.get(path, headers={**headers, "If-None-Match": kept})
        assert again.status_code == 304
        assert "Origin" in again.vary


def test_the_fast_path_says_of_origins_what_flask_says(open_to: Callable[..., FlaskClient]) -> None:
    for origins in ([HOME], ["*"]):
        client = open_to(*origins)
        fast = client.get(FORECAST).headers
        slow = client.get(FORECAST, headers={"If-None-Match": '"another"'}).headers  # to Flask
        assert _of_origins(fast) == _of_origins(slow)


def _of_origins(headers: Headers) -> dict[str, set[str]]:
    """The headers about origins, by name; the order of their words says nothing."""
    told = [name for name in headers.keys() if name == "Vary" or name.startswith("Access-")]  # noqa: SIM118 - a list of pairs
    return {name: set(", ".join(headers.getlist(name)).split(", ")) for name in told}


def test_what_an_answer_varies_by_otherwise_is_kept(open_to: Callable[..., FlaskClient]) -> None:
    assert set(open_to(HOME).get("/models").vary) == {
        "Accept",
        "Accept-Encoding",
        "Origin",
    }


def test_a_star_lets_everyone_in_and_says_the_same_to_all(
    open_to: Callable[..., FlaskClient],
) -> None:
    client = open_to("*")
    for headers in ({}, {"Origin": ELSEWHERE}, {"Origin": "null"}):
        answer = client.get(FORECAST, headers=headers)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Origin" not in answer.vary


def test_a_preflight_is_told_what_may_be_sent(open_to: Callable[..., FlaskClient]) -> None:
    wanted = "authorization, content-type, if-none-match, x-request-id"
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": wanted}
    answer = open_to(HOME).options("/weather/predict", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == HOME
    methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert set(methods) == {"GET", "HEAD", "OPTIONS", "POST"}
    accepted = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(accepted) == {"content-type", "if-none-match", "x-request-id"}
    assert answer.headers["Access-Control-Max-Age"] == "600"


def test_a_preflight_of_another_origin_is_told_nothing(
    open_to: Callable[..., FlaskClient],
) -> None:
    answer = open_to(HOME).options("/weather/predict", headers={**PREFLIGHT, "Origin": ELSEWHERE})
    assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []


def test_the_setting_is_a_list_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRWEATHER_CORS_ORIGINS", f"{HOME}, http://localhost:8080")
    assert load_settings().cors_origins == (HOME, "http://localhost:8080")


@pytest.mark.parametrize(
    "good", ["*", HOME, "http://localhost:8080", "http://127.0.0.1:5000", "http://[::1]:3000"]
)
def test_what_browsers_send_may_be_let_in(good: str) -> None:
    assert load_settings({"cors_origins": good}).cors_origins == (good,)


@pytest.mark.parametrize(
    "wrong",
    [
        *("https://weather.example/", "https://weather.example/page", "HTTPS://Weather.Example"),
        *("https://weather.example:443", "http://weather.example:80", "http://weather.example:08"),
        *("weather.example", "ftp://weather.example", "https://", "null", "https://[::1"),
        *("https://*.weather.example", "https://wétter.example"),
        *("https://weather.example:999999", "https://a.example https://b.example"),
        *("https://weather.example:65536", "https://weather.example:70000"),
    ],
)
def test_what_no_browser_sends_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="FAIRWEATHER_CORS_ORIGINS is") as caught:
        load_settings({"cors_origins": wrong})
    assert "expected origins as browsers send them" in str(caught.value)
    assert str(caught.value).endswith(f"not {wrong!r}")


def test_a_password_in_an_origin_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"cors_origins": "https://someone:hunter2@weather.example"})
    assert str(caught.value).endswith("not 'https://***@weather.example'")


def test_all_origins_and_some_of_them_are_not_let_in_together() -> None:
    with pytest.raises(SettingsError, match="either \\* or a list"):
        load_settings({"cors_origins": f"*,{HOME}"})
