"""Behind a proxy: a path prefix, and the forwarded headers of those proxies that are trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.errors import SettingsError
from fairweather_app.settings import load_settings
from pages import BROWSER, EVENING, Deliver, MakeApp, Observe, read

FORECAST = "/weather/predict?area=JFK"
FORWARDED = {
    "X-Forwarded-Prefix": "/wx",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "weather.example",
}
PLACES = ("/", "/?area=JFK", "/?area=LGA", "/?area=Atlantis", "/models", "/coverage", "/docs")
Behind = Callable[..., FlaskClient]


@pytest.fixture
def behind(tiny_delivery: Deliver, observe: Observe, make_app: MakeApp, day: list[float]) -> Behind:
    """Return a client of an app with settings, and with two deliveries."""
    for _ in range(2):
        tiny_delivery(areas=("JFK",))
    observe("JFK", day, until=EVENING)
    return lambda **settings: make_app(**settings).test_client(use_cookies=False)


def addresses(client: FlaskClient, path: str, headers: dict[str, str]) -> set[str]:
    """Return every address on a page, but for those in the page itself."""
    page = read(client.get(path, headers=headers | {"Accept": BROWSER}))
    names = ("href", "src", "action", "data-library", "data-document")
    found = {attributes.get(name) or "#" for _, attributes in page.elements for name in names}
    return {each for each in found if not each.startswith("#")}


def answered(client: FlaskClient, path: str, headers: dict[str, str]) -> tuple[bytes, str]:
    answer = client.get(path, headers=headers)
    return answer.data, re.sub(r"Expires=.*? GMT", "", answer.headers.get("Set-Cookie", ""))


def document(client: FlaskClient, headers: dict[str, str]) -> Any:
    return json.loads(client.get("/openapi.json", headers=headers).data)


@pytest.mark.parametrize(
    ("proxied", "headers"),
    [
        ({"path_prefix": "/wx"}, {}),
        ({"path_prefix": "/wx"}, FORWARDED | {"X-Forwarded-Prefix": "/other"}),
        ({"proxies": 1}, FORWARDED),
        ({"proxies": 1}, FORWARDED | {"X-Forwarded-Prefix": "//elsewhere.example, /wx/"}),
        ({"proxies": 2}, {"X-Forwarded-Prefix": "/client, /wx, /inner"}),
        ({"proxies": 1, "path_prefix": "/inner"}, FORWARDED),
        ({"proxies": 1, "path_prefix": "/wx"}, {}),
    ],
)
def test_everything_that_leads_somewhere_begins_with_the_prefix(
    behind: Behind, proxied: dict[str, Any], headers: dict[str, str]
) -> None:
    client = behind(**proxied)
    for path in PLACES:
        found = addresses(client, path, headers)
        assert len(found) > 5
        assert {each for each in found if not each.startswith("/wx/")} == set(), path
    following = client.get("/models?limit=1", headers=headers).json["next"]  # type: ignore[index]
    assert following.startswith("/wx/models?limit=1&after=")
    model = client.get("/models", headers=headers).json["models"][0]["delivery_id"]  # type: ignore[index]
    detail = client.get(f"/models/{model}", headers=headers).json
    assert detail is not None
    assert detail["card"] == f"/wx/models/{model}/card/"
    assert client.get(f"/models/{model}/card", headers=headers).location == detail["card"]
    assert document(client, headers)["servers"] == [{"url": "/wx"}]
    (kept,) = client.get("/?area=JFK", headers=headers).headers.getlist("Set-Cookie")
    assert "; Path=/wx/;" in kept + ";"
    last = client.get("/", headers=headers | {"Cookie": kept.partition(";")[0]})
    assert (last.status_code, last.location) == (302, "/wx/?area=JFK")


@pytest.mark.parametrize("proxies", [0, 2])  # of two proxies, one did not set them
def test_what_is_not_trusted_changes_nothing(behind: Behind, proxies: int) -> None:
    client = behind(proxies=proxies)
    for path in (*PLACES, "/models?limit=1", "/openapi.json", FORECAST):
        assert answered(client, path, FORWARDED) == answered(client, path, {}), path


def test_a_prefix_that_is_no_plain_path_and_a_scheme_of_no_page_change_nothing(
    behind: Behind,
) -> None:
    client = behind(proxies=1)
    for prefix in (
        *("//elsewhere.example", "https://elsewhere.example", "wx", "/..", "/a/../b", "/%2f"),
        *("/a b", '/"onload=', "/wx;Path=/", "/a\\b", "/a?b", "/a#b", "/\u00e4"),
    ):
        headers = {"X-Forwarded-Prefix": prefix, "X-Forwarded-Proto": "javascript"}
        for path in ("/?area=JFK", "/models?limit=1", "/openapi.json"):
            assert answered(client, path, headers) == answered(client, path, {}), prefix


@pytest.mark.parametrize("prefix", ["/wx", "/a/b", "/weather", "/models"])
def test_the_proxy_may_strip_the_prefix_from_the_path_or_leave_it(
    behind: Behind, prefix: str
) -> None:
    client = behind(path_prefix=prefix)
    for path in ("/healthz", "/areas", FORECAST, "/models", "/?area=JFK"):
        assert client.get(path).status_code == 200
        if prefix != "/models":  # where /models/areas is the delivery `areas`
            left = client.get(prefix + path)
            assert (left.status_code, left.data) == (200, client.get(path).data), path
    assert client.get(f"{prefix}x/areas").status_code == 404
    if prefix != "/models":
        assert client.get(prefix).text == client.get("/").text


def test_a_redirect_says_neither_host_nor_scheme(behind: Behind, store: Path) -> None:
    model = next(store.iterdir()).name
    answer = behind().get(f"/models/{model}/card?x=1", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.location) == (308, f"/models/{model}/card/?x=1")
    assert "elsewhere" not in answer.text


@pytest.mark.parametrize("mount", ["", "//evil.example", "/\\evil.example", "///evil.example"])
@pytest.mark.parametrize("path", ["{card}", "/{card}", "//{card}", "/evil.example/..{card}"])
def test_a_redirect_stays_here_whatever_path_and_mount_it_comes_from(
    behind: Behind, store: Path, mount: str, path: str
) -> None:
    card = f"/models/{next(store.iterdir()).name}/card"
    environ = {"PATH_INFO": path.format(card=card), "SCRIPT_NAME": mount}
    for proxies in (0, 1):
        answer = behind(proxies=proxies).get("/", environ_overrides=environ)
        assert answer.status_code in {200, 308, 404}
        location = answer.location or "/"
        assert re.match(r"/(?![/\\])", location + "."), location


def test_cookies_are_for_https_alone_where_a_trusted_proxy_says_https(behind: Behind) -> None:
    for trusted in (0, 1):
        answer = behind(proxies=trusted).get("/?area=JFK", headers=FORWARDED)
        assert ("Secure" in answer.headers["Set-Cookie"]) == bool(trusted)


def test_what_was_answered_below_one_prefix_is_not_given_below_another(behind: Behind) -> None:
    client = behind(proxies=1)
    for prefix in ("/a", "/b", "", "/a", *(f"/{count}" for count in range(8)), "/b"):
        headers = {"X-Forwarded-Prefix": prefix}
        servers = document(client, headers).get("servers")
        assert servers == ([{"url": prefix}] if prefix else None)
        listed = client.get("/models?limit=1", headers=headers)
        assert listed.json["next"].startswith(f"{prefix}/models?")  # type: ignore[index]
        assert "X-Forwarded-Prefix" in listed.vary


def test_a_forecast_is_the_same_below_every_prefix_and_takes_the_fast_path(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = behind(proxies=1, path_prefix="/wx")
    plain = client.get(FORECAST)
    for headers in (FORWARDED, FORWARDED | {"X-Forwarded-Prefix": "/other"}):
        quick = client.get(FORECAST, headers=headers)
        assert (quick.data, quick.headers["ETag"]) == (plain.data, plain.headers["ETag"])
        usual = client.get(FORECAST, headers=headers | {"If-None-Match": '"another"'})  # by Flask
        assert set(quick.vary) == set(usual.vary) == {"Accept-Encoding", "X-Forwarded-Prefix"}
        again = client.get(FORECAST, headers=headers | {"If-None-Match": plain.headers["ETag"]})
        assert again.status_code == 304
    front: Any = client.application.wsgi_app
    monkeypatch.setattr(front._app, "flask", None)
    assert client.get(FORECAST, headers=FORWARDED).data == plain.data


def test_headers_that_protect_hold_below_a_prefix(behind: Behind) -> None:
    app: Flask = behind(proxies=1, cors_origins="https://page.example").application
    client = app.test_client(use_cookies=False)
    for path in (*PLACES, FORECAST, "/models?limit=1", "/nowhere"):
        origin = {"Origin": "https://page.example"}
        plain = client.get(path, headers=origin)
        below = client.get(path, headers=origin | FORWARDED)
        for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
            assert below.headers.get(name) == plain.headers.get(name)
        assert below.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert {"Origin", "X-Forwarded-Prefix"} <= set(below.vary)
        foreign = client.get(path, headers=FORWARDED | {"Origin": "https://weather.example"})
        assert "Access-Control-Allow-Origin" not in foreign.headers


@pytest.mark.parametrize(
    "prefix", ["wx", "/", "/wx/", "//wx", "/wx//a", "/..", "/a/./b", "/a b", "https://x.example/a"]
)
def test_a_prefix_that_is_no_path_is_a_wrong_setting(prefix: str) -> None:
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_PATH_PREFIX is .* a path such as /wx"):
        load_settings({"path_prefix": prefix})
