"""docs/own-domain.md, done: the app as it is serves the electricity load of districts."""

from __future__ import annotations

import math
import os
import random
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from page import PAGE, files
from serving import App, command, running, settings

from fairweather_interface.variables import VARIABLES

START = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 500
LATEST = START + timedelta(hours=24 * DAYS - 1)


def load_table() -> str:
    """Return two districts' hourly load: day and night, winter and summer, and some luck."""
    lines = ["area,time,variable,unit,value"]
    for area, usual in (("Harbour", 300.0), ("Hillside", 120.0)):
        luck, chance = 0.0, random.Random(area)  # noqa: S311 - a toy's weather
        for hour in range(24 * DAYS):
            luck = 0.97 * luck + chance.gauss(0, 0.01)
            day = 0.25 * math.sin(2 * math.pi * (hour % 24 - 9) / 24)
            year = 0.15 * math.cos(2 * math.pi * hour / 8766)
            time = START + timedelta(hours=hour)
            value = usual * (1 + day + year + luck)
            lines.append(f"{area},{time:%Y-%m-%dT%H:%MZ},load,MW,{value:.2f}")
    return "\n".join(lines) + "\n"


def research() -> Path:
    """Return the command of research, which has an environment of its own."""
    beside = Path(os.environ["FAIRWEATHER_DEMO"]) / "research"
    return Path(beside.read_text(encoding="utf-8")) / "fairweather-research"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the page was followed up to the training, which delivered."""
    folder = tmp_path_factory.mktemp("own-domain")
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "load.csv").write_text(load_table(), encoding="utf-8")
    subprocess.run(  # noqa: S603 - arguments of our own
        [research(), "train", "district-load.yaml", "--store", "store"], cwd=folder, check=True
    )
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    """Return the app as it is, over that store and the district's observations."""
    environment = settings(folder)
    imported = command("observations", "import", str(folder / "load.csv"))
    subprocess.run(imported, env=environment, check=True)  # noqa: S603
    with running(environment, folder / "app.log") as app:
        yield app


def test_a_district_is_answered_in_its_own_unit_with_a_band(app: App) -> None:
    status, answer = app.get("/weather/predict", area="Harbour")
    assert status == 200, answer
    assert set(answer["forecast"]) == {"time", "load"}
    load = answer["forecast"]["load"]
    assert load["unit"] == "MW"
    assert len(load["value"]) == 72
    assert all(100 < value < 600 for value in load["value"])
    assert all(low <= high for low, high in zip(load["lower"], load["upper"], strict=True))
    receipt = answer["receipt"]
    assert (receipt["model_type"], receipt["synthetic"]) == ("DistrictLoadPredictor", True)
    assert answer["reference_time"] == f"{LATEST:%Y-%m-%dT%H:%M:%SZ}"


def test_the_model_learned_something_that_persistence_and_climatology_do_not_know(
    app: App,
) -> None:
    _, answer = app.get("/weather/predict", area="Hillside")
    assert answer["receipt"]["skill"]["load"] > 0


def test_what_no_model_declares_is_refused_as_ever(app: App) -> None:
    status, problem = app.get("/weather/predict", area="Jerusalem")
    assert (status, problem["type"]) == (422, "/problems/no-applicable-model")
    assert problem["refused_counts"] == {"area-not-declared": 1}


def test_the_page_names_the_quantity(app: App) -> None:
    with urllib.request.urlopen(f"{app.address}/?area=Harbour", timeout=60) as answer:  # noqa: S310
        page = answer.read().decode()
    heads = re.findall(r"<th\b.*?</th>", page, re.DOTALL)
    columns = {" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in heads}
    assert "Load MW" in columns


def test_research_and_app_agree_on_what_is_supported(folder: Path) -> None:
    software = subprocess.run(  # noqa: S603
        command("software"), env=settings(folder), check=True, stdout=subprocess.PIPE
    ).stdout
    (folder / "app.json").write_bytes(software)
    checked = subprocess.run(  # noqa: S603
        [research(), "check", "district-load.yaml", "--software", "app.json"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


def test_every_block_of_the_page_is_a_file_but_the_last() -> None:
    blocks = PAGE.read_text(encoding="utf-8").count("```") // 2
    assert len(files()) == blocks - 1  # the last one is what to type


def test_the_contract_does_not_know_the_variable() -> None:
    assert "load" not in VARIABLES
