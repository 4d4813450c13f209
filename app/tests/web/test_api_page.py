"""The page of the HTTP interface: whole without a network, and nothing runs that it holds."""

from __future__ import annotations

import gzip
import re

import pytest
from flask.testing import FlaskClient

from fairweather_app.web.api_page import LIBRARY
from fairweather_app.web.rendering import POLICY


def test_the_page_loads_its_own_files_and_no_others(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == POLICY
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 4
    for address in loaded:
        assert address.startswith("/")
        assert client.get(address).status_code == 200
    assert re.findall(r"<script[^>]*>[^<]", answer.text) == []
    assert 'data-document="/openapi.json"' in answer.text


@pytest.mark.parametrize("name", LIBRARY)
def test_a_file_of_the_library_is_packed_for_whoever_accepts_that(
    client: FlaskClient, name: str
) -> None:
    plain = client.get(f"/docs/{name}")
    packed = client.get(f"/docs/{name}", headers={"Accept-Encoding": "gzip"})
    assert plain.content_type == packed.content_type == LIBRARY[name]
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.vary
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get(f"/docs/{name}", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304


def test_a_file_may_be_kept_for_ever_by_the_address_in_the_page(client: FlaskClient) -> None:
    address = next(each for each in re.findall(r'"([^"]+)"', client.get("/docs").text)
                   if each.startswith("/docs/swagger-ui.css"))  # fmt: skip
    assert client.get(address).cache_control.immutable
    assert client.get("/docs/swagger-ui.css?v=1").cache_control.no_cache


@pytest.mark.parametrize("name", ["VERSION", "index.css", "../__init__.py", "oauth2-redirect.html"])
def test_no_other_file_is_sent(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404
