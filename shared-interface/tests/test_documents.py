"""The handbook says what the code does; as a program, this file rewrites its generated parts."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import fairweather_interface
from fairweather_interface import SCHEMA_VERSION, VARIABLES, delivery, errors, load_definitions
from fairweather_interface.__main__ import _parser, main
from fairweather_interface.definitions import load_yaml, parse_definitions
from fairweather_interface.ledger import LEDGER
from fairweather_interface.refusals import Code
from fairweather_interface.software import Software

_HOME = Path(__file__).parent.parent
README = _HOME / "README.md"


def _commands() -> tuple[str, ...]:
    """The names of the commands, as the program itself tells them."""
    (commands,) = [
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    return tuple(commands.choices)


COMMANDS = _commands()

MEANINGS = {
    "applicability_domain": "the windows of an input that the model is fit for",
    "applicability_domain{}.max_missing": "the largest share of a window that may be missing",
    "applicability_domain{}.maximum": "in the input's unit, of every value that is present",
    "applicability_domain{}.minimum": "in the input's unit, of every value that is present",
    "areas": "the places the model knows; `area_index` counts in this order",
    "areas{}.latitude": "north of the equator",
    "areas{}.longitude": "east of Greenwich",
    "areas{}.timezone": "whose months and days it lives by",
    "artifacts": "every serialized form of the model",
    "artifacts[].canonical": "this form is the model; `model_digest` covers it",
    "artifacts[].format": "`tensorflow-saved-model`, `onnx`, or a newer one",
    "artifacts[].needs": "what a runtime must offer",
    "artifacts[].needs.ir_version": "ONNX IR version",
    "artifacts[].needs.opset": "ONNX operator set",
    "artifacts[].needs.tensorflow": "the TensorFlow it was written with, the oldest that reads it",
    "artifacts[].omitted": "why this form was left out",
    "artifacts[].path": "file or folder below the delivery",
    "author": "who answers for it",
    "created_at": "when it was made",
    "delivery_id": "UUID of version 4, the folder's name",
    "inputs": "every tensor the model is fed with",
    "inputs[].areas": "a region: the mean over these; absent: the requested area",
    "inputs[].dtype": "`float32`, `int64`, or another",
    "inputs[].max_missing": "the share of the window that may be missing",
    "inputs[].name": "the tensor's name",
    "inputs[].period": "the length of the window",
    "inputs[].role": "`observations`, `reference_time`, `area_index`, or a newer one",
    "inputs[].sample_rate": "the spacing of its samples",
    "inputs[].shape": "-1 counts requests",
    "inputs[].unit": "unit of the values",
    "inputs[].variable": "what is observed",
    "max_humidity_seen": "deprecated: the highest value in all training windows",
    "max_temperature_seen": "deprecated: the highest value in all training windows",
    "min_reader": "the oldest schema whose readers may read this",
    "model_digest": "digest of the canonical artifact",
    "model_type": "a label for people and policy",
    "outputs": "every forecast: float32, raw physical values",
    "outputs[].name": "the tensor's name",
    "outputs[].shape": "-1 counts requests",
    "outputs[].step": "value k is for t0 + k · step",
    "outputs[].unit": "unit of the values",
    "outputs[].variable": "what is forecast",
    "performance": "how well it did, per area and variable",
    "performance[].area": "where",
    "performance[].bias": "mean of forecast - observed, in the variable's unit",
    "performance[].count": "how many values were compared",
    "performance[].evaluation_id": "digest of data, blocks, baselines; figures compare under one",
    "performance[].held_out": "the stretches of time it was not trained on",
    "performance[].held_out[].end": "excluded",
    "performance[].held_out[].start": "included",
    "performance[].mae": "mean absolute error, in the variable's unit",
    "performance[].rmse": "root of the mean squared error, in the variable's unit",
    "performance[].skill": "1 - MAE / MAE of the better of persistence and climatology",
    "performance[].skill_interval": "of the skill",
    "performance[].variable": "what",
    "schema_version": "the schema this is written in",
    "tolerance": "by output: abs(found - expected) ≤ absolute + relative · abs(expected)",
    "tolerance{}.absolute": "in the output's unit",
    "tolerance{}.relative": "share of the expected value",
    "topic": "what this model tries, for people",
    "training": "provenance: how to make it again",
    "training.code_version": "of the training code",
    "training.data_digest": "of the observations",
    "training.data_location": "where they can be had again",
    "training.data_source": "where they come from",
    "training.packages": "name to version",
    "training.recipe": "free-form, as it was used",
    "training.seed": "of all randomness",
    "training.synthetic": "observations were made up",
    "training.threads": "results may depend on them",
    "training.train_end_time": "of the last observation used",
    "training.train_start_time": "of the first observation used",
    "uncertainty": "quantiles of outputs: tensors beside them, none of `outputs`",
    "uncertainty[].name": "the tensor's name",
    "uncertainty[].output": "the output it is a quantile of; type, shape, unit and step are its",
    "uncertainty[].probability": "how often observed values lie below it",
    "valid_months": "1 to 12: when it may be asked",
}


def fields_table() -> str:
    lines = ["| field | type | unknown | rules | meaning |", "|---|---|---|---|---|"]
    for row in LEDGER:
        needed = "" if row.required else f", default `{row.default}`"
        rules = [f"`{rule}`" for rule in row.constraints] + ([row.unit] if row.unit else [])
        cells = (
            f"`{row.path}`",
            f"{row.type}{needed}",
            "must" if row.must_obey else "may",
            ", ".join(rules).replace("|", "\\|"),
            MEANINGS[row.path],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def variables_table() -> str:
    lines = ["| variable | unit | CF standard name | can be real |", "|---|---|---|---|"]
    lines += [
        f"| `{item.name}` | `{item.unit}` | {item.standard_name} | "
        f"{item.minimum:g} to {item.maximum:g} |"
        for item in VARIABLES.values()
    ]
    return "\n".join(lines)


def help_texts() -> str:
    parts = []
    for command in ("", *COMMANDS):
        arguments = [*command.split(), "--help"]
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
            main(arguments)
        parts.append(f"$ fairweather-interface {' '.join(arguments)}\n{told.getvalue()}")
    return "```\n" + "\n".join(parts) + "```"


GENERATED: dict[str, Callable[[], str]] = {
    "fields": fields_table,
    "variables": variables_table,
    "commands": help_texts,
}


def _section(name: str, text: str) -> re.Match[str]:
    found = re.search(rf"(<!-- {name}[^>]*-->\n)(.*?)(<!-- end of {name} -->)", text, re.DOTALL)
    assert found is not None, f"README.md lost its mark for {name}"
    return found


def rewritten() -> str:
    """The handbook with its generated parts made anew."""
    text = README.read_text(encoding="utf-8")
    for name, generate in GENERATED.items():
        found = _section(name, text)
        new = f"{found[1]}{generate()}\n{found[3]}"
        text = text[: found.start()] + new + text[found.end() :]
    return text


def run(*arguments: str) -> int:
    """Rewrite the generated parts; with ``--check`` only say whether they are current."""
    if arguments not in {(), ("--check",)}:
        sys.stderr.write("usage: python tests/test_documents.py [--check]\n")
        return 2
    os.environ["COLUMNS"] = "100"
    new = rewritten()
    if not arguments:
        README.write_text(new, encoding="utf-8")
        return 0
    if new == _words():
        return 0
    sys.stderr.write("README.md is not current; run: python tests/test_documents.py\n")
    return 1


def _words() -> str:
    return README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["fields", "variables"])
def test_a_generated_part_is_current(name: str) -> None:
    found = _section(name, _words())
    assert found[2].strip() == GENERATED[name](), "run: python tests/test_documents.py"


def test_every_metadata_field_has_a_meaning_and_no_other() -> None:
    assert sorted(MEANINGS) == [row.path for row in LEDGER]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_and_option_is_in_the_handbook(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    told = capsys.readouterr().out
    commands = _section("commands", _words())[2]
    (written,) = [
        text
        for text in re.split(r"^\$ ", commands, flags=re.MULTILINE)
        if text.startswith(" ".join(["fairweather-interface", *command.split(), "--help"]) + "\n")
    ]
    assert set(re.findall(r"--[a-z]+", told)) == set(re.findall(r"--[a-z]+", written))
    for line in told.splitlines():
        assert " ".join(line.split()) in " ".join(written.split())


def test_every_command_is_in_the_handbook_and_no_other() -> None:
    told = re.findall(r"^\$ fairweather-interface (\w+) --help$", _words(), re.MULTILINE)
    assert tuple(told) == COMMANDS


def test_the_check_of_the_generated_parts_finds_one_that_is_not_current(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(_words().replace("IANA time zone", "a time zone"), encoding="utf-8")
    monkeypatch.setattr("test_documents.README", copy)
    monkeypatch.setenv("COLUMNS", "100")
    assert run("--check") == 1
    assert "run: python tests/test_documents.py" in capsys.readouterr().err
    assert run() == run("--check") == 0
    assert run("--chek") == 2


def test_every_refusal_code_is_in_the_handbook_and_no_other() -> None:
    tables = re.findall(r"^\| code \|[^\n]*\n\|[-|]+\n((?:\|.*\n)+)", _words(), re.MULTILINE)
    told = {code for table in tables for code in re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)}
    assert told == {code.value for code in Code}


def test_every_error_is_in_the_handbook_and_no_other() -> None:
    real = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, Exception)
    }
    builtin = {"ValueError", "OSError"}
    assert set(re.findall(r"\b[A-Z][A-Za-z]+Error\b", _words())) - builtin == real


def test_every_file_of_a_delivery_is_in_the_handbook() -> None:
    for name in (delivery.METADATA, delivery.MANIFEST, delivery.SIGNATURE, delivery.EXAMPLES,
                 delivery.CARD):  # fmt: skip
        assert name in _words()


def test_every_field_of_the_software_manifest_is_in_the_handbook_and_no_other() -> None:
    (told,) = re.findall(r"`Software\(([^)]*)\)`", _words())
    assert set(told.replace(",", " ").split()) == set(Software.model_fields)


def test_every_name_the_handbook_mentions_in_python_exists() -> None:
    for block in re.findall(r"```python\n(.*?)```", _words(), re.DOTALL):
        compile(block, "README.md", "exec")
        (names,) = re.findall(r"from fairweather_interface import \(?([^)]*?)\)?\n\n", block)
        for name in names.replace(",", " ").split():
            assert name in fairweather_interface.__all__


def test_the_definitions_of_the_handbook_can_be_loaded() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", _words(), re.DOTALL)
    found = parse_definitions(load_yaml(text), source="README.md")
    assert found.required_inputs == load_definitions("israel").required_inputs
    assert yaml.safe_load(text)


def test_no_setting_is_read_from_the_environment() -> None:
    source = Path(fairweather_interface.__file__).parent
    for path in source.rglob("*.py"):
        assert "environ" not in path.read_text(encoding="utf-8"), "document it, then mend this test"


def test_every_public_thing_has_a_docstring() -> None:
    for name in fairweather_interface.__all__:
        item = getattr(fairweather_interface, name)
        if callable(item):
            assert item.__doc__, name


def test_the_changelog_speaks_of_the_version_we_work_on() -> None:
    text = (_HOME / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((_HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    released = str(project["version"]).partition(".dev")[0]
    assert text.startswith("# Changelog\n")
    assert re.search(
        rf"^## (Unreleased|\[?{re.escape(released)}\]? - \d{{4}}-\d\d-\d\d)$", text, re.MULTILINE
    )
    assert f"schema **{SCHEMA_VERSION}**" in text


if __name__ == "__main__":
    raise SystemExit(run(*sys.argv[1:]))
