"""Answers are compressed for clients that accept it, and otherwise sent as they are."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fairweather_app.api.extensions import LEAST
from pages import EVENING

FORECAST = "/weather/predict?area=JFK"
HTML = {"Accept": "text/html"}
LARGE: dict[str, tuple[str, dict[str, str]]] = {
    "page": ("/?area=JFK", {}),
    "refusal": ("/?area=LGA", {}),
    "models": ("/models", HTML),
    "json": ("/models", {}),
    "forecast": (FORECAST, {}),
    "problem": ("/models?" + "&".join(f"x{k}=1" for k in range(20)), {}),
    "document": ("/openapi.json", {}),
    "metrics": ("/metrics", {}),
    "style": ("/page/page.css", {}),
    "library": ("/docs/swagger-ui.css", {}),
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress}


def ask(client: FlaskClient, accepted: str, path: str = FORECAST, **headers: str) -> TestResponse:
    return client.get(path, headers={"Accept-Encoding": accepted} | headers)


@pytest.mark.parametrize("coding", UNPACK)
@pytest.mark.parametrize("name", LARGE)
def test_what_is_large_is_compressed_whatever_its_status(
    winter_week: FlaskClient, name: str, coding: str
) -> None:
    path, headers = LARGE[name]
    winter_week.get(path, headers=headers)  # what is remembered or counted is from now on
    plain = winter_week.get(path, headers=headers)
    small = ask(winter_week, coding, path, **headers)
    assert len(plain.data) >= LEAST
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == coding
    assert len(small.data) < len(plain.data)
    assert small.headers["Content-Length"] == str(len(small.data))
    assert (small.status, small.content_type) == (plain.status, plain.content_type)
    assert "Accept-Encoding" in plain.vary
    assert plain.vary.as_set() == small.vary.as_set()
    if name != "metrics":  # which counts these very requests
        assert UNPACK[coding](small.data) == plain.data


def test_the_answer_to_a_post_is_compressed_too(winter_week: FlaskClient) -> None:
    plain = winter_week.post("/weather/predict", json={"area": "JFK"})
    small = winter_week.post(
        "/weather/predict", json={"area": "JFK"}, headers={"Accept-Encoding": "gzip"}
    )
    assert gzip.decompress(small.data) == plain.data
    for answer in (plain, small):
        assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nothing"), ("OPTIONS", FORECAST), ("GET", "/page/icon.svg")],
)
def test_what_is_small_is_never_compressed(
    winter_week: FlaskClient, method: str, path: str
) -> None:
    plain = winter_week.open(path, method=method)
    same = winter_week.open(path, method=method, headers={"Accept-Encoding": "br, gzip"})
    assert len(plain.data) < LEAST
    assert "Content-Encoding" not in same.headers
    assert same.data == plain.data


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("", None),
        ("deflate", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
    ],
)
def test_the_client_says_which_coding(
    winter_week: FlaskClient, accepted: str, coding: str | None
) -> None:
    for path in (FORECAST, "/?area=JFK", "/page/page.css"):
        assert ask(winter_week, accepted, path).headers.get("Content-Encoding") == coding


def test_every_form_of_a_forecast_has_a_tag_of_its_own_and_is_revalidated_by_it(
    winter_week: FlaskClient, observe: Callable[..., None]
) -> None:
    tags = {each: ask(winter_week, each).headers["ETag"] for each in ("identity", "gzip", "br")}
    assert len(set(tags.values())) == 3
    assert tags["identity"] == winter_week.get(FORECAST).headers["ETag"]
    for coding, tag in tags.items():
        again = ask(winter_week, coding, **{"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == "no-cache"
        assert "Content-Encoding" not in again.headers
        assert "Accept-Encoding" in again.vary
    observe("JFK", [9.0], until=EVENING)
    for coding, tag in tags.items():
        assert ask(winter_week, coding, **{"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("path", ["/page/page.css", "/docs/swagger-ui.css"])
def test_every_form_of_a_file_has_a_tag_of_its_own_and_is_revalidated_by_it(
    client: FlaskClient, path: str
) -> None:
    tags = {each: ask(client, each, path).headers["ETag"] for each in ("identity", "gzip", "br")}
    assert len(set(tags.values())) == 3
    for coding, tag in tags.items():
        assert ask(client, coding, path, **{"If-None-Match": tag}).status_code == 304


def test_a_head_says_what_a_get_would(winter_week: FlaskClient) -> None:
    headers: Any = {"Accept-Encoding": "gzip"}
    whole = winter_week.get(FORECAST, headers=headers).headers
    alone = winter_week.head(FORECAST, headers=headers).headers
    for name in ("Content-Encoding", "Content-Length", "ETag", "Vary"):
        assert alone[name] == whole[name]
