"""The handbook is held against the code: what there is stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest
from fairweather_interface.refusals import Code
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import Metric
from pydantic import ByteSize

import fairweather_app
from fairweather_app import Settings
from fairweather_app.api import metrics
from fairweather_app.api.openapi import openapi_document
from fairweather_app.api.problems import PROBLEMS
from fairweather_app.api.schemas import ModelsQuery, ModelSummary
from fairweather_app.models_backend.capabilities import CAPABILITIES
from fairweather_app.server import serve
from fairweather_app.settings import CONFIG, PREFIX

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PRODUCTION = (Path(__file__).parents[1] / "PRODUCTION.md").read_text(encoding="utf-8")
COMMANDS = (Path(__file__).parents[1] / "COMMANDS.md").read_text(encoding="utf-8")
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


def test_every_page_is_in_the_handbook_and_no_other(app: Flask) -> None:
    files = {"/page/<path:name>", "/docs/<name>"}
    pages = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("page.")}
    for_people_too = {"/models", "/models/<delivery_id>"}
    rows = re.findall(r"^\| (`/.*?`) \|", _part("### The pages"), re.MULTILINE)
    told = {
        address for row in rows for address in re.findall(r"`([^`?\[]*)", row) if "/" in address
    }
    assert told == (pages - files) | for_people_too


def test_every_parameter_of_models_is_in_the_handbook_and_no_other() -> None:
    (row,) = re.findall(r"^\| `GET /models(\[.*?)` \|", README, re.MULTILINE)
    assert re.findall(r"\[[?&](\w+)=", row) == list(ModelsQuery.model_fields)


def test_every_parameter_of_the_forecast_page_is_in_the_handbook_and_no_other(app: Flask) -> None:
    (row,) = re.findall(r"^\| `/(\?area=.*?)` \|", README, re.MULTILINE)
    paths = json.loads(openapi_document(app))["paths"]
    taken = {each["name"] for each in paths["/"]["get"]["parameters"] if each["in"] == "query"}
    assert set(re.findall(r"[?&](\w+)=", row)) == taken


def test_every_picture_of_the_handbook_is_there_and_they_are_small() -> None:
    folder = Path(__file__).parents[1]
    named = {folder / name for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)}
    assert named == set((folder / "docs").glob("*.png"))
    assert 0 < sum(path.stat().st_size for path in named) < 150_000


def test_every_problem_is_in_the_handbook_with_its_statuses_and_no_other() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d, ]+) \|", _part("### Problems"), re.MULTILINE)
    told = {code: tuple(map(int, statuses.split(", "))) for code, statuses in rows}
    assert told == {each.code: each.statuses for each in PROBLEMS.values()}
    assert len(told) == len(rows)


def test_every_refusal_is_in_the_handbook_and_no_other() -> None:
    told = re.findall(r"^\| `([\w-]+)` \|", _part("### Why a delivery"), re.MULTILINE)
    assert sorted(told) == sorted(code.value for code in Code)


def _part(heading: str, page: str = README) -> str:
    """The text of a page below a heading, up to the next one."""
    return re.split(r"^#+ ", page.partition(f"\n{heading}")[2], flags=re.MULTILINE)[0]


def test_every_capability_is_in_the_handbook_and_no_other() -> None:
    names = {each.name for each in CAPABILITIES}
    assert set(re.findall(r"\*\*([\w-]+)\*\* \(`capabilities`", README)) == names
    described = ModelSummary.model_fields["capabilities"].description or ""
    assert set(re.findall(r"([\w-]+):", described)) == names


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


def _sample(page: str, words: str) -> list[str]:
    """What a page shows that a command prints."""
    (text,) = re.findall(
        rf"^\$ flask --app fairweather_app {words}.*\n((?:.+\n)+?)```", page, re.MULTILINE
    )
    return str(text).splitlines()


def test_what_check_prints_is_what_the_handbook_shows(
    make_app: Callable[..., Flask], tiny_delivery: Callable[..., Path]
) -> None:
    tiny_delivery(areas=("LGA",), change=lambda document: document.update(valid_months=[1]))
    tiny_delivery(change=lambda document: document.update(schema_version="9.0", min_reader="9.0"))
    result = make_app().test_cli_runner().invoke(args=["check"])
    assert result.exit_code == 1

    def said(lines: list[str]) -> list[str]:
        """The head of the table, and the sentences below it without what is of one store."""
        told = [line for line in lines if re.match(r"fairweather-app|areas|of", line)]
        told = [re.sub(r"\d[\w.]*", "N", line) for line in told]
        told = [re.sub(r"(in |: )\S*/.*|(model: ).*", r"\1\2", line) for line in told]
        return [" ".join(lines[0].split()), *told]

    shown = said(_sample(README, "check"))
    assert said(result.stdout.splitlines()) == shown
    assert len(shown) == 4


def test_what_models_why_prints_is_what_the_commands_page_shows(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
) -> None:
    observe("JFK", day)
    best = {"skill": 0.9, "skill_interval": (0.8, 0.95), "valid_months": [1]}
    for more in (best, {}):
        tiny_delivery(areas=("JFK",), **more)
    printed = make_app().test_cli_runner().invoke(args=["models", "why", "JFK"]).stdout.splitlines()
    shown = _sample(COMMANDS, "models why")
    for lines in (printed, shown):
        assert re.fullmatch(r"[0-9a-f-]{36} answers for JFK at [\dT:-]+Z", lines[0])
    assert printed[1].split() == shown[1].split()
    for word in ("out-of-season", "answers", "asked in", "valid in", "skill: ", "trained"):
        assert word in " ".join(printed), word
        assert word in " ".join(" ".join(shown).split()), word


def test_every_series_is_in_the_production_page_and_no_other(client: FlaskClient) -> None:
    client.get("/healthz")
    told = client.get("/metrics").get_data(as_text=True)
    named = re.findall(r"^# TYPE (fairweather_\w+) (counter|gauge|histogram)$", told, re.MULTILINE)
    series = {name for name, _ in named if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(fairweather_\w+)`", PRODUCTION, re.MULTILINE))
    optional = {"fairweather_store_look_age_seconds"}
    assert documented - optional == series - optional


def test_every_series_is_told_with_its_labels(app: Flask) -> None:
    context = app.extensions["fairweather"]
    context.catalogue.refresh()
    real = {
        **{_series(each.describe()): each._labelnames for each in metrics.COUNTED},
        **{
            _series([each]): each._labelnames  # type: ignore[attr-defined]
            for each in metrics._State(context).collect()
        },
    }
    rows = re.findall(r"^\| `(fairweather_\w+)` \| (.*?)\|", PRODUCTION, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == real


def _series(described: Iterable[Metric]) -> str:
    (metric,) = described
    return metric.name + ("_total" if metric.type == "counter" else "")


def test_every_option_of_serve_is_in_the_production_page_with_its_default_and_no_other() -> None:
    told = set(re.findall(r"^\| `(--\w+)", PRODUCTION, re.MULTILINE))
    assert told == {option.opts[0] for option in serve.params}
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


def test_the_guide_for_callers_says_what_to_do_about_a_problem_as_the_app_does() -> None:
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (.*) \|$", CALLING, re.MULTILINE)
    told = {code: what for codes, what in rows for code in re.findall(r"`([a-z-]+)`", codes)}
    assert told == {each.code: each.remedy for each in PROBLEMS.values() if each.remedy}
