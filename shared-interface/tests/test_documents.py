"""The handbook says what the code does; as a program, this file rewrites its generated parts."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import fairweather_interface
from fairweather_interface import (
    SCHEMA_VERSION,
    VARIABLES,
    delivery,
    errors,
    load_definitions,
    staged_delivery,
)
from fairweather_interface.__main__ import _parser, main
from fairweather_interface.archive import archive_text
from fairweather_interface.definitions import load_yaml, parse_definitions
from fairweather_interface.ledger import LEDGER
from fairweather_interface.metadata import read_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.software import Software
from fairweather_interface.testing import assert_delivery_conforms, builders, identity_onnx

_HOME = Path(__file__).parent.parent
_OTHERS = {"own-domain", "from-the-talk"}  # held by sessions of their own
PAGES = (
    _HOME / "README.md",
    *(page for page in sorted((_HOME / "docs").glob("*.md")) if page.stem not in _OTHERS),
)


def _commands() -> tuple[str, ...]:
    """The names of the commands, as the program itself tells them."""
    (commands,) = [
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    return tuple(commands.choices)


COMMANDS = _commands()


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
            row.meaning,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def variables_table() -> str:
    lines = [
        "| variable | unit | CF standard name | can be real | also read in | margin |",
        "|---|---|---|---|---|---|",
    ]
    for item in VARIABLES.values():
        units = ", ".join(f"`{conversion.unit}`" for conversion in item.conversions)
        lines.append(
            f"| `{item.name}` | `{item.unit}` | {item.standard_name} | "
            f"{item.minimum:g} to {item.maximum:g} | {units} | {item.margin:g} |"
        )
    return "\n".join(lines)


def archive_table() -> str:
    _, head, *rows = archive_text().splitlines()
    cells = [line.removeprefix("# ").split(" | ") for line in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|---|---|---|---|---|", *lines[1:]])


def codes_table() -> str:
    lines = ["| code | phase | repeats | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{code}` | {code.phase} | {'yes' if code.repeatable else 'no'} | {code.meaning} |"
        for code in Code
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
    "archive": archive_table,
    "codes": codes_table,
    "commands": help_texts,
}


def _section(name: str, text: str) -> re.Match[str]:
    found = re.search(rf"(<!-- {name}[^>]*-->\n)(.*?)(<!-- end of {name} -->)", text, re.DOTALL)
    assert found is not None, f"the handbook lost its mark for {name}"
    return found


def rewritten(page: str) -> str:
    """Return a page of the handbook with its generated parts made anew."""
    for name, generate in GENERATED.items():
        if f"<!-- end of {name} -->" in page:
            found = _section(name, page)
            new = f"{found[1]}{generate()}\n{found[3]}"
            page = page[: found.start()] + new + page[found.end() :]
    return page


def run(*arguments: str) -> int:
    """Rewrite the generated parts; with ``--check`` only report whether they are current."""
    if arguments not in {(), ("--check",)}:
        sys.stderr.write("usage: python tests/test_documents.py [--check]\n")
        return 2
    os.environ["COLUMNS"] = "100"
    code = 0
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        new = rewritten(page)
        if not arguments:
            path.write_text(new, encoding="utf-8")
        elif new != page:
            sys.stderr.write(f"{path.name} is not current; run: python tests/test_documents.py\n")
            code = 1
    return code


def _words() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in PAGES)


@pytest.mark.parametrize("name", ["fields", "variables", "archive", "codes"])
def test_a_generated_part_is_current(name: str) -> None:
    found = _section(name, _words())
    assert found[2].strip() == GENERATED[name](), "run: python tests/test_documents.py"


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
    copy = tmp_path / "metadata.md"
    copy.write_text(_words().replace("IANA time zone", "a time zone"), encoding="utf-8")
    monkeypatch.setattr("test_documents.PAGES", (copy,))
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


def test_the_whole_document_of_the_handbook_is_a_delivery_and_says_no_more_than_is_asked_for(
    store: Path,
) -> None:
    page = (_HOME / "docs" / "metadata.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    document = json.loads(text)
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    assert set(document) == {row.path for row in LEDGER if row.required and row.path.isidentifier()}
    with staged_delivery(store, document["delivery_id"]) as folder:
        pairs = [("temperature", "temperature_forecast")]
        (folder / "model.onnx").write_bytes(identity_onnx(pairs, 24))
        examples = builders._examples(document, pairs, 24, {})
        (folder / delivery.EXAMPLES).write_bytes(examples)
        (folder / "card").mkdir()
        (folder / delivery.CARD).write_text("<!doctype html><title>JFK</title>")
        (folder / delivery.METADATA).write_text(text, encoding="utf-8")
    assert_delivery_conforms(store / document["delivery_id"])
    for name in document:
        less = {key: each for key, each in document.items() if key != name}
        with pytest.raises(errors.MetadataError, match=name):
            read_metadata(json.dumps(less))


@pytest.mark.parametrize(("command", "schema"), [("check", SCHEMA_VERSION), ("verify", "0.4")])
def test_what_the_page_on_breaking_changes_shows_is_what_the_commands_print(
    command: str, schema: str, tiny_delivery: Callable[..., Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    page = (_HOME / "docs" / "versioning.md").read_text(encoding="utf-8")
    told = re.findall(
        rf"^ *\$ fairweather-interface {command} (store/\w+).*\n((?: +.*\n)+?) +```",
        page,
        re.MULTILINE,
    )
    ((name, shown),) = told
    bounds = {"temperature": {"maximum": 30.0}}
    path = tiny_delivery(schema=schema, applicability_domain=bounds)
    software = tmp_path / "app.json"
    software.write_text(json.dumps({
        "name": "fairweather-app", "version": "0.5.0",
        "readable_schemas": {"oldest": "0.1", "newest": "0.4"},
        "runtimes": [{"format": "onnx", "name": "onnxruntime", "version": "1.26.0"}],
        "roles": ["observations"], "variables": {"temperature": "degC"},
        "longest_period": "P90D", "shortest_sample_rate": "PT1M",
    }))  # fmt: skip
    main([command, str(path), *(["--software", str(software)] if command == "check" else [])])
    printed = capsys.readouterr().out.replace(str(path), name)
    assert printed == textwrap.dedent(shown)


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
