"""Whatever kills a training, fills the disk or changes the data: nothing half-made is visible."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml
from fairweather_interface.delivery import clear_dead_stagings, list_deliveries, verify_delivery

from conftest import result_of
from fairweather_research import Recipe, TrainingError, train
from fairweather_research.dataset.source_data import observations_of, refuse_changed
from fairweather_research.training.forkserver import ForkServer, TrainingProcess
from fairweather_research.training.prepared import Prepared
from fairweather_research.training.train import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Trained
    from fairweather_research.training.train import Progress

QUICK: dict[str, Any] = {
    "areas": ["JFK"],
    "variables": ["humidity"],
    "fit": {"epochs": 1},
    "network": "recent-anomalies",
}


# All that a training process reports, bands included.
REPORTED = ("start", "fit", "bands", "export", "evaluate", "examples", "convert")


def left_in(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir()) if store.exists() else []


def environment(folder: Path) -> dict[str, str]:
    """Of a command whose temporary files go to ``folder / "temporary"``."""
    (folder / "temporary").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "temporary")}


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code of ours in a folder, to its end, however it ends."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def children_of(pid: int) -> list[int]:
    """Process ids of everything that a process has started, and what those have."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return [*found, *(each for child in found for each in children_of(child))]


def gone(pids: list[int]) -> bool:
    """Whether processes ended within ten seconds."""
    for _ in range(200):
        if not any(Path(f"/proc/{pid}/exe").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def emptied(folder: Path) -> bool:
    """Whether a folder is empty within ten seconds."""
    for _ in range(200):
        if not left_in(folder):
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def commanded(document: dict[str, Any], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``fairweather-research train`` at work in a folder, on the store in it."""
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    arguments = ["-m", "fairweather_research", "train", "recipe.yaml", "--store", "store"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def watch_processes(monkeypatch: pytest.MonkeyPatch) -> list[TrainingProcess]:
    """The training processes that are started from now on."""
    started: list[TrainingProcess] = []
    start = ForkServer.start

    def watched(server: ForkServer, folder: Path, scratch: Path) -> TrainingProcess:
        started.append(start(server, folder, scratch))
        return started[-1]

    monkeypatch.setattr(ForkServer, "start", watched)
    return started


@pytest.mark.parametrize("stage", REPORTED)
def test_a_training_process_killed_at_any_stage_leaves_nothing(
    tiny: Callable[..., Recipe],
    store: Path,
    server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    started = watch_processes(monkeypatch)

    def kill(progress: Progress) -> None:
        if progress.stage == stage and progress.epoch is None:
            pid = started[0].pid
            assert pid, "it sends its id before anything else"
            os.kill(pid, signal.SIGKILL)

    recipe = tiny(**QUICK, quantiles=[0.1, 0.9])
    with pytest.raises(TrainingError, match=r"ended by SIGKILL.*nothing was delivered"):
        train(recipe, store, server=server, progress=kill)
    assert left_in(store) == []


@pytest.mark.parametrize("stage", [STAGES[each] for each in ("start", "fit", "evaluate", "card")])
def test_a_command_killed_at_any_stage_leaves_nothing_to_see_and_the_next_run_clears_it(  # noqa: PLR0917
    tiny: Callable[..., Recipe],
    tiny_document: dict[str, Any],
    tmp_path: Path,
    server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    store = tmp_path / "store"
    with commanded({**tiny_document, **QUICK}, tmp_path) as process:
        assert process.stderr is not None
        while stage not in (line := process.stderr.readline()):
            assert line, "it ended first"
        family = children_of(process.pid)
        assert family
        process.kill()
    assert gone(family)
    assert list_deliveries(store) == ()
    assert len(left_in(store)) == 1  # hidden
    assert left_in(tmp_path / "temporary") == []

    def living(*_: object, **__: object) -> None:
        assert len(left_in(store)) == 1, "the dead one's was cleared, the living one's is there"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Prepared, "write", living)
    with pytest.raises(TrainingError, match="No space left on device"):
        train(tiny(**QUICK), store, server=server)
    assert left_in(store) == []


# The last step of a delivery is a rename: before it nothing is there, after it all is.
@pytest.mark.parametrize(
    ("step", "first", "there"),
    [
        ("write_manifest", "", 0),
        ("_flush", "", 0),
        ("_rename", "", 0),
        ("_rename", "step(*arguments)", 1),
    ],
)
def test_a_command_killed_while_it_delivers_has_delivered_all_or_nothing(  # noqa: PLR0917
    tiny_document: dict[str, Any],
    trained: Trained,
    tmp_path: Path,
    step: str,
    first: str,
    there: int,
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tiny_document))
    (tmp_path / "result.json").write_text(result_of(trained).model_dump_json())
    code = (
        "import os, pathlib, shutil, signal\n"
        "from fairweather_interface import delivery\n"
        "from fairweather_research.cli.main import app\n"
        "from fairweather_research.delivery.result import TrainingResult\n"
        "from fairweather_research.training import train\n"
        "def trained(_server, _prepared, folder, _report):\n"
        f"    found = pathlib.Path({str(trained.delivery.path)!r})\n"
        "    shutil.copytree(found / 'model', folder / 'model')\n"
        "    for name in ('model.onnx', 'examples.npz'):\n"
        "        shutil.copy(found / name, folder)\n"
        "    return TrainingResult.model_validate_json(pathlib.Path('result.json').read_text())\n"
        "train.run_training = trained\n"
        f"step = delivery.{step}\n"
        "def last(*arguments):\n"
        f"    {first}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"delivery.{step} = last\n"
        "app(['train', 'recipe.yaml', '--store', 'store'])\n"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert STAGES["deliver"] in done.stderr.splitlines()[-1]
    found = list_deliveries(tmp_path / "store")
    assert len(found) == there
    assert [verify_delivery(path) for path in found] == [()] * there
    clear_dead_stagings(tmp_path / "store")  # as the next run does
    assert left_in(tmp_path / "store") == [path.name for path in found]
    assert emptied(tmp_path / "temporary")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_asked_to_stop_takes_everything_down(
    tiny_document: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    with commanded({**tiny_document, **QUICK}, tmp_path) as process:
        assert process.stderr is not None
        while "starting the training process" not in (line := process.stderr.readline()):
            assert line, "it ended first"
        family = children_of(process.pid)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 128 + number
    assert "interrupted; nothing was delivered" in said
    assert "Traceback" not in said
    assert gone(family)
    assert left_in(tmp_path / "store") == []
    assert left_in(tmp_path / "temporary") == []


def test_a_disk_that_is_full_before_a_process_starts_is_an_error_in_words(
    tiny_document: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**tiny_document, **QUICK}))
    code = (
        "import resource, signal\n"
        "from fairweather_research.cli.main import app\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"  # less than is prepared
        "app(['train', 'recipe.yaml', '--store', 'store'])\n"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 1, done.stderr
    progress, _, error = done.stderr.partition("error: ")
    assert STAGES["windows"] in progress.splitlines()  # and the report of quality control
    assert re.search(r"could not be written \(\[Errno 27\] File too large", error), error
    assert "nothing was delivered" in error
    assert "Traceback" not in done.stderr
    assert left_in(tmp_path / "store") == []
    assert left_in(tmp_path / "temporary") == []


# What the disk takes of one file, as a full one would: less than the weights, than the graph.
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (63_000, r"model/variables/\S+; File too large"),
        (90_000, r"model/saved_model\.pb\S*; File too large"),
    ],
)
def test_a_disk_that_is_full_while_a_process_exports_is_an_error_in_words(
    tiny: Callable[..., Recipe],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    expected: str,
) -> None:
    started = watch_processes(monkeypatch)
    reached: list[str] = []

    def fill(progress: Progress) -> None:
        reached.append(progress.stage)
        if progress.stage == "start" and (pid := started[0].pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit))

    recipe = tiny(**{**QUICK, "network": "blend"})
    with pytest.raises(TrainingError, match=rf"{expected}.*nothing was|nothing was.*{expected}"):
        train(recipe, store, progress=fill)
    assert reached[-1] == "export"
    assert left_in(store) == []


def test_a_disk_that_is_full_at_the_last_step_delivers_nothing(
    tiny: Callable[..., Recipe],
    store: Path,
    server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fairweather_interface.delivery._flush", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*nothing was delivered"):
        train(tiny(**QUICK), store, server=server)
    assert left_in(store) == []


def test_two_processes_deliver_to_one_store_at_once(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any], tmp_path: Path
) -> None:
    with commanded({**tiny_document, **QUICK}, tmp_path) as other:
        assert other.stderr is not None
        while STAGES["start"] not in (line := other.stderr.readline()):
            assert line, "it ended first"
        paths = {str(train(tiny(**QUICK), tmp_path / "store").path)}
        paths.add(other.communicate()[0].strip())
    assert other.returncode == 0
    assert set(map(str, list_deliveries(tmp_path / "store"))) == paths
    assert len(paths) == 2
    assert [verify_delivery(Path(path)) for path in paths] == [(), ()]
    assert len(left_in(tmp_path / "store")) == 2
    assert left_in(tmp_path / "temporary") == []


def warmer(path: Path) -> None:
    """Change the values of a file of observations."""
    table = pd.read_parquet(path)
    table["value"] += 0.5
    table.to_parquet(path, index=False)


def test_what_was_trained_on_data_that_changed_since_is_not_delivered(
    tiny: Callable[..., Recipe], summer: Path, tmp_path: Path, store: Path, server: ForkServer
) -> None:
    mine = tmp_path / "mine.parquet"
    shutil.copy(summer, mine)

    def change(progress: Progress) -> None:
        if progress.stage == "evaluate":
            warmer(mine)

    recipe = tiny(**{**QUICK, "areas": ["EWR", "JFK"], "variables": ["temperature", "humidity"]})
    recipe = recipe.model_copy(
        update={"observations": recipe.observations.model_copy(update={"source": str(mine)})}
    )
    with pytest.raises(TrainingError, match=r"mine\.parquet changed while a model was trained"):
        train(recipe, store, server=server, progress=change)
    assert left_in(store) == []


def test_data_that_is_the_same_in_another_file_has_not_changed(
    tiny: Callable[..., Recipe], summer: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.parquet"
    shutil.copy(summer, mine)
    recipe = tiny(observations={"source": str(mine)})
    observations = observations_of(recipe)
    assert observations_of(recipe).archive.digest() == observations.archive.digest()
    pd.read_parquet(mine).to_parquet(mine, index=False, compression="gzip")
    refuse_changed(recipe, observations)
    mine.unlink()
    with pytest.raises(TrainingError, match=r"found the data digest none: .*no such file"):
        refuse_changed(recipe, observations)
