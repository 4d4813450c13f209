"""The story on real data: a nearby airport is no substitute, until a model declares it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import App, command, running, settings

RECIPE = Path(__file__).parents[4] / "research" / "recipes" / "la-guardia.yaml"
PICKUP_SECONDS = 60.0  # given up after; it takes one reload period and, when quiet, a second


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the demo delivered and observed, so that the story can add to it."""
    demo = Path(os.environ["FAIRWEATHER_DEMO"])
    copy = tmp_path_factory.mktemp("story")
    shutil.copytree(demo / "store", copy / "store")
    archive = str(demo / "observations.parquet")
    subprocess.run(command("observations", "import", archive), env=settings(copy), check=True)  # noqa: S603
    return copy


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    """Return one running app; the whole story happens to it."""
    with running(settings(folder), folder / "app.log", deliveries=2) as app:
        yield app


def test_both_deliveries_are_live(app: App) -> None:
    status, models = app.get("/models")
    assert status == 200
    assert sorted((model["model_type"], model["state"]) for model in models["models"]) == [
        ("SummerHumidityPredictor", "live"),
        ("WinterPredictor", "live"),
    ]


def test_a_declared_airport_is_answered_with_a_receipt(app: App) -> None:
    status, answer = app.get("/weather/predict", area="JFK")
    assert status == 200
    assert answer["receipt"]["model_type"] == "WinterPredictor"
    assert answer["receipt"]["refused"] == []
    assert len(answer["forecast"]["time"]) == len(answer["forecast"]["temperature"]["value"]) == 168
    temperature = answer["forecast"]["temperature"]
    bounds = zip(temperature["lower"], temperature["value"], temperature["upper"], strict=True)
    assert all(lower <= value <= upper for lower, value, upper in bounds)
    assert temperature["interval"] == [0.1, 0.9]


def test_a_nearby_airport_is_refused_then_served_by_the_same_process_once_a_model_declares_it(
    app: App, folder: Path
) -> None:
    status, problem = app.get("/weather/predict", area="LGA")
    assert (status, problem["type"]) == (422, "/problems/no-applicable-model")
    assert Counter(refusal["code"] for refusal in problem["refused"]) == {"area-not-declared": 2}
    assert problem["refused_counts"] == {"area-not-declared": 2}

    research = Path((Path(os.environ["FAIRWEATHER_DEMO"]) / "research").read_text())
    trained = subprocess.run(  # noqa: S603 - arguments of our own
        [research / "fairweather-research", "train", RECIPE, "--store", folder / "store"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    delivery = Path(trained.stdout.splitlines()[-1])
    delivered = time.monotonic()

    status, answer = app.get("/weather/predict", area="LGA")
    while status != 200 and time.monotonic() < delivered + PICKUP_SECONDS:
        time.sleep(0.2)
        status, answer = app.get("/weather/predict", area="LGA")
    assert status == 200, answer
    assert answer["receipt"]["delivery_id"] == delivery.name
    assert app.process.poll() is None


def test_what_was_answered_before_is_answered_still(app: App) -> None:
    status, answer = app.get("/weather/predict", area="EWR", reference_time="2013-07-10T12:00Z")
    assert status == 200
    receipt = answer["receipt"]
    assert receipt["model_type"] == "SummerHumidityPredictor"
    assert [(refusal["model_type"], refusal["code"]) for refusal in receipt["refused"]] == [
        ("WinterPredictor", "out-of-season"),  # who declares the area is named first
        ("AllYearPredictor", "area-not-declared"),
    ]
    assert set(answer["forecast"]) == {"time", "humidity"}
