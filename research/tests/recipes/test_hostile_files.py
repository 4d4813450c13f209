"""Recipes, plans and definitions of somebody else: each is refused at once, in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from conftest import RECIPES
from fairweather_research import PlanError, Recipe, RecipeError, load_plan, load_recipe
from fairweather_research.cli.main import app
from fairweather_research.document import LARGEST

WINTER = (RECIPES / "winter-predictor.yaml").read_text(encoding="utf-8")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return tmp_path / "recipe.yaml"


def test_a_recipe_that_is_larger_than_any_is_not_read(recipe: Path) -> None:
    with recipe.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(RecipeError, match=f"found {LARGEST + 1} bytes, expected at most {LARGEST}"):
        load_recipe(recipe)


@pytest.mark.parametrize("kind", ["a device", "a pipe", "a link to a device"])
def test_what_is_no_file_is_neither_a_recipe_nor_definitions_nor_a_software_manifest(
    tmp_path: Path, recipe: Path, kind: str
) -> None:
    endless = Path("/dev/zero")
    if kind == "a pipe":
        endless = tmp_path / "pipe"
        os.mkfifo(endless)
    elif kind == "a link to a device":
        endless = tmp_path / "link"
        endless.symlink_to("/dev/zero")
    with pytest.raises(RecipeError, match="a device, expected a file"):
        load_recipe(endless)
    with pytest.raises(PlanError, match="a device, expected a file"):
        load_plan(endless)
    named = WINTER.replace("definitions: new-york", f"definitions: {endless}")
    recipe.write_text(named, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"`definitions`: found no definitions at .*a device"):
        load_recipe(recipe)
    command = ["check", str(RECIPES / "winter-predictor.yaml"), "--software", str(endless)]
    shown = CliRunner().invoke(app, command)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "a device, expected a file" in shown.stderr


def test_a_link_to_a_recipe_is_followed(recipe: Path) -> None:
    recipe.symlink_to(RECIPES / "winter-predictor.yaml")
    assert load_recipe(recipe).areas == ("EWR", "JFK")


def test_a_plan_is_counted_before_it_is_expanded(tmp_path: Path) -> None:
    many = [f"A{number}" for number in range(3000)]
    plan = {
        "recipe": {"topic": "x"},
        "areas": [[area] for area in many],
        "model_types": {f"M{area}": {} for area in many},
        "seeds": list(range(3000)),
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    with pytest.raises(PlanError, match="found 27,000,000,000 trainings, expected at most 10,000"):
        load_plan(path)


def test_a_recipe_has_at_most_as_many_areas_as_apps_take(tiny_document: dict[str, Any]) -> None:
    areas = [f"Area {number}" for number in range(1001)]
    with pytest.raises(RecipeError, match="found 1,001 names, expected at most 1,000"):
        Recipe.parse({**tiny_document, "areas": areas}, source="tiny.yaml")


def test_what_would_steer_a_terminal_is_shown_as_it_is_written(recipe: Path) -> None:
    recipe.write_text(f'"\\e[2J\\u202e": 1\n{WINTER}', encoding="utf-8")
    shown = CliRunner().invoke(app, ["check", str(recipe)])
    assert shown.exit_code == 2
    assert r"`\x1b[2J\u202e`: unknown key" in shown.stderr
