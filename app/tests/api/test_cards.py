"""Model cards: what of a delivery can be had over HTTP, and as what a browser takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.manifest import MANIFEST, write_manifest
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.api import routes

MakeApp = Callable[..., Flask]
WithCardFile = Callable[[str, bytes], tuple[FlaskClient, str]]
OTHER_KINDS = (
    *("js", "mjs", "css", "svg", "xml", "xsl", "xhtml", "htm", "HTML", "html.gz", "mhtml", "wasm"),
    *("pdf", "swf", "json5", "js.PNG"),
)


@pytest.fixture
def with_card_file(make_app: MakeApp, tiny_delivery: Callable[..., Path]) -> WithCardFile:
    """An app with a delivery whose card has one more file, and the address of its card."""

    def make(name: str, content: bytes) -> tuple[FlaskClient, str]:
        path = tiny_delivery()
        file = path / "card" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        (path / MANIFEST).unlink()
        write_manifest(path, path.name)
        return make_app().test_client(), f"/models/{path.name}/card"

    return make


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("more.html", "text/html"),
        ("metrics.json", "application/json"),
        ("plot.png", "image/png"),
        ("noending", "application/octet-stream"),
        ("deep/er.js", "application/octet-stream"),
        *((f"x.{ending}", "application/octet-stream") for ending in OTHER_KINDS),
    ],
)
def test_no_file_of_a_card_is_a_script_or_a_style_of_our_origin(
    with_card_file: WithCardFile, method: str, name: str, kind: str
) -> None:
    client, card = with_card_file(name, b"<script>alert(1)</script>" * 100)
    asked = {"Range": "bytes=0-3", "Accept": "text/html"}
    answer = client.open(f"{card}/{name}", method=method, headers=asked)
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'; ")
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_file_of_a_card_that_is_too_large_for_an_answer_is_told(
    with_card_file: WithCardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "LARGEST_CARD", 1 << 20)
    client, card = with_card_file("large.html", bytes(1 << 20) + b"x")
    problem = the_problem(client.get(f"{card}/large.html"), 404, "not-found")
    assert problem["detail"] == "card/large.html is larger than 1 MB: open it in the store"


def test_a_card_is_served_in_a_sandbox(serving: FlaskClient, store: Path) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card/")
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert serving.get(f"/models/{path.name}/card/index.html").data == answer.data


def test_a_card_address_without_its_slash_leads_to_it(serving: FlaskClient, store: Path) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card")
    assert answer.status_code == 308
    assert answer.location.endswith(f"/models/{path.name}/card/")


@pytest.mark.parametrize(
    "name",
    [
        "../metadata.json",
        "..%2fmetadata.json",
        "%2e%2e/metadata.json",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "index.html/",
        ".",
        "nothing.png",
        "index.html%00.png",
        "..\\metadata.json",
    ],
)
def test_nothing_but_the_files_of_the_card_can_be_had(
    serving: FlaskClient, store: Path, name: str
) -> None:
    (path,) = store.iterdir()
    answer = serving.get(f"/models/{path.name}/card/{name}")
    assert answer.status_code in {308, 404}
    assert b"schema_version" not in answer.data


def test_a_copy_that_was_deleted_is_no_500(
    serving: FlaskClient, store: Path, settings: dict[str, Any]
) -> None:
    (path,) = store.iterdir()
    (copy,) = settings["cache"].rglob("index.html")
    copy.unlink()
    the_problem(serving.get(f"/models/{path.name}/card/"), 404, "not-found")
