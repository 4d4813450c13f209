"""The handbook is held against the code: what there is stands in it."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from fairweather_interface.refusals import Code
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ByteSize

import fairweather_app
from fairweather_app import Settings
from fairweather_app.api.problems import CODES
from fairweather_app.api.schemas import ModelsQuery
from fairweather_app.capabilities import CAPABILITIES
from fairweather_app.config import CONFIG, PREFIX
from fairweather_app.server import serve

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PRODUCTION = (Path(__file__).parents[1] / "PRODUCTION.md").read_text(encoding="utf-8")
CALLING = (Path(__file__).parents[1] / "CALLING.md").read_text(encoding="utf-8")
OF_FLASK = {"run", "shell", "routes"}


def test_what_is_exported_is_what_is_meant_to_be() -> None:
    assert fairweather_app.__all__ == ["Settings", "create_app", "load_settings", "start_polling"]
    assert all(hasattr(fairweather_app, name) for name in fairweather_app.__all__)


def test_every_setting_is_in_the_handbook_and_no_other() -> None:
    told = set(re.findall(r"^\| `(FAIRWEATHER_\w+)`", README, re.MULTILINE))
    assert told == {PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_defaults_in_the_handbook_are_the_real_ones(name: str) -> None:
    default = Settings.model_fields[name].default
    match default:
        case None | ():
            text = ""
        case bool():
            text = f"`{str(default).lower()}`"
        case ByteSize():
            text = f"`{default.human_readable().replace('.0', '')}`"
        case float():
            text = f"`{default:g}`"
        case _:
            text = f"`{default}`"
    (row,) = re.findall(rf"^\| `{PREFIX}{name.upper()}` \|(.*?)\|", README, re.MULTILINE)
    assert row.strip() == text


def test_every_address_is_in_the_handbook_and_no_other(app: Flask) -> None:
    rules = [each for each in app.url_map.iter_rules() if "<path:" not in each.rule]
    real = {
        f"{method} {rule.rule}"
        for rule in rules
        for method in (rule.methods or set()) & {"GET", "POST"}
    }
    of_the_api = {
        f"{method} {rule.rule}"
        for rule in rules
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) & {"GET", "POST"}
    }
    told = set(re.findall(r"^\| `((?:GET|POST) /[^`?\[]*)", README, re.MULTILINE))
    assert of_the_api - told == set()
    assert told - real == set()


def test_every_page_is_in_the_handbook(app: Flask) -> None:
    pages = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("page.")}
    for address in pages - {"/", "/page/<path:name>", "/docs/<name>"}:
        assert re.search(rf"^\| `{address}", README, re.MULTILINE), address
    for address in ("`/?area=", "`/models`"):
        assert f"| {address}" in README


def test_every_parameter_of_models_is_in_the_handbook() -> None:
    assert all(re.search(rf"[?&]{name}=", README) for name in ModelsQuery.model_fields)


def test_every_picture_of_the_handbook_is_there_and_they_are_small() -> None:
    folder = Path(__file__).parents[1]
    named = {folder / name for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)}
    assert named == set((folder / "docs").glob("*.png"))
    assert 0 < sum(path.stat().st_size for path in named) < 150_000


def test_every_problem_is_in_the_handbook_and_no_other() -> None:
    told = re.findall(r"^\| `([\w-]+)` \| \d", _part("### Problems"), re.MULTILINE)
    assert sorted(told) == sorted(CODES)


def test_every_refusal_is_in_the_handbook_and_no_other() -> None:
    told = re.findall(r"^\| `([\w-]+)` \|", _part("### Why a delivery"), re.MULTILINE)
    assert sorted(told) == sorted(code.value for code in Code)


def _part(heading: str) -> str:
    """The text of the handbook below a heading, up to the next one."""
    return re.split(r"^#+ ", README.partition(f"\n{heading}")[2], flags=re.MULTILINE)[0]


def test_every_capability_is_in_the_handbook() -> None:
    assert all(f"**{each.name}**" in README for each in CAPABILITIES)


def test_every_command_is_in_the_handbook_and_no_other(app: Flask) -> None:
    assert set(_told_commands()) == {*_commands(app), "run"}


def test_every_option_and_argument_of_a_command_is_in_the_handbook_and_no_other(
    app: Flask,
) -> None:
    for name, command in _commands(app).items():
        told = _told_commands()[name]
        options = {each.opts[0] for each in command.params if isinstance(each, click.Option)} - {
            "--help"
        }
        assert set(re.findall(r"--[a-z]+", told)) == options, name
        arguments = [
            (each.metavar or each.name or "").strip("[].").upper()
            for each in command.params
            if isinstance(each, click.Argument)
        ]
        bare = re.sub(r"--[a-z]+( [A-Z]+)?", "", told)
        assert re.findall(r"[A-Z]{2,}", bare) == arguments, name


def _commands(app: Flask) -> dict[str, click.Command]:
    """Our own commands by their whole name, found wherever they are registered."""
    found: dict[str, click.Command] = {}
    for name, command in app.cli.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {each}": sub for each, sub in command.commands.items()}
        elif name not in OF_FLASK:
            found[name] = command
    return found


def _told_commands() -> dict[str, str]:
    """By whole name what the handbook's table of commands says of the rest of the line."""
    lines = re.findall(r"^\| `(?!flask )([a-z].*?)` \|", _part("## Commands"), re.MULTILINE)
    matches = [re.match(r"((?:[a-z]+ ?)+?)(?= ?(?:[^a-z ]|$))", line) for line in lines]
    return {each[0].strip(): each.string[each.end() :] for each in matches if each}


def test_every_series_is_in_the_production_page_and_no_other(client: FlaskClient) -> None:
    client.get("/healthz")
    told = client.get("/metrics").get_data(as_text=True)
    named = re.findall(r"^# TYPE (fairweather_\w+) (counter|gauge|histogram)$", told, re.MULTILINE)
    series = {name for name, _ in named if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(fairweather_\w+)`", PRODUCTION, re.MULTILINE))
    optional = {"fairweather_store_look_age_seconds"}
    assert documented - optional == series - optional


def test_every_option_of_serve_is_in_the_production_page_with_its_default() -> None:
    for option in serve.params:
        row = rf"^\| `{option.opts[0]}` \| (\S.*?) \|"
        found = re.search(row, PRODUCTION, re.MULTILINE)
        assert found, option.opts[0]
        if option.multiple:
            assert found.group(1) == "none"
        elif not callable(option.default):
            default = option.default
            text = f"{default:g}" if isinstance(default, float) else str(default)
            assert found.group(1) == f"`{text}`"


def test_the_guide_for_callers_names_problems_that_there_are() -> None:
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", CALLING, re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
    assert named <= set(CODES)
    assert {code for code in CODES if code.startswith(("no-", "observations-"))} <= named
