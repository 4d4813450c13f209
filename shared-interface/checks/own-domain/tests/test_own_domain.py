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
from changes import PAGE, Change, changes, copy_sources
from serving import App, command, running, settings

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


def overlaid(folder: Path, *packages: str, **environment: str) -> dict[str, str]:
    """Return an environment in which the changed sources of ``packages`` are imported first."""
    paths = os.pathsep.join(str(folder / package / "src") for package in packages)
    return {**os.environ, **environment, "PYTHONPATH": paths}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the page was followed up to the training, which delivered."""
    folder = tmp_path_factory.mktemp("own-domain")
    copy_sources(folder)
    for each in changes():
        each.apply(folder)
    (folder / "load.csv").write_text(load_table(), encoding="utf-8")
    research = Path((Path(os.environ["FAIRWEATHER_DEMO"]) / "research").read_text())
    subprocess.run(  # noqa: S603 - arguments of our own
        [research / "fairweather-research", "train", "district-load.yaml", "--store", "store"],
        cwd=folder,
        env=overlaid(folder, "shared-interface", "research"),
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    """Return the app as it is, over the changed contract's variables."""
    environment = overlaid(folder, "shared-interface", **settings(folder))
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
    environment = overlaid(folder, "shared-interface", **settings(folder))
    software = subprocess.run(  # noqa: S603
        command("software"), env=environment, check=True, stdout=subprocess.PIPE
    ).stdout
    (folder / "app.json").write_bytes(software)
    research = Path((Path(os.environ["FAIRWEATHER_DEMO"]) / "research").read_text())
    checked = subprocess.run(  # noqa: S603
        [
            research / "fairweather-research",
            "check",
            "district-load.yaml",
            "--software",
            "app.json",
        ],
        cwd=folder,
        env=overlaid(folder, "shared-interface", "research"),
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("how", ["replace x", 'after "nowhere = {" in a.py'])
def test_a_change_that_cannot_be_done_is_told(tmp_path: Path, how: str) -> None:
    (tmp_path / "a.py").write_text("somewhere = {\n")
    with pytest.raises(ValueError, match=r"nobody can do|0 lines"):
        Change(how=how, text="x\n").apply(tmp_path)


def test_every_change_of_the_page_is_marked_as_one() -> None:
    blocks = PAGE.read_text(encoding="utf-8").count("```") // 2
    assert len(list(changes())) == blocks - 1  # the last one is what to type
