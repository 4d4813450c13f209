from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from click.testing import Result
from fairweather_interface.software import read_software
from flask import Flask
from flask.cli import FlaskGroup
from pyarrow import parquet

from fairweather_app import create_app

Build = Callable[..., Path]
Observe = Callable[..., None]
MakeApp = Callable[..., Flask]
Command = Callable[..., Result]

GOOD = "area,time,variable,unit,value\nJFK,2013-06-20T12:00Z,temperature,degC,1.5\n"


@pytest.fixture
def flask_command(make_app: MakeApp) -> Command:
    def run(*arguments: str) -> Result:
        return make_app().test_cli_runner().invoke(args=list(arguments))

    return run


def test_importing_tells_what_was_imported(
    flask_command: Command, tmp_path: Path, observe: Observe
) -> None:
    observe("EWR", [1.0])
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    result = flask_command("observations", "import", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: 1 observations of JFK\n"


def test_importing_says_that_weather_is_made_up_and_whom_to_name(
    flask_command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "made-up.parquet"
    said = {"synthetic": True, "attribution": "somebody"}
    columns = {name: [cell] for name, cell in zip(*csv.reader(GOOD.splitlines()), strict=True)}
    table = pa.table(columns | {"value": [1.5]})
    parquet.write_table(table.replace_schema_metadata({"fairweather": json.dumps(said)}), path)
    result = flask_command("observations", "import", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{path}: 1 observations of JFK; synthetic: these values were generated, not "
        "observed; attribution: somebody\n"
    )
    (found,) = json.loads(flask_command("observations", "import", str(path), "--json").stdout)
    assert (found["synthetic"], found["attribution"]) == (True, "somebody")
    (tmp_path / "good.csv").write_text(GOOD)
    good = flask_command("observations", "import", str(tmp_path / "good.csv"), "--json")
    assert json.loads(good.stdout)[0]["synthetic"] is None  # it does not say


def test_importing_checks_all_files_first_and_imports_none_when_one_is_wrong(
    flask_command: Command, make_app: MakeApp, tmp_path: Path
) -> None:
    good, bad, worse = (tmp_path / name for name in ("good.csv", "bad.csv", "worse.csv"))
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("degC", "K"))
    worse.write_text(GOOD.replace("Z,", ",").replace("1.5", "warm"))
    result = flask_command("observations", "import", str(good), str(bad), str(worse))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{bad}: row 1: temperature in 'K'; expected 'degC'" in result.stderr
    assert f"{worse}: row 1: time without a time zone" in result.stderr
    assert f"{worse}: row 1: value is not a number" in result.stderr
    assert "nothing was imported: 2 of 3 files are wrong" in result.stderr
    assert make_app().extensions["fairweather"].observations.areas() == ()


def test_a_file_that_is_not_there_is_wrong_use(flask_command: Command) -> None:
    result = flask_command("observations", "import", "nowhere.csv")
    assert result.exit_code == 2
    assert "nowhere.csv" in result.stderr


def test_models_list_shows_every_delivery(flask_command: Command, tiny_delivery: Build) -> None:
    good, bad = tiny_delivery(areas=("EWR", "JFK")), tiny_delivery(model=b"no")
    result = flask_command("models", "list")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "EWR, JFK" in lines[good.name]
    assert "runs on onnxruntime" in lines[good.name]
    assert "quarantined" in lines[bad.name]
    assert "corrupt: model.onnx is not an ONNX model" in lines[bad.name]


def test_models_list_in_json_is_what_the_interface_answers(
    flask_command: Command, tiny_delivery: Build, make_app: MakeApp
) -> None:
    tiny_delivery()
    told = json.loads(flask_command("models", "list", "--json").stdout)
    answered = make_app().test_client().get("/models").json
    assert answered is not None
    assert told["models"] == answered["models"]
    assert set(told) == set(answered)


def test_models_list_says_on_stderr_that_there_is_nothing(flask_command: Command) -> None:
    result = flask_command("models", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "holds no delivery yet" in result.stderr


@pytest.mark.parametrize("words", ["models list", "models list --json", "models why JFK"])
def test_commands_about_models_exit_1_with_the_problem_of_a_store_that_cannot_be_read(
    flask_command: Command, store: Path, words: str
) -> None:
    store.rmdir()
    result = flask_command(*words.split())
    assert result.exit_code == 1
    assert result.stderr.count(f"the store {store} cannot be read") == 1


def test_models_why_tells_the_problem_of_the_store_beside_who_answers(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float], store: Path
) -> None:
    answering = tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    app = make_app()
    store.rename(store.with_name("aside"))
    result = app.test_cli_runner().invoke(args=["models", "why", "JFK"])
    assert result.exit_code == 0
    assert f"{answering.name} answers for JFK" in result.stdout
    assert f"the store {store} cannot be read" in result.stderr


def test_models_why_names_who_answers_and_everyone_who_does_not(
    flask_command: Command, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    answering = tiny_delivery(areas=("JFK",))
    elsewhere = [tiny_delivery(areas=("EWR",)).name for _ in range(22)]
    observe("JFK", day)
    result = flask_command("models", "why", "JFK")
    assert result.exit_code == 0
    assert f"{answering.name} answers for JFK" in result.stdout
    assert all(name in result.stdout for name in elsewhere)


def test_models_why_exits_1_when_nobody_answers_and_says_why_in_json(
    flask_command: Command, tiny_delivery: Build
) -> None:
    path = tiny_delivery(areas=("EWR",))
    result = flask_command("models", "why", "LGA", "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content["delivery_id"] is None
    assert [(each["delivery_id"], each["code"]) for each in content["refused"]] == [
        (path.name, "area-not-declared")
    ]
    assert "No model covers LGA (1 refused: area-not-declared)." in result.stderr


def test_models_why_asks_for_any_time(
    flask_command: Command, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery()
    observe("EWR", day)
    result = flask_command("models", "why", "EWR", "--at", "2013-06-20T13:00Z")
    assert result.exit_code == 1
    assert "missing from 2013-06-20T12:00Z to 2013-06-20T13:00Z" in result.stdout
    result = flask_command("models", "why", "EWR", "--at", "noon")
    assert result.exit_code == 2
    assert "is not an ISO-8601 time" in result.stderr


def test_models_why_of_an_area_nobody_knows_exits_1_with_the_areas(
    flask_command: Command,
) -> None:
    result = flask_command("models", "why", "Atlantis")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Jerusalem" in result.stderr


def test_software_prints_the_manifest_and_nothing_else(flask_command: Command) -> None:
    result = flask_command("software")
    assert (result.exit_code, result.stderr) == (0, "")
    assert read_software(result.stdout).name == "fairweather-app"


@pytest.mark.parametrize(
    "words",
    ["observations", "observations import", "models", "models list", "models why", "check"],
)
def test_every_command_has_help_that_is_a_document(flask_command: Command, words: str) -> None:
    result = flask_command(*words.split(), "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 4
    if words not in {"observations", "models"}:
        assert "Example: flask --app fairweather_app" in result.stdout


def test_a_wrong_setting_is_wrong_use_and_no_stack_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - the app's own runner has an app already

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRWEATHER_CLOCK", "noon")
    group = FlaskGroup(create_app=create_app)
    for arguments in (["software"], ["run"]):
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == 2
        assert "FAIRWEATHER_CLOCK is 'noon': expected 'latest-observation' or" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("below", ["", "below"])
def test_a_cache_that_cannot_be_written_is_wrong_use_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, below: str
) -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - the app's own runner has an app already

    file = tmp_path / "file"
    file.write_text("a file where a folder should be")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRWEATHER_CACHE", str(file / below))
    result = CliRunner().invoke(FlaskGroup(create_app=create_app), ["models", "list"])
    assert result.exit_code == 2
    assert f"FAIRWEATHER_CACHE is '{file / below}': expected a folder that can be written" in (
        result.stderr
    )
    assert "Traceback" not in result.stderr


def test_a_mistyped_setting_is_warned_of_once_and_changes_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - the app's own runner has an app already

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRWEATHER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAIRWEATHER_STOER", "/srv/deliveries")
    result = CliRunner().invoke(FlaskGroup(create_app=create_app), ["software"])
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: FAIRWEATHER_STOER is not a setting and is ignored; "
        "did you mean FAIRWEATHER_STORE?\n"
    )


def test_a_database_that_cannot_be_used_is_a_sentence(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("no database")
    app = make_app(observations=f"sqlite:///{tmp_path}/x.sqlite")
    result = app.test_cli_runner().invoke(args=["models", "why", "JFK"])
    assert result.exit_code == 1
    assert "FAIRWEATHER_OBSERVATIONS" in result.stderr
