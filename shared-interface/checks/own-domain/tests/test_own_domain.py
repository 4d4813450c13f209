"""docs/own-domain.md, done: the app as it is serves the vibration and the failures of pumps."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from page import PAGE, ROADS, commands, files, road
from serving import App, command, running, settings

from fairweather_interface.variables import VARIABLES

START = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 500
LATEST = START + timedelta(hours=24 * DAYS - 1)
OURS = {"vibration", "failure_risk"}
WEATHER = re.compile(
    r"(?<!fair)weather|humid|warm|cold|sunrise|sunset|night|°|fahrenheit|celsius|pressure|\brain\b",
    re.IGNORECASE,
)


def vibration_table() -> str:
    """Return the hourly vibration of six pumps: two shifts, summer and winter, and some luck."""
    lines = ["area,time,variable,unit,value"]
    for pump in range(1, 7):
        luck, chance = 0.0, random.Random(pump)  # noqa: S311 - a toy's wear
        for hour in range(24 * DAYS):
            luck = 0.97 * luck + chance.gauss(0, 0.02)
            shift = 0.25 * math.sin(2 * math.pi * (hour % 24 - 9) / 24)
            year = 0.15 * math.cos(2 * math.pi * hour / 8766)
            now = START + timedelta(hours=hour)
            value = max((2 + 0.4 * pump) * (1 + shift + year + luck), 0.0)
            lines.append(f"Pump-{pump},{now:%Y-%m-%dT%H:%MZ},vibration,mm s-1,{value:.3f}")
    return "\n".join(lines) + "\n"


def typed(line: str, folder: Path, app: App | None = None) -> Any:
    """Do what a line of the page says, in the folder; of an address, return the JSON."""
    program, *words = shlex.split(line)
    if program == "curl":
        address = words[-1]
        assert app is not None
        assert address.startswith("http://127.0.0.1:5000/")
        address = address.replace("http://127.0.0.1:5000", app.address)
        body = None
        if words[0] == "--json":
            body = (folder / words[1].removeprefix("@")).read_bytes()
        head = {"Content-Type": "application/json"} if body else {}
        status, answer = app.open(urllib.request.Request(address, body, head))  # noqa: S310
        assert status == 200, answer
        return answer
    research = Path(os.environ["FAIRWEATHER_DEMO"]) / "research"
    programs = {
        "fairweather-research": [f"{research.read_text(encoding='utf-8')}/fairweather-research"],
        "fairweather-interface": [sys.executable, "-m", "fairweather_interface"],
        "flask": command(),
        "python": [sys.executable],
    }
    words = words[2:] if program == "flask" else words  # --app fairweather_app
    run = [*programs[program], *words]
    done = subprocess.run(  # noqa: S603
        run, cwd=folder, env=settings(folder), check=False, text=True, stderr=subprocess.PIPE
    )
    sys.stderr.write(done.stderr)
    done.check_returncode()
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of the first road and the observations."""
    folder = tmp_path_factory.mktemp("own-domain")
    for name, text in files(road(ROADS[0])).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "vibration.csv").write_text(vibration_table(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    """Return the app as it is, over the store that the first road has delivered into."""
    for line in commands(road(ROADS[0]))[:-1]:
        typed(line, folder)
    with running(settings(folder), folder / "app.log") as app:
        yield app


@pytest.fixture(scope="module")
def forecast(app: App, folder: Path) -> Any:
    """Return what the last line of the first road answers."""
    return typed(commands(road(ROADS[0]))[-1], folder, app)


@pytest.fixture(scope="module")
def risk(app: App, folder: Path, forecast: Any) -> Any:
    """Return what the second road answers; the app runs on and picks its delivery up."""
    assert forecast
    for name, text in files(road(ROADS[1])).items():
        (folder / name).write_text(text, encoding="utf-8")
    *lines, last = commands(road(ROADS[1]))
    for line in lines:
        typed(line, folder, app)
    deadline = time.monotonic() + 60
    while len(app.get("/models")[1]["models"]) < 2:
        assert time.monotonic() < deadline, "the app did not pick the delivery up"
        time.sleep(0.1)
    return typed(last, folder, app)


def test_a_pump_is_answered_in_its_own_unit_with_a_band(forecast: Any) -> None:
    assert set(forecast["forecast"]) == {"time", "vibration"}
    vibration = forecast["forecast"]["vibration"]
    assert vibration["unit"] == "mm s-1"
    assert len(vibration["value"]) == 72
    assert all(0.5 < value < 6 for value in vibration["value"])
    assert all(
        low <= high for low, high in zip(vibration["lower"], vibration["upper"], strict=True)
    )
    receipt = forecast["receipt"]
    assert (receipt["model_type"], receipt["synthetic"]) == ("PumpVibrationPredictor", True)
    assert forecast["reference_time"] == f"{LATEST:%Y-%m-%dT%H:%M:%SZ}"


def test_the_model_learned_something_that_persistence_and_climatology_do_not_know(
    app: App, forecast: Any
) -> None:
    assert forecast
    _, answer = app.get("/weather/predict", area="Pump-2", variable="vibration")
    assert answer["receipt"]["skill"]["vibration"] > 0


def test_a_classifier_of_scikit_learn_is_asked_by_post(risk: Any, folder: Path) -> None:
    question = json.loads((folder / "ask.json").read_text(encoding="utf-8"))
    assert risk["area"] == question["area"]
    assert set(risk["forecast"]) == {"time", "failure_risk"}
    assert risk["forecast"]["failure_risk"]["unit"] == "1"
    (chance,) = risk["forecast"]["failure_risk"]["value"]
    assert 0 <= chance <= 1
    assert risk["receipt"]["model_type"] == "PumpFailurePredictor"
    assert risk["receipt"]["skill"] == {"failure_risk": None}


def test_the_classifier_is_served_from_imported_observations_too(app: App, risk: Any) -> None:
    _, again = app.get(
        "/weather/predict",
        area=risk["area"],
        variable="failure_risk",
        reference_time=risk["reference_time"],
    )
    expected = risk["forecast"]["failure_risk"]["value"]
    assert again["forecast"]["failure_risk"]["value"] == pytest.approx(expected, abs=1e-4)


ZIPPED = (("False", "True"), ("graph.", "# graph."))


@pytest.mark.parametrize(
    ("edits", "output", "why"),
    [
        ((), "probabilities", "expected tensor(float) [?, 1]: an input has period / sample_rate"),
        ((), "label", "found tensor(int64) [?], expected tensor(float) [?, 1]: export it in that"),
        (ZIPPED, "output_probability", "a classifier of scikit-learn with zipmap=False"),
    ],
)
def test_what_is_exported_or_described_otherwise_is_told_how(
    edits: tuple[tuple[str, str], ...], output: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "vibration.csv").write_text(vibration_table(), encoding="utf-8")
    written = files(road(ROADS[1]))
    script = written["failures.py"]
    for old, new in edits:
        assert old in script
        script = script.replace(old, new)
    (tmp_path / "failures.py").write_text(script, encoding="utf-8")
    described = written["failures.yaml"].replace("  risk:", f"  {output}:")
    (tmp_path / "failures.yaml").write_text(described, encoding="utf-8")
    first, second, _ = commands(road(ROADS[1]))
    typed(first, tmp_path)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        typed(second, tmp_path)
    assert why in refused.value.stderr
    assert not (tmp_path / "store").exists()


def test_what_no_model_declares_is_refused_as_ever(app: App, risk: Any) -> None:
    assert risk
    status, problem = app.get("/weather/predict", area="Jerusalem")
    assert (status, problem["type"]) == (422, "/problems/no-applicable-model")
    assert problem["refused_counts"] == {"area-not-declared": 2}


def shown(app: App, path: str) -> str:
    """Return the words of a page, without its markup, scripts and the recipe it may quote."""
    with urllib.request.urlopen(f"{app.address}{path}", timeout=60) as answer:  # noqa: S310
        page = answer.read().decode()
    page = re.sub(r"<(script|style|pre)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_names_the_quantity_and_no_weather(app: App, risk: Any) -> None:
    assert risk
    page = shown(app, "/?area=Pump-1")
    assert "Risk of failure" in page or "Vibration mm/s" in page
    pages = [page, shown(app, "/"), shown(app, "/coverage")]
    pages += [
        shown(app, f"/models/{each['delivery_id']}/card/")
        for each in app.get("/models")[1]["models"]
    ]
    for each in pages:
        assert WEATHER.findall(each) == []


def test_research_and_app_agree_on_what_is_supported(folder: Path, risk: Any) -> None:
    assert risk
    software = subprocess.run(  # noqa: S603
        command("software"), env=settings(folder), check=True, stdout=subprocess.PIPE
    ).stdout
    (folder / "app.json").write_bytes(software)
    typed("fairweather-research check pump-vibration.yaml --software app.json", folder)
    for delivery in (folder / "store").iterdir():
        typed(f"fairweather-interface check {delivery} --software app.json", folder)


def test_every_block_of_the_page_is_a_file_or_is_typed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    roads = [road(name) for name in ROADS]
    assert sum(map(len, map(files, roads))) + len(ROADS) == page.count("```") // 2
    assert [len(commands(text)) for text in roads] == [3, 3]


def test_the_contract_does_not_know_the_variables() -> None:
    assert not OURS & VARIABLES.keys()
