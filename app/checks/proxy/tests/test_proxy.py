"""The app below a path of nginx's, with the snippet of operations.md: ``nox -s proxy``.

Once as the document has it, where nginx says what it stripped; once with a proxy that says nothing
and leaves the path as it is, where a setting has the prefix.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import world
from addresses import ALL, filled
from chromium import NoChromiumError, chromium
from playwright.sync_api import Browser, Response

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"
ARTIFACTS = Path(os.environ.get("BROWSER_ARTIFACTS", ".proxy"))
APP = "http://127.0.0.1:8000"
PREFIX = "/wx"
NO_NGINX = (
    "found no nginx. On Debian: apt-get install nginx-light; elsewhere install one and set NGINX "
    "to its name or path"
)
CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


class Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Take a redirect for an error."""


def ask(address: str, body: object = None, **headers: str) -> tuple[int, Message[str, str], bytes]:
    """Return status, headers and body of an answer, whatever its status."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    given |= {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data, given)  # noqa: S310 - loopback
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def read(address: str, **headers: str) -> Any:
    status, _, body = ask(address, **headers)
    assert status == 200, body
    return json.loads(body)


@contextmanager
def nginx(program: str, folder: Path, location: str) -> Iterator[str]:
    """Run nginx with a location; give the address below which it serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config, log = folder / "nginx.conf", folder / "nginx.log"
    config.write_text(CONFIG.format(folder=folder, port=port, location=location))
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - arguments of our own
            [program, "-p", str(folder), "-c", str(config), "-e", "stderr"], stderr=file
        )
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        else:
            pytest.fail(log.read_text())
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """Return the path of nginx, or end the session with what to install."""
    program = shutil.which(
        os.environ.get("NGINX") or "nginx", path=f"{os.environ['PATH']}:/usr/sbin"
    )
    if program is None:
        pytest.exit(NO_NGINX, returncode=2)
    return program


@pytest.fixture(scope="module", params=["forwarded", "setting"])
def served(
    request: pytest.FixtureRequest, nginx_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the address of the app behind nginx, its prefix included."""
    (location,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    settings = {"proxies": "1"}
    if request.param == "setting":
        settings = {"path_prefix": PREFIX}
        location = re.sub(r"(proxy_pass .*)/;", r"\1;", location)
        location = "\n".join(line for line in location.splitlines() if "X-Forwarded" not in line)
    folder = tmp_path_factory.mktemp("world")
    world.write_world(folder, world.present())
    archive = folder / "observations.csv"
    with world.serving(folder, store=folder / "store", archive=archive, **settings) as app:
        assert APP in location
        with nginx(nginx_program, folder, location.replace(APP, app)) as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NoChromiumError as error:
        pytest.exit(str(error), returncode=2)


def test_the_addresses_in_answers_begin_with_the_prefix(served: str) -> None:
    models = read(f"{served}/models?limit=1")
    assert models["next"].startswith(f"{PREFIX}/models?limit=1&after=")
    live = read(f"{served}/models?state=live")["models"][0]["delivery_id"]
    detail = read(f"{served}/models/{live}")
    assert detail["card"] in {None, f"{PREFIX}/models/{live}/card/"}
    assert read(f"{served}/openapi.json")["servers"] == [{"url": PREFIX}]
    status, headers, _ = ask(f"{served}/models/{live}/card")
    assert (status, headers["Location"]) == (308, f"{PREFIX}/models/{live}/card/")


def test_what_a_client_forwards_itself_changes_nothing(served: str) -> None:
    forged = {
        "X_Forwarded_Prefix": "//elsewhere.example",
        "X_Forwarded_Host": "elsewhere.example",
        "X_Forwarded_Proto": "https",
    }
    assert read(f"{served}/openapi.json", **forged)["servers"] == [{"url": PREFIX}]
    status, headers, page = ask(f"{served}/?area=JFK", Accept="text/html", **forged)
    assert (status, b"elsewhere" in page) == (200, False)
    assert f"Path={PREFIX}/;" in headers["Set-Cookie"]
    assert "Secure" not in headers["Set-Cookie"]


def test_forecasts_and_their_tags_hold_below_the_prefix(served: str) -> None:
    status, headers, body = ask(f"{served}/weather/predict?area=JFK")
    assert (status, json.loads(body)["area"]) == (200, "JFK")
    again = ask(f"{served}/weather/predict?area=JFK", If_None_Match=headers["ETag"])
    assert (again[0], again[1]["ETag"], again[2]) == (304, headers["ETag"], b"")
    asked = {"area": "JFK", "observations": {"temperature": [5] * 168, "humidity": [60] * 168}}
    status, _, body = ask(f"{served}/weather/predict", asked)
    assert status in {200, 400, 422}, body  # as the model likes these
    status, headers, body = ask(f"{served}/weather/predict?area=Atlantis")
    assert (status, json.loads(body)["type"]) == (404, "/problems/unknown-area")
    large = {"area": "JFK", "observations": {"temperature": [5.25] * 400_000}}  # 2.4 MB
    status, headers, body = ask(f"{served}/weather/predict", large)
    assert headers["Content-Type"] == "application/problem+json", body[:200]


def test_cookies_lead_to_the_area_that_was_read_last(served: str) -> None:
    _, headers, _ = ask(f"{served}/?area=JFK", Accept="text/html")
    kept = headers["Set-Cookie"].partition(";")[0]
    status, headers, _ = ask(f"{served}/", Cookie=kept)
    assert (status, headers["Location"]) == (302, f"{PREFIX}/?area=JFK")


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_page_and_its_scripts_stay_below_the_prefix(
    served: str, browser: Browser, name: str
) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 900}, locale="en-GB")
    page = context.new_page()
    answers: list[Response] = []
    problems: list[str] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks it
    page.on("pageerror", lambda error: problems.append(str(error)))
    path = filled(served, ALL[name])
    page.goto(served + path)
    page.wait_for_load_state("networkidle")
    found = {each.url: each.status for each in answers if not each.url.startswith("data:")}
    assert {url for url in found if not url.startswith(f"{served}/")} == set()
    failed = {url for url, status in found.items() if status >= 400 and url != served + path}
    assert (failed, problems) == (set(), [])
    assert len(found) > 1
    links = page.eval_on_selector_all(
        "a[href], form[action]", "all => all.map(a => a.href || a.action)"
    )
    assert {link for link in links if not link.startswith(f"{served}/")} == set()
    if name in {"forecast", "past"}:
        assert page.locator(".plot canvas").count() == 1
    if name == "docs":
        assert page.locator(".opblock").count() > 10
        page.get_by_text("Report that the process is up").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        tried = page.locator(".live-responses-table .response-col_status").last
        assert tried.inner_text().startswith("200")
        assert page.locator(".request-url pre").inner_text() == f"{served}/healthz"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
    context.close()
