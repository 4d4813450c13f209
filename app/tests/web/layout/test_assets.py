"""The page's own files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.web.layout import assets
from fairweather_app.web.layout.rendering import POLICY

NAMESPACES = {
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/1999/xlink",
}
"""Names that look like addresses; nothing is ever fetched from them."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A static folder of the test's own."""
    folder = tmp_path / "static"
    (folder / "vendor").mkdir(parents=True)
    (folder / "vendor/vendor.json").write_text("{}")
    (folder / "page.css").write_text("body {}")
    (tmp_path / "secret.css").write_text("body {}")
    monkeypatch.setattr(assets, "STATIC", folder)
    return folder


def test_an_address_with_the_digest_may_be_kept_for_ever(app: Flask, files: Path) -> None:
    with app.test_request_context():
        address = assets.asset_url("page.css")
    answer = app.test_client().get(address)
    assert answer.cache_control.max_age == assets.YEAR
    assert "immutable" in answer.headers["Cache-Control"]
    (files / "page.css").write_text("body { color: red }")
    with app.test_request_context():
        assert assets.asset_url("page.css") != address


@pytest.mark.parametrize("address", ["/page/page.css", "/page/page.css?v=something-else"])
def test_any_other_address_is_asked_again(client: FlaskClient, files: Path, address: str) -> None:
    assert files.is_dir()
    answer = client.get(address)
    assert answer.cache_control.max_age is None
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "name",
    [
        "nothing.css",
        "../secret.css",
        "%2e%2e/secret.css",
        "vendor",
        "vendor/vendor.json",
        "vendor/",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, files: Path, name: str) -> None:
    assert (files.parent / "secret.css").is_file()
    assert client.get(f"/page/{name}").status_code == 404


def test_assets_carry_the_policy_of_the_page(client: FlaskClient) -> None:
    answer = client.get("/page/page.js")
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_file_of_the_page_names_another_host() -> None:
    served = [path for path in assets.STATIC.rglob("*") if path.suffix in {".css", ".js", ".svg"}]
    assert len(served) >= 3
    for path in served:
        found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8")))
        assert found <= NAMESPACES, path


def test_the_files_of_a_page_weigh_less_than_a_fifth_of_a_megabyte(client: FlaskClient) -> None:
    assert assets.has_chart_library(), "build a wheel and test that: a bare checkout has no chart"
    for accepted in ("br", "gzip"):
        sent = [
            client.get(f"/page/{name}", headers={"Accept-Encoding": accepted})
            for name in ("page.css", "page.js", assets.CHART_LIBRARY)
        ]
        assert {each.headers["Content-Encoding"] for each in sent} == {accepted}
        assert sum(len(each.data) for each in sent) < 200_000  # the document comes to this


def test_the_installed_app_carries_the_licences_of_the_chart_library() -> None:
    vendor = assets.STATIC / "vendor"
    for name in ("LICENSE.echarts.txt", "NOTICE.echarts.txt", "LICENSE.zrender.txt"):
        assert (vendor / name).stat().st_size > 100
