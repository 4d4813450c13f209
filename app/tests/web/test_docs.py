"""The page of the HTTP interface: whole without a network, and nothing runs that it holds."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from fairweather_app.web.layout.rendering import POLICY

LIBRARY = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}


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
def test_a_file_of_the_library_is_revalidated(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert answer.content_type == LIBRARY[name]
    again = client.get(f"/docs/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_a_file_may_be_kept_for_ever_by_the_address_in_the_page(client: FlaskClient) -> None:
    address = next(each for each in re.findall(r'"([^"]+)"', client.get("/docs").text)
                   if each.startswith("/docs/swagger-ui.css"))  # fmt: skip
    assert client.get(address).cache_control.immutable
    assert client.get("/docs/swagger-ui.css?v=1").cache_control.no_cache


@pytest.mark.parametrize("name", ["VERSION", "index.css", "../__init__.py", "oauth2-redirect.html"])
def test_no_other_file_is_sent(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404
