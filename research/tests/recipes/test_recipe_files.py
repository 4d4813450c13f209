"""A recipe is read from a file, or refused with what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairweather_research import Recipe, RecipeError, load_recipe

if TYPE_CHECKING:
    pass


def test_a_recipe_that_is_not_there_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: [", "topic: a\ntopic: b", "\x00"])
def test_a_file_that_is_not_yaml_with_one_meaning_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("areas: [NO, SE]", "found 'NO', which YAML reads as False; quote it"),
        ("areas: [010]", "found '010', which YAML reads as 8; quote it"),
        ("areas: [12:30]", "found '12:30', which YAML reads as 750; quote it"),
        ("season: [010, 011]", "found '010', which YAML reads as 8; quote it"),
        ("topic: yes", "found 'yes', which YAML reads as True; quote it"),
        ("topic: 2024-03-01", "found '2024-03-01', which YAML reads as datetime.date"),
        ("definitions: {application: {areas: {off: 1}}}", "found 'off', which YAML reads as False"),
    ],
)
def test_a_word_that_yaml_reads_as_something_else_is_the_one_problem(
    tmp_path: Path, line: str, found: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"author: a\n{line}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    (problem,) = refused.value.problems
    assert f"line 2: {found}" in problem


def test_a_number_in_place_of_a_name_is_refused_once_with_what_to_do(
    tiny_document: dict[str, Any],
) -> None:
    with pytest.raises(RecipeError) as refused:
        Recipe.parse({**tiny_document, "areas": [1001]}, source="a.yaml")
    assert refused.value.problems == ("`areas.0`: found 1001; expected a text: put it in quotes",)


def test_the_two_forms_of_one_name_in_unicode_are_one_area(tiny_document: dict[str, Any]) -> None:
    text = json.dumps(tiny_document, ensure_ascii=False).replace("EWR", "A\u030aland")
    document = json.loads(text)
    document["areas"] = ["\u00c5land", "JFK"]
    recipe = Recipe.parse(document, source="a.yaml")
    assert recipe.areas == ("\u00c5land", "JFK")
    assert set(recipe.defined.areas) == {"\u00c5land", "JFK"}


@pytest.mark.parametrize("text", ["", "- a\n- b", "winter"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="expected keys and values"):
        load_recipe(path)
