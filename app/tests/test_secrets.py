"""User, password and keys of an address leave the app nowhere."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from fairweather_app import create_app
from fairweather_app.common.logging import show_log
from fairweather_app.errors import SettingsError
from fairweather_app.observations import open_meteo
from inference import Inference

PASSWORD = "hunter2"  # noqa: S105 - the secret to be found nowhere
AWAY = f"user-7:{PASSWORD}@127.0.0.1:1"
PAGES = (
    *("/readyz", "/models", "/areas", "/software", "/metrics"),
    *("/weather/predict?area=JFK", "/weather/predict?area=EWR&reference_time=2013-06-20T12:00Z"),
)
COMMANDS = (("models", "list"), ("models", "why", "JFK"), ("check",), ("software",))


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Return what the app has written into its log."""
    stream, ours = io.StringIO(), logging.getLogger("fairweather_app")
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(ours, "propagate", False)
    show_log("json")
    yield stream.getvalue
    for each in tuple(ours.handlers):
        ours.removeHandler(each)


@pytest.mark.parametrize(
    "changes",
    [
        {"store": f"ftp://{AWAY}/x"},
        {"store": f"s3://{AWAY}/x", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        {"inference_url": f"http://{AWAY}"},
        {"inference_url": f"http://127.0.0.1:1/v?api_key={PASSWORD}"},
        {"observations": f"postgresql+psycopg://{AWAY}/x"},
        {"observations": f"postgresql+psycopg://127.0.0.1:1/x?user=user-7&password={PASSWORD}"},
    ],
)
def test_what_cannot_be_reached_is_told_without_its_password(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    tiny_delivery(areas=("EWR", "JFK"))
    settings = {name: value for name, value in changes.items() if name.islower()}
    for name in changes.keys() - settings.keys():
        monkeypatch.setenv(name, changes[name])
    app = make_app(time_limit=2, inference_seconds=1, **settings)
    client, runner = app.test_client(), app.test_cli_runner()
    texts = [client.get(each).text for each in PAGES]
    texts += [client.get(each, headers={"Accept": "text/html"}).text for each in ("/", "/models")]
    texts += [runner.invoke(args=each).output for each in COMMANDS]
    for entry in app.extensions["fairweather"].catalogue.snapshot.entries.values():
        logging.getLogger("fairweather_app.test").warning("%s", entry.summary)
    failure = OSError(*settings.values())
    logging.getLogger("fairweather_app.test").error("at %s", *settings.values(), exc_info=failure)
    texts.append(logged())
    assert "***" in texts[-1]
    assert [text for text in texts if PASSWORD in text or "user-7" in text.lower()] == []


def test_a_server_that_answers_is_named_without_its_password(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
) -> None:
    server = Inference()
    server.models.add(tiny_delivery(areas=("JFK",)).name)
    observe("JFK", day)
    app = make_app(inference_url=server.url.replace("//", f"//user-7:{PASSWORD}@"))
    answer = app.test_client().get("/weather/predict?area=JFK")
    page = app.test_client().get("/?area=JFK")
    server.stop()
    assert answer.status_code == page.status_code == 200
    assert "//***@127.0.0.1" in answer.text
    assert PASSWORD not in answer.text + page.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", f"nonsense://user-7:{PASSWORD}@host/x"),
        ("store", f"s3://user-7:{PASSWORD}/more@bucket/x"),
        ("store", f"ftp://user-7:{PASSWORD}#more@host/x"),
        ("observations", f"mysql://user-7:{PASSWORD}@host/x"),
        ("observations", f"mysql://host/x?user=a&password={PASSWORD}"),
        ("observations", f"postgresql://user-7:{PASSWORD}/more@host/x"),
        ("inference_url", f"inference://user-7:{PASSWORD}@host"),
        ("inference_url", f"http://user-7:{PASSWORD}/more@host"),
        ("provider_url", f"http://user-7:{PASSWORD}?more@host"),
        ("cors_origins", f"https://user-7:{PASSWORD}@host"),
    ],
)
def test_an_address_that_is_wrong_is_repeated_without_its_password(
    settings: dict[str, Any], name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app(settings | {name: value})
    assert f"FAIRWEATHER_{name.upper()} is " in str(caught.value)
    assert "***" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_provider_that_cannot_be_reached_is_told_without_its_password(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_meteo, "ATTEMPTS_MORE", 0)
    tiny_delivery(areas=("JFK",))
    for url in (f"http://{AWAY}/v1", f"http://127.0.0.1:1/v1?apikey={PASSWORD}"):
        runner = make_app(provider_url=url).test_cli_runner()
        result = runner.invoke(args=("observations", "fetch", "--area", "JFK"))
        assert result.exit_code == 1
        assert "cannot be reached" in result.output
        assert PASSWORD not in result.output
