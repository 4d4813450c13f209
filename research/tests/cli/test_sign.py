"""``train``, ``fleet`` and ``publish`` with ``--sign``: the key is tried first, then used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fairweather_interface.delivery import open_delivery
from fairweather_interface.manifest import SIGNATURE
from typer.testing import CliRunner, Result

from fairweather_research.cli.main import app
from fairweather_research.fleet import Fleet
from fairweather_research.fleet.tasks import Outcome, State
from keys import key_file, key_of, signers

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Trained


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def delivered(trained: Trained, tmp_path: Path) -> Path:
    """A delivery of a store of its own, not signed."""
    path = trained.delivery.path
    return Path(shutil.copytree(path, tmp_path / "store" / path.name))


@pytest.fixture
def recipe(tiny_document: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_document), encoding="utf-8")
    return path


def test_what_was_trained_is_signed_and_its_path_is_the_last_line(
    delivered: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fairweather_research.training.train.train", lambda *_, **__: open_delivery(delivered)
    )
    signed = ("train", recipe, "--store", delivered.parent, "--sign")
    shown = run(*signed, f"file:{key_file(tmp_path, 1)}")
    assert (shown.exit_code, shown.stdout) == (0, f"{delivered}\n")
    assert signers(delivered, key_of(tmp_path, 1)) == [True]
    (delivered / SIGNATURE).write_text("no envelope", encoding="utf-8")
    shown = run(*signed, f"file:{key_file(tmp_path, 1)}")
    assert (shown.exit_code, shown.stdout) == (1, f"{delivered}\n")
    assert "--replace writes a new one" in shown.stderr


@pytest.mark.parametrize("command", ["train", "fleet", "publish"])
def test_a_key_that_cannot_be_used_is_told_before_anything_is_done(
    delivered: Path,
    recipe: Path,
    tmp_path: Path,
    command: str,
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        yaml.safe_dump({"recipe": str(recipe), "areas": ["JFK"], "model_types": {"A": {}}}),
        encoding="utf-8",
    )
    what = {"train": recipe, "fleet": plan, "publish": delivered}[command]
    key = key_file(tmp_path, 1, mode=0o644)
    shown = run(command, what, "--store", tmp_path / "elsewhere", "--sign", f"file:{key}")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert f"chmod 600 {key}" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_a_fleet_signs_what_it_delivers_and_lists_what_was_there_before_unsigned(
    delivered: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path(shutil.copytree(delivered, tmp_path / "before" / delivered.name))
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        yaml.safe_dump(
            {"recipe": str(recipe), "areas": ["JFK", "EWR"], "model_types": {"Tiny": {}}}
        ),
        encoding="utf-8",
    )

    def trained(
        fleet: Fleet, *, ended: Callable[[Outcome], None], **_options: object
    ) -> tuple[Outcome, ...]:
        first, second = (training.name for training in fleet.plan.trainings)
        outcomes = (
            Outcome(name=first, state=State.DELIVERED, path=str(delivered)),
            Outcome(name=second, state=State.FOUND, path=str(before)),
        )
        for outcome in outcomes:
            ended(outcome)
        return outcomes

    monkeypatch.setattr(Fleet, "run", trained)
    key = f"file:{key_file(tmp_path, 1)}"
    shown = run("fleet", plan, "--store", tmp_path / "store", "--sign", key)
    assert shown.exit_code == 1
    assert f"not signed, was in the store before: {before}" in shown.stderr
    assert signers(delivered, key_of(tmp_path, 1)) == [True]
    assert run("sign", before, "--key", key).exit_code == 0
    assert run("fleet", plan, "--store", tmp_path / "store", "--sign", key).exit_code == 0


def test_a_delivery_is_signed_where_it_is_published_and_not_where_it_comes_from(
    delivered: Path, tmp_path: Path
) -> None:
    key = f"file:{key_file(tmp_path, 1)}"
    shown = run("publish", delivered, "--store", tmp_path / "there", "--sign", key)
    assert shown.exit_code == 0
    assert signers(shown.stdout.strip(), key_of(tmp_path, 1)) == [True]
    assert not (delivered / SIGNATURE).exists()
