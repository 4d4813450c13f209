"""Fleets: every training once, whoever stops them and whoever else is at work."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import yaml
from fairweather_interface.delivery import list_deliveries, open_delivery
from fairweather_interface.testing import assert_delivery_conforms
from typer.testing import CliRunner

from fairweather_research import Fleet, ObservationsError, Plan, TrainingError
from fairweather_research.cli.main import app
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.environment import packages
from fairweather_research.fleet import State, store_index
from fairweather_research.fleet.index import default_page, rows, write_index
from fairweather_research.fleet.local import cores
from fairweather_research.recipes.plan import Training
from fairweather_research.training.forkserver import ForkServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Trained
    from fairweather_research import Recipe

QUICK: dict[str, Any] = {"variables": ["humidity"], "fit": {"epochs": 1}}


def plan_document(tiny_document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A plan of the small recipe, and of what else is asked for."""
    common = {key: value for key, value in tiny_document.items() if key != "areas"}
    common.pop("model_type")
    return {
        "recipe": common,
        "areas": [["EWR", "JFK"]],
        "model_types": {"TinyPredictor": None},
        **changes,
    }


def quick_document(tiny_document: dict[str, Any]) -> dict[str, Any]:
    """Three trainings of a few seconds."""
    return plan_document(
        {**tiny_document, **QUICK},
        areas=["JFK"],
        seeds=[1, 2, 3],
        networks=["recent-anomalies"],
        model_types={"Quick": None},
    )


def started(document: dict[str, Any], folder: Path, *more: str) -> subprocess.Popen[str]:
    """``fairweather-research fleet`` at work in a folder, on the store in it."""
    (folder / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    arguments = ["-m", "fairweather_research", "fleet", "plan.yaml", "--store", "store", *more]
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def invoked(*arguments: str) -> Any:
    """``fairweather-research fleet`` in this process, whose server has imported TensorFlow."""
    return CliRunner().invoke(app, ["fleet", *arguments])


@pytest.fixture
def known(trained: Trained, tiny_document: dict[str, Any], tmp_path: Path) -> Fleet:
    """A fleet of two, in whose store one lies already, delivered by ``train``."""
    shutil.copytree(trained.delivery.path, tmp_path / "known" / trained.delivery.path.name)
    document = plan_document(tiny_document, seeds=[1, 2])
    return Fleet(Plan.parse(document, source="two.yaml"), tmp_path / "known")


def test_a_fleet_trains_the_model_that_train_does_and_a_failure_fails_alone(
    trained: Trained, tiny_document: dict[str, Any], tmp_path: Path
) -> None:
    types = {"Never": {"season": [1]}, "TinyPredictor": None}
    document = plan_document(tiny_document, model_types=types)
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = invoked(str(tmp_path / "plan.yaml"), "--store", str(tmp_path / "store"))
    assert done.exit_code == 1
    told = done.stderr
    (path,) = list_deliveries(tmp_path / "store")
    assert done.stdout == f"{path}\n"
    assert_delivery_conforms(path)
    assert open_delivery(path).metadata.model_digest == trained.delivery.metadata.model_digest
    assert "1 of 2: failed: Never EWR+JFK" in told
    assert "2 of 2: delivered: TinyPredictor EWR+JFK" in told
    assert "`season`: no observation at JFK falls in the months 1" in told
    assert "1 of 2 delivered (1 new), 1 failed" in told
    assert "Traceback" not in told
    _, _, table = told.partition("The fleet")
    for cell in ("TinyPredictor", "EWR, JFK", "blend", "failed", "delivered", "EWR temperature: "):
        assert f"\N{BOX DRAWINGS LIGHT VERTICAL} {cell}" in table, table
    assert [each.name for each in (tmp_path / "store" / ".fleet").iterdir()] == ["plan.html"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fleet_that_was_stopped_goes_on_and_repeats_nothing(
    tiny_document: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    document = quick_document(tiny_document)
    hidden = tmp_path / "store" / ".fleet"
    with started(document, tmp_path, "--jobs", "1") as process:
        assert process.stderr is not None
        while "1 of 3: delivered" not in (line := process.stderr.readline()):
            assert line, "it ended first"
        while not list(hidden.glob("*.lock")):  # the second has begun
            assert process.poll() is None, "it ended first"
            time.sleep(0.05)
        process.send_signal(number)
        _, told = process.communicate()
    before = list_deliveries(tmp_path / "store")
    assert 1 <= len(before) < 3
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number
        assert "what was delivered stays, and the same command goes on with the rest" in told
        assert f"Model cards so far: {hidden / 'plan.html'}" in told
        page = (hidden / "plan.html").read_text(encoding="utf-8")
        assert f"{len(before)} of 3 models lie in" in page
        assert [path for path in before if f"{path.name}/card/index.html" in page] == [*before]
    else:
        assert list(hidden.glob("*.lock")), "the claim of what was killed"
        (hidden / "of-a-plan-that-nobody-trains-again.lock").touch()
    done = invoked(str(tmp_path / "plan.yaml"), "--store", str(tmp_path / "store"))
    assert done.exit_code == 0
    told = done.stderr
    after = list_deliveries(tmp_path / "store")
    assert set(before) < set(after)
    assert sorted(done.stdout.split()) == sorted(map(str, after))
    assert len(after) == 3
    assert told.count(": delivered before: ") == len(before)
    assert f"3 of 3 delivered ({3 - len(before)} new), none failed" in told
    assert [each for each in (tmp_path / "store").iterdir() if each not in after] == [hidden]
    assert [each.name for each in hidden.iterdir()] == ["plan.html"]


def test_two_fleets_at_once_share_the_work_and_deliver_nothing_twice(
    tiny_document: dict[str, Any], tmp_path: Path
) -> None:
    document = quick_document(tiny_document)
    with started(document, tmp_path) as other:
        one = invoked(str(tmp_path / "plan.yaml"), "--store", str(tmp_path / "store"))
        told = [one.stderr, other.communicate()[1]]
    folders = list_deliveries(tmp_path / "store")
    assert len(folders) == 3
    made = [open_delivery(folder).metadata for folder in folders]
    assert len({(*each.areas, each.training.seed) for each in made}) == 3
    assert sum(each.count(": delivered: ") for each in told) == 3
    for code, text in zip((one.exit_code, other.returncode), told, strict=True):
        assert code == int("trained elsewhere" in text)


def test_what_train_delivered_is_not_trained_again(known: Fleet, trained: Trained) -> None:
    found = list(known.waiting())
    assert [each.state for each in found] == [State.FOUND, State.WAITING]
    assert found[0].path == str(known.store / trained.delivery.path.name)


def test_what_lies_there_spoiled_or_half_does_not_count(known: Fleet, trained: Trained) -> None:
    folder = known.store / trained.delivery.path.name
    (folder / "model.onnx").write_bytes(b"spoiled")
    assert [each.state for each in known.waiting()] == [State.WAITING, State.WAITING]
    (folder / "metadata.json").unlink()
    (known.store / "stranger").mkdir()
    (known.store / "stranger" / "manifest.json").write_text("{}", encoding="utf-8")
    assert [each.state for each in known.waiting()] == [State.WAITING, State.WAITING]


def test_another_seed_other_data_or_other_code_is_another_training(
    tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny()
    observations = observations_of(recipe)
    fewer = observations.archive.select(areas=["EWR"], variables=["humidity"])
    found = {
        store_index.identity(recipe, observations),
        store_index.identity(tiny(seed=2), observations),
        store_index.identity(
            recipe, type(observations)(**{**vars(observations), "archive": fewer})
        ),
    }
    other = {**packages(), "fairweather-research": "9.9"}
    monkeypatch.setattr(store_index, "packages", lambda: other)
    found.add(store_index.identity(recipe, observations))
    assert len(found) == 4


def test_another_source_of_the_network_is_another_training(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (Path(__file__).parents[1] / "plugged_networks.py").read_text(encoding="utf-8")
    (tmp_path / "my_networks.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    recipe = tiny(**QUICK, areas=["JFK"], network="my_networks:Foreign")
    fleet = Fleet(Plan(name="one", trainings=(Training(name="it", recipe=recipe),)), tmp_path / "s")
    assert [each.state for each in fleet.run()] == [State.DELIVERED]
    assert [each.state for each in fleet.waiting()] == [State.FOUND]
    (tmp_path / "my_networks.py").write_text(f"{code}\n# otherwise", encoding="utf-8")
    assert [each.state for each in fleet.waiting()] == [State.WAITING]
    (tmp_path / "my_networks.py").unlink()
    (lost,) = fleet.waiting()
    assert lost.state is State.FAILED
    assert "found no module 'my_networks'" in (lost.reason or "")


def test_another_contract_is_another_training(
    tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny()
    observations = observations_of(recipe)
    before = store_index.identity(recipe, observations)
    ours = {**packages(), "fairweather-interface": "9.9"}
    monkeypatch.setattr(store_index, "packages", lambda: ours)
    assert store_index.identity(recipe, observations) != before


def test_dead_claims_are_cleared_and_living_ones_are_not(tmp_path: Path) -> None:
    store_index.clear_dead_claims(tmp_path)  # there is nothing yet
    with store_index.claim(tmp_path, "living"):
        dead = tmp_path / store_index.HIDDEN / "dead.lock"
        dead.touch()
        store_index.clear_dead_claims(tmp_path)
        assert [each.name for each in dead.parent.iterdir()] == ["living.lock"]


def test_who_tidies_up_is_not_taken_for_somebody_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / store_index.HIDDEN / "a.lock"
    path.parent.mkdir()
    with path.open("w") as tidying:
        fcntl.flock(tidying, fcntl.LOCK_EX)

        def done(_seconds: float) -> None:
            path.unlink()
            tidying.close()

        monkeypatch.setattr("fairweather_research.fleet.store_index.time.sleep", done)
        with store_index.claim(tmp_path, "a") as ours:
            assert ours


def test_a_claim_is_held_by_one_and_leaves_nothing(tmp_path: Path) -> None:
    with store_index.claim(tmp_path, "a") as first, store_index.claim(tmp_path, "a") as second:
        assert (first, second) == (True, False)
        with store_index.claim(tmp_path, "b") as other:
            assert other
    with store_index.claim(tmp_path, "a") as again:
        assert again
    assert list((tmp_path / store_index.HIDDEN).iterdir()) == []


def test_observations_that_cannot_be_read_fail_their_trainings_alone(
    known: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(recipe: Recipe) -> Any:
        if recipe.seed == 2:
            raise ObservationsError("there", "no such file")
        return observations_of(recipe)

    monkeypatch.setattr("fairweather_research.fleet.tasks.observations_of", unread)
    monkeypatch.setattr(ForkServer, "start", lambda *_: pytest.fail("something was trained"))
    found = known.run(jobs=2)
    assert [each.state for each in found] == [State.FOUND, State.FAILED]
    assert found[1].reason == "there: no such file"


def test_an_error_that_nobody_foresaw_is_the_end_of_one_training_only(
    known: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("fairweather_research.fleet.tasks.train", broken)
    found = known.run()
    assert [each.state for each in found] == [State.FOUND, State.FAILED]
    assert found[1].reason == "ZeroDivisionError: a bug"


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_the_cores_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cores() == expected


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"jobs": -1}, "`jobs`: found -1, expected 1 or more trainings at a time"),
        ({"jobs": 0}, "`jobs`: found 0, expected 1 or more"),
        ({"engine": "abacus"}, "`engine`: found 'abacus', expected one of local, ray"),
    ],
)
def test_a_fleet_that_cannot_run_as_asked_is_refused_in_python_too(
    known: Fleet, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(TrainingError, match=re.escape(said)):
        known.run(**asked)


class Page(HTMLParser):
    """What a page leads to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


def test_the_page_leads_to_every_card_and_loads_nothing(known: Fleet, tmp_path: Path) -> None:
    outcomes = tuple(known.waiting())
    odd = "<script>alert(1)</script>"
    for path in (default_page(known.plan, known.store), tmp_path / "else where" / "page.html"):
        write_index(path, known.plan, known.store, rows(known.plan, outcomes), warnings=[odd])
        text = path.read_text(encoding="utf-8")
        page = Page()
        page.feed(text)
        assert not page.tags & {"script", "link", "img", "iframe"}
        assert "&lt;script&gt;" in text
        (link,) = page.links
        card = (path.parent / unquote(link)).resolve()
        assert card == Path(outcomes[0].path or "") / "card" / "index.html"
        assert card.is_file()
        assert "1 of 2 models lie in" in text
        assert '<span class="there">delivered before</span>' in text
        assert '<span class="soft">to be trained</span>' in text
        assert re.search(r"EWR temperature: \d+\.\d\d °C, skill -?\d+ %", text)
        assert "prefers-color-scheme: dark" in text
    assert list_deliveries(known.store) == (Path(outcomes[0].path or ""),)
    with pytest.raises(TrainingError, match="could not be written"):
        write_index(Path("/proc/none/a.html"), known.plan, known.store, ())


@pytest.fixture
def plan_file(known: Fleet, tiny_document: dict[str, Any], tmp_path: Path) -> Path:
    """The plan of ``known`` in a file."""
    path = tmp_path / f"{known.plan.name}.yaml"
    path.write_text(yaml.safe_dump(plan_document(tiny_document, seeds=[1, 2])), encoding="utf-8")
    return path


def test_a_dry_run_lists_what_would_be_trained_and_trains_nothing(
    known: Fleet, plan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForkServer, "start", lambda *_: pytest.fail("something was trained"))
    shown = invoked(str(plan_file), "--store", str(known.store), "--dry-run")
    (there,) = list_deliveries(known.store)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [
        f"delivered before: TinyPredictor EWR+JFK seed 1: {there}",
        "to be trained: TinyPredictor EWR+JFK seed 2",
    ]
    older = invoked(str(plan_file), "--store", str(known.store), "--schema", "0.4", "--dry-run")
    assert "2 of 2 models would be trained" in older.stderr  # what is there is in another schema
    assert [each.name for each in known.store.iterdir()] == [there.name]
    text = plan_file.read_text(encoding="utf-8")
    plan_file.write_text(text.replace("summer.parquet", "none.parquet"), encoding="utf-8")
    shown = invoked(str(plan_file), "--store", str(known.store), "--dry-run")
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert shown.stderr.count("failed: TinyPredictor EWR+JFK seed ") == 2
    assert "none.parquet" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--engine", "abacus"), 2, "found 'abacus', expected one of local, ray"),
        (("--jobs", "0"), 2, "Invalid value for '--jobs'"),
        (("--software", "none.json"), 2, "none.json: cannot be read (No such file or directory)"),
        (("--engine", "ray"), 1, "found no RAY_ADDRESS, expected the address of a Ray cluster"),
    ],
)
def test_a_fleet_that_cannot_be_run_as_asked_is_told_without_a_trace(  # noqa: PLR0917
    known: Fleet,
    plan_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    shown = invoked(str(plan_file), "--store", str(known.store), *arguments)
    assert shown.exit_code == code
    assert said in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.output


def test_logs_do_not_go_into_the_store(known: Fleet, plan_file: Path) -> None:
    folder = str(known.store / "logs")
    shown = invoked(str(plan_file), "--store", str(known.store), "--tensorboard", folder)
    assert shown.exit_code == 1
    assert "expected one outside the store" in shown.stderr


def test_a_plan_that_cannot_be_used_is_wrong_use(tmp_path: Path) -> None:
    shown = invoked(str(tmp_path / "none.yaml"))
    assert shown.exit_code == 2
    assert "none.yaml: 1 problem in the plan" in shown.stderr
    assert "cannot be read (No such file or directory)" in shown.stderr


def test_what_no_live_software_supports_is_told_once_and_refused_when_strict(
    tiny_document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded = {**tiny_document, "applicability_domain": ["minimum"]}
    document = plan_document(bounded, seeds=[1, 2, 3])
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    newest = Path(__file__).parents[2] / "src/fairweather_research/software/fairweather-app.json"
    manifest = json.loads(newest.read_text(encoding="utf-8"))
    manifest |= {"version": "0.2.0", "readable_schemas": {"oldest": "0.1", "newest": "0.2"}}
    (tmp_path / "old.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked = ("plan.yaml", "--software", "old.json", "--schema", "0.4", "--dry-run")
    shown = invoked(*asked)
    assert shown.exit_code == 0
    line, last = shown.stderr.splitlines()
    assert last == "3 of 3 models would be trained"
    assert line.startswith("warning: fairweather-app 0.2.0 refuses: ")
    assert line.endswith("(3 of 3 trainings)")
    shown = invoked(*asked, "--strict")
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert "no live software supports this yet" in shown.stderr
    assert invoked(*asked, "--strict", "--software", str(newest)).exit_code == 0
