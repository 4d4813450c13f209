"""What serves polls, and nothing else does; and the whole story against a running server."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask.cli import run_command

from fairweather_app import create_app, start_polling
from fairweather_app.background import poller as poller_module
from fairweather_app.background.poller import POLLER, Poller, serves_here
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.common.logging import show_log
from fairweather_app.forecasting.context import AppContext

Build = Callable[..., Path]
Observe = Callable[..., None]


def pollers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == POLLER]


def wait_for(happens: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something happens; fail when it does not."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def polling(settings: dict[str, Any]) -> Iterator[Flask]:
    app = create_app(settings | {"reload_seconds": 0.05})
    yield app
    poller = app.extensions.get(POLLER)
    if poller is not None:
        poller.stop()
    app.extensions["fairweather"].observations.close()


def test_making_an_app_starts_no_thread_and_looks_at_no_delivery(
    settings: dict[str, Any], tiny_delivery: Build
) -> None:
    tiny_delivery()
    app = create_app(settings)
    assert not pollers()
    context: AppContext = app.extensions["fairweather"]
    assert context.catalogue.snapshot.checked_at is None


def test_commands_start_no_thread(make_app: Callable[..., Flask]) -> None:
    make_app().test_cli_runner().invoke(args=["models", "list"])
    assert not pollers()


def test_polling_finds_what_is_delivered(polling: Flask, tiny_delivery: Build) -> None:
    start_polling(polling)
    context: AppContext = polling.extensions["fairweather"]
    wait_for(lambda: context.catalogue.snapshot.checked_at is not None)
    path = tiny_delivery()
    wait_for(lambda: path.name in context.catalogue.snapshot.entries)


def test_polling_twice_is_polling_once(polling: Flask) -> None:
    first = start_polling(polling)
    assert start_polling(polling) is first
    assert len(pollers()) == 1
    first.stop()
    assert not first.running
    assert start_polling(polling) is not first


def test_the_poller_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, polling: Flask
) -> None:
    looks: list[int] = []

    def fail(_catalogue: Catalogue, _patience: float) -> None:
        looks.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(Catalogue, "refresh", fail)
    context: AppContext = polling.extensions["fairweather"]
    poller = Poller(context)
    poller.start()
    wait_for(lambda: len(looks) > 2)
    poller.stop()
    assert "it is tried again" in caplog.text


def test_a_store_with_tests_that_go_on_is_scanned_again_soon(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    looks: list[float] = []
    app = create_app(settings | {"reload_seconds": 3600})
    context: AppContext = app.extensions["fairweather"]

    def look(catalogue: Catalogue, patience: float) -> Snapshot:
        looks.append(patience)
        catalogue.refresher.pending = len(looks) < 3
        return catalogue.snapshot

    monkeypatch.setattr(poller_module, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(Catalogue, "refresh", look)
    poller = Poller(context)
    poller.start()
    assert poller.wait_for_first_refresh(20)  # after the last: nothing was live before
    poller.stop()
    assert looks == [0.01] * 3
    context.observations.close()


@pytest.mark.parametrize(
    ("reload", "debug", "inner", "serves"),
    [
        (None, False, False, True),
        (None, True, False, False),
        (None, True, True, True),
        (True, False, False, False),
        (True, False, True, True),
        (False, True, False, True),
    ],
)
def test_only_the_process_of_flask_run_that_answers_serves(
    monkeypatch: pytest.MonkeyPatch,
    reload: bool | None,  # noqa: FBT001 - a parameter of the test
    debug: bool,  # noqa: FBT001 - a parameter of the test
    inner: bool,  # noqa: FBT001 - a parameter of the test
    serves: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    monkeypatch.setattr("fairweather_app.background.poller.get_debug_flag", lambda: debug)
    monkeypatch.setattr("fairweather_app.background.poller.is_running_from_reloader", lambda: inner)
    assert not serves_here()
    with click.Context(run_command) as context:
        context.params["reload"] = reload
        assert serves_here() is serves
    with click.Context(click.Command("software")):
        assert not serves_here()


def test_the_log_is_shown_unless_the_operator_has_set_one_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = logging.getLogger("fairweather_app")
    monkeypatch.setattr(ours, "handlers", [])
    show_log()
    assert not ours.handlers  # pytest has set one up
    monkeypatch.setattr(ours, "propagate", False)
    monkeypatch.setattr(ours, "level", logging.NOTSET)
    show_log()
    show_log()
    assert len(ours.handlers) == 1
    assert ours.level == logging.INFO


def test_flask_run_starts_polling(settings: dict[str, Any]) -> None:
    with click.Context(run_command) as context:
        context.params["reload"] = False
        app = create_app(settings)
    poller: Poller = app.extensions[POLLER]
    assert poller.running
    poller.stop()


# --------------------------------------------------------------------------------- the story


class Server:
    """``flask --app fairweather_app run`` in a process of its own."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        environment = {
            f"FAIRWEATHER_{name.upper()}": str(value) for name, value in settings.items()
        }
        self.log = folder / "server.log"
        command = [sys.executable, "-m", "flask", "--app", "fairweather_app", "run", "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | environment | {"FAIRWEATHER_RELOAD_SECONDS": "0.1"},
                cwd=folder,
            )
        wait_for(lambda: "Running on" in self.log.read_text())
        (line,) = [each for each in self.log.read_text().splitlines() if "Running on" in each]
        self.address = line.split("Running on ")[1].strip()

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(self.address + path) as answer:  # noqa: S310 - our own server
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path) -> Iterator[Server]:
    running = Server(settings, tmp_path)
    yield running
    running.stop()


def test_a_running_server_answers_for_a_new_area_once_a_model_declares_it(
    server: Server, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    for area in ("EWR", "JFK", "LGA"):
        observe(area, day)
    assert server.get("/healthz")[0] == 200
    assert server.get("/readyz")[0] == 503
    tiny_delivery(areas=("EWR", "JFK"))
    wait_for(lambda: server.get("/readyz")[0] == 200)
    assert server.get("/weather/predict?area=JFK")[0] == 200
    status, refused = server.get("/weather/predict?area=LGA")
    assert (status, refused["refused_counts"]) == (422, {"area-not-declared": 1})

    path = tiny_delivery(areas=("LGA",))

    wait_for(lambda: server.get("/weather/predict?area=LGA")[0] == 200)
    _, answer = server.get("/weather/predict?area=LGA")
    assert answer["receipt"]["delivery_id"] == path.name
    assert answer["receipt"]["refused_counts"] == {"area-not-declared": 1}

    shutil.rmtree(path)

    wait_for(lambda: server.get("/weather/predict?area=LGA")[0] == 422)
    assert server.get("/weather/predict?area=EWR")[0] == 200
    log = server.log.read_text()
    assert f'"event":"delivery {path.name} is live","level":"info"' in log
    assert f'"event":"delivery {path.name} was removed from the store"' in log
    assert "Traceback" not in log


def test_no_request_fails_while_deliveries_come_and_go(
    server: Server, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    observe("JFK", day)
    tiny_delivery(areas=("JFK",))
    wait_for(lambda: server.get("/readyz")[0] == 200)
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            statuses.append(server.get("/weather/predict?area=JFK")[0])

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for _ in range(5):
        path = tiny_delivery(areas=("JFK",))
        wait_for(lambda path=path: server.get(f"/models/{path.name}")[0] == 200)  # type: ignore[misc]
        shutil.rmtree(path)
        wait_for(lambda path=path: server.get(f"/models/{path.name}")[0] == 404)  # type: ignore[misc]
    done.set()
    for thread in asking:
        thread.join()
    assert len(statuses) > 20
    assert set(statuses) == {200}


def run_python(code: str, environment: dict[str, str]) -> str:
    """What a Python of its own prints."""
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, env=os.environ | environment, text=True)  # noqa: S603 - our own code


def test_the_app_imports_no_tensorflow_and_serving_no_pyarrow() -> None:
    code = (
        "import sys, fairweather_app; fairweather_app.create_app();"
        "unwanted = ('tensorflow', 'pyarrow', 'pandas', 'wcwidth');"
        "print([name for name in unwanted if name in sys.modules])"
    )
    found = run_python(code, {})
    assert found == "[]\n"


def test_a_wsgi_server_is_given_an_app_that_polls(settings: dict[str, Any]) -> None:
    code = (
        "from fairweather_app.wsgi import app;"
        "from fairweather_app.background.poller import POLLER;"
        "print(app.extensions[POLLER].running); app.extensions[POLLER].stop()"
    )
    environment = {f"FAIRWEATHER_{name.upper()}": str(value) for name, value in settings.items()}
    assert run_python(code, environment) == "True\n"
