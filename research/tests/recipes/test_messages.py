"""Messages about a recipe are short, whatever it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from conftest import RECIPES
from fairweather_research import Recipe, RecipeError, load_recipe

if TYPE_CHECKING:
    pass


def laughs(levels: int) -> str:
    """Aliases of aliases: nine to the power of the levels values, in as many lines."""
    lines = ["a0: &a0 [" + ",".join(["lol"] * 9) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("key", Recipe.model_fields)
@pytest.mark.parametrize("levels", [4, 8])
def test_values_are_cut_in_the_message_about_any_key(tmp_path: Path, key: str, levels: int) -> None:
    recipe = yaml.safe_load((RECIPES / "winter-predictor.yaml").read_text("utf-8"))
    recipe.pop(key, None)
    text = laughs(levels) + yaml.safe_dump(recipe) + f"{key}: *a{levels - 1}\n"
    (tmp_path / "laughs.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipe(tmp_path / "laughs.yaml")
    assert len(str(refused.value)) < 10_000
    assert sum(map(len, refused.value.problems)) < 10_000
    if levels == 8:
        (problem,) = refused.value.problems
        assert "found aliases that repeat more than 100000 values: write them out" in problem


@pytest.mark.parametrize(
    "more",
    [
        "? " + "k" * 100_000 + "\n: 1\n",
        "".join(f"key{n}: 1\n" for n in range(3000)),
        "seed: '" + "9" * 100_000 + "'\n",
        "licence: " + "x" * 100_000 + "\n",
        "quantiles: [" + ",".join(["0.1"] * 3000) + "]\n",
    ],
    ids=["a long key", "many keys", "a long number", "a long word", "a long list"],
)
def test_a_message_about_much_that_is_wrong_is_short(tmp_path: Path, more: str) -> None:
    recipe = yaml.safe_load((RECIPES / "winter-predictor.yaml").read_text("utf-8"))
    recipe = {name: value for name, value in recipe.items() if name != "quantiles"}
    (tmp_path / "much.yaml").write_text(yaml.safe_dump(recipe) + more, encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipe(tmp_path / "much.yaml")
    assert len(str(refused.value)) < 20_000


def test_hundreds_of_unknown_areas_are_counted_and_some_are_named(
    tiny_document: dict[str, Any],
) -> None:
    areas = [f"Area {number}" for number in range(900)]
    with pytest.raises(RecipeError) as refused:
        Recipe.parse({**tiny_document, "areas": areas}, source="tiny.yaml")
    assert "900 problems in the recipe" in str(refused.value)
    assert "unknown area 'Area 0'; expected one of EWR, JFK" in str(refused.value)
    assert refused.value.problems[-1] == "and 880 more"
