"""The examples of docs/http-api.md, each run as it stands against a running app."""

# ruff: noqa: S310, S603 - programs and addresses of our own

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import world

GUIDE = Path(__file__).parents[3] / "docs" / "http-api.md"
WRITTEN = "http://127.0.0.1:5000"
EXAMPLES = re.findall(
    r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL
)
SAID = {
    ("A forecast", "sh"): r'"unit":"degC"',
    ("A forecast", "python"): r"degC\nfrom [0-9a-f-]{36} The week ahead in New York\n",
    ("A forecast", "js"): r"degC\nfrom [0-9a-f-]{36}\n",
    ("Conditional requests", "sh"): r"^304$",
    ("Conditional requests", "python"): r"^304 20\d\d-",
    ("A forecast from your own observations", "python"): r"^\[5\.0, 5\.0, 5\.0\]$",
    ("A forecast from your own observations", "js"): r"^200 168$",
    ("A forecast from your own observations", "sh"): r'"receipt":{"delivery_id"',
    ("Errors", "python"): r"^404 unknown-area .*\nknown: .*JFK",
    ("Errors", "js"): r"^422 /problems/no-applicable-model ",
    ("Retries", "python"): r"^200 JFK$",
    ("Retries", "sh"): r'^200$(?s:.*)"area":"JFK"',
    ("Retries", "js"): r"^200 JFK$",
}
"""What each example must have said, by section and language; files that it wrote come last."""


def examples() -> list[tuple[str, str, str]]:
    """Section, language and text of each example."""
    section, found = "", []
    for heading, language, text in EXAMPLES:
        section = heading or section
        if language:
            found.append((section, language, text))
    return found


def named(section: str, language: str) -> str:
    return next(text for at, kind, text in examples() if (at, kind) == (section, language))


def run(language: str, text: str, address: str, folder: Path) -> str:
    """Run an example as a user would, and give what it writes; it must end well."""
    text = text.replace(WRITTEN, address)
    if language == "python":
        command = [sys.executable, "-W", "error", "-c", text]
    elif language == "js":
        (folder / "example.mjs").write_text(text, encoding="utf-8")
        command = [program("node"), "example.mjs"]
    else:
        program("curl")
        command = ["sh", "-e", "-c", text]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"found no {name}; `nox -s api` brings node, and curl is in every distribution"
    return found


def test_the_guide_has_examples_in_three_languages() -> None:
    found = examples()
    assert len(found) >= 12
    assert {language for _, language, _ in found} == {"python", "sh", "js"}
    assert all(WRITTEN in text for _, _, text in found)
    assert {(section, language) for section, language, _ in found} == set(SAID)


@pytest.mark.parametrize(
    ("section", "language", "text"),
    examples(),
    ids=[f"{language}-{section}" for section, language, _ in examples()],
)
def test_an_example_does_what_it_is_for(
    address: str, tmp_path: Path, section: str, language: str, text: str
) -> None:
    told = run(language, text, address, tmp_path)
    kept = "".join(each.read_text() for each in tmp_path.glob("*.json"))
    assert re.search(SAID[section, language], told + kept, re.MULTILINE), told + kept


@pytest.mark.parametrize("language", ["python", "js", "sh"])
def test_who_asks_politely_outlasts_a_start(written: Path, tmp_path: Path, language: str) -> None:
    """An app whose store is not there yet answers 503; the example waits, and gets a forecast."""
    store = tmp_path / "store"
    settings = world.environment(tmp_path, store) | {"FAIRWEATHER_RELOAD_SECONDS": "0.5"}
    subprocess.run(
        [*(sys.executable, "-m", "flask", "--app", "fairweather_app"),
         *("observations", "import", str(written / "observations.csv"))],
        env=settings, check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    command = Path(sys.executable).with_name("fairweather-app")
    server = subprocess.Popen(
        [str(command), "serve", "--port", str(port), "--workers", "1"],
        env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for_not_ready(address)
        text = named("Retries", language).replace(WRITTEN, address)
        (tmp_path / "example.mjs").write_text(text, encoding="utf-8")
        commands = {
            "python": [sys.executable, "-c", text],
            "js": [program("node"), "example.mjs"],
            "sh": ["sh", "-e", "-c", text],
        }
        caller = subprocess.Popen(
            commands[language], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(1)
        shutil.copytree(written / "store", tmp_path / "coming")
        (tmp_path / "coming").rename(store)
        out, error = caller.communicate(timeout=120)
        assert caller.returncode == 0, error.decode()
        answered = (tmp_path / "forecast.json").read_text() if language == "sh" else out.decode()
        assert "JFK" in answered
        assert language == "sh" or "200" in answered
    finally:
        server.terminate()
        server.wait(timeout=60)


@pytest.mark.parametrize("again", [None, "1", "3600"])
@pytest.mark.parametrize("language", ["python", "js", "sh"])
def test_who_asks_politely_asks_again_only_where_it_helps(
    tmp_path: Path, language: str, again: str | None
) -> None:
    """A 503 without Retry-After, or with a long one, is not asked again."""
    asked = []

    class Unavailable(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"type": "/problems/observations-missing"}'
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            if again is not None:
                self.send_header("Retry-After", again)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Unavailable)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        told = run(language, named("Retries", language), address, tmp_path)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert told.startswith("503")
    assert len(asked) == (6 if again == "1" else 1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_not_ready(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/weather/predict?area=JFK", timeout=5)
        except urllib.error.HTTPError as answer:
            found = (answer.code, answer.headers["Retry-After"])
            break
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            raise AssertionError("found a forecast, expected none yet")
    assert found == (503, "5")
