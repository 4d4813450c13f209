"""The page's own files."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.web import assets
from fairweather_app.web.rendering import POLICY

BROTLI = b"what brotli would make of it"
SCRIPT = b"export const init = 1; // " + b"x" * 500
NAMESPACES = {
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/1999/xlink",
}
"""Names that look like addresses; nothing is ever fetched from them."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A static folder of the test's own, with a packed chart library."""
    folder = tmp_path / "static"
    (folder / "vendor/packed").mkdir(parents=True)
    (folder / "vendor/echarts.js").write_bytes(SCRIPT)
    digest = hashlib.sha256(SCRIPT).hexdigest()[:16]
    (folder / f"vendor/packed/{digest}.gz").write_bytes(gzip.compress(SCRIPT, mtime=0))
    (folder / f"vendor/packed/{digest}.br").write_bytes(BROTLI)
    (folder / "vendor/vendor.json").write_text("{}")
    (folder / "page.css").write_text("body {}")
    (tmp_path / "secret.css").write_text("body {}")
    monkeypatch.setattr(assets, "STATIC", folder)
    return folder


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br, gzip;q=0.8", "br"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
    ],
)
def test_a_packed_file_is_sent_packed_the_smallest_way_that_is_accepted(
    client: FlaskClient, files: Path, accepted: str, encoding: str
) -> None:
    assert files.is_dir()
    answer = client.get("/page/vendor/echarts.js", headers={"Accept-Encoding": accepted})
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.mimetype == "text/javascript"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.data == BROTLI if encoding == "br" else gzip.decompress(answer.data) == SCRIPT


def test_each_packed_form_has_a_tag_of_its_own(client: FlaskClient, files: Path) -> None:
    assert files.is_dir()
    tags = {
        client.get("/page/vendor/echarts.js", headers={"Accept-Encoding": each}).headers["ETag"]
        for each in ("br", "gzip", "identity")
    }
    assert len(tags) == 3


def test_a_file_that_was_changed_is_never_sent_in_its_old_packed_form(
    client: FlaskClient, files: Path
) -> None:
    (files / "vendor/echarts.js").write_bytes(b"export const init = 2;")
    answer = client.get("/page/vendor/echarts.js", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in answer.headers
    assert answer.data == b"export const init = 2;"


@pytest.mark.parametrize("accepted", ["", "deflate", "gzip;q=0"])
def test_everyone_else_gets_it_as_it_is(client: FlaskClient, files: Path, accepted: str) -> None:
    assert files.is_dir()
    answer = client.get("/page/vendor/echarts.js", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.data == SCRIPT


def test_a_file_without_a_packed_twin_is_sent_as_it_is(client: FlaskClient, files: Path) -> None:
    assert files.is_dir()
    answer = client.get("/page/page.css", headers={"Accept-Encoding": "gzip"})
    assert answer.mimetype == "text/css"
    assert answer.data == b"body {}"


def test_an_address_with_the_digest_may_be_kept_for_ever(app: Flask, files: Path) -> None:
    with app.test_request_context():
        address = assets.asset_url("page.css")
    answer = app.test_client().get(address)
    assert answer.cache_control.max_age == assets.FOR_EVER
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


def test_everything_large_is_packed_and_the_page_weighs_less_than_a_fifth_of_a_megabyte() -> None:
    assert assets.has_chart_library(), "build a wheel and test that: a bare checkout has no chart"
    weight = 0
    for name in ("page.css", "page.js", assets.CHART_LIBRARY):
        path = assets.STATIC / name
        packed = assets.packed_forms(assets._digest(path))
        assert set(packed) == {"br", "gzip"}, f"{name} is packed when the wheel is built"
        assert gzip.decompress(packed["gzip"].read_bytes()) == path.read_bytes()
        assert packed["gzip"].read_bytes()[4:8] == b"\0\0\0\0"  # the same bytes on any day
        weight += packed["br"].stat().st_size
    assert weight < 200_000  # the document comes to this, and is packed too


def test_the_installed_app_carries_the_licences_of_the_chart_library() -> None:
    vendor = assets.STATIC / "vendor"
    for name in ("LICENSE.echarts.txt", "NOTICE.echarts.txt", "LICENSE.zrender.txt"):
        assert (vendor / name).stat().st_size > 100
