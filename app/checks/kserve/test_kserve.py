"""The app serves from a real KServe server, and survives its death: ``nox -s kserve``."""

# ruff: noqa: D103, INP001, PLR2004, S101, S310, S603 - a test beside its script

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app import create_app

Build = Callable[..., Path]
SERVE = Path(__file__).with_name("serve.py")
SAMPLES = 24


@pytest.fixture
def deliveries(tiny_delivery: Build) -> list[Path]:
    """Two for one area: the second is worse, takes gaps, and is asked when and where."""
    return [
        tiny_delivery(samples=SAMPLES, skill=0.5, skill_interval=(0.5, 0.5), max_missing=0.25),
        tiny_delivery(samples=SAMPLES, skill=0.1, skill_interval=(0.1, 0.1), context=True),
    ]


@pytest.fixture
def kserve(
    store: Path, deliveries: list[Path], tmp_path: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    assert deliveries
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [os.environ["KSERVE_PYTHON"], str(SERVE), str(store), str(port)]
    log = tmp_path / "kserve.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5):
            break
        time.sleep(0.1)
    else:
        pytest.fail(log.read_text())
    yield url, process
    process.kill()
    process.wait()


@pytest.fixture
def app(
    kserve: tuple[str, subprocess.Popen[bytes]], store: Path, tmp_path: Path
) -> Iterator[Flask]:
    made = create_app(
        {
            "store": store,
            "cache": tmp_path / "cache",
            "observations": f"sqlite:///{tmp_path / 'observations.sqlite'}",
            "inference_url": kserve[0],
        }
    )
    made.extensions["fairweather"].catalogue.refresh()
    yield made
    made.extensions["fairweather"].observations.close()


def ask(client: FlaskClient, window: list[float | None]) -> tuple[int, Any]:
    asked = {"area": "EWR", "reference_time": "2013-06-20T12:00Z"}
    answer = client.post("/weather/predict", json=asked | {"observations": {"temperature": window}})
    return answer.status_code, answer.json


def test_deliveries_are_proven_and_served_by_kserve(app: Flask, deliveries: list[Path]) -> None:
    client = app.test_client()
    models = client.get("/models").json
    assert models is not None
    assert [each["state"] for each in models["models"]] == ["live", "live"], models
    status, answer = ask(client, [20.5] * SAMPLES)
    assert status == 200
    assert answer["receipt"]["delivery_id"] == deliveries[0].name
    assert answer["receipt"]["runtime"].startswith("open-inference-protocol")
    assert answer["forecast"]["temperature"]["value"] == [20.5] * SAMPLES


def test_a_killed_server_is_a_refusal_with_a_code(
    app: Flask, kserve: tuple[str, subprocess.Popen[bytes]]
) -> None:
    client = app.test_client()
    assert ask(client, [20.5] * SAMPLES)[0] == 200
    kserve[1].kill()
    kserve[1].wait()
    status, answer = ask(client, [20.5] * SAMPLES)
    assert status == 422
    assert answer["refused_counts"] == {"runtime-unavailable": 2}
    assert client.get("/healthz").status_code == 200
