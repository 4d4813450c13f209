"""Each recipe is one that the research it is named for can read; nothing is trained to know it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import wheelhouse
import yaml
from matrix_axes import HEAD, RECIPES, Side, axis, recipes, version_of

ROOT = wheelhouse.ROOT
SIDES = axis(wheelhouse.releases(), "research")
Fields = dict[str, dict[str, ast.AnnAssign]]


def chosen(side: Side) -> dict[str, Path]:
    return {recipe.kind: recipe.path for recipe in recipes(version_of(side))}


def fields(source: Path) -> Fields:
    """The annotated fields of each class in a package's source, by the names of both."""
    found: Fields = {}
    for path in source.rglob("*.py"):
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(item, ast.ClassDef):
                lines = [line for line in item.body if isinstance(line, ast.AnnAssign)]
                found.setdefault(item.name, {}).update({ast.unparse(x.target): x for x in lines})
    return found


def misread(document: dict[str, Any], name: str, known: Fields, path: str = "") -> list[str]:
    """Why a record of this name cannot be read from a document; empty where it can."""
    of = known[name]
    found = [f"{path}{key}: unknown" for key in document.keys() - of.keys()]
    found += [
        f"{path}{key}: missing"
        for key, line in of.items()
        if line.value is None and key not in document
    ]
    for key in document.keys() & of.keys():
        inner = known.keys() & set(ast.unparse(of[key].annotation).split(" | "))
        if inner and isinstance(document[key], dict):
            found += misread(document[key], inner.pop(), known, f"{path}{key}.")
    return found


@pytest.fixture
def known(side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fields:
    """The fields of the classes of one research, from the tree it was released as."""
    monkeypatch.setattr(wheelhouse, "ROOT", ROOT)  # not the small world
    if side.version == HEAD:
        return fields(ROOT / "research" / "src")
    (made,) = (made for made in wheelhouse.releases("research") if made.version == side.version)
    wheelhouse.unpack_tree(made.tree, tmp_path)
    return fields(tmp_path / "src")


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
def test_every_research_reads_the_recipes_that_it_is_given(side: Side, known: Fields) -> None:
    for path in chosen(side).values():
        assert misread(yaml.safe_load(path.read_text(encoding="utf-8")), "Recipe", known) == []


@pytest.mark.parametrize("side", SIDES[:1], ids=lambda side: side.name)
def test_a_recipe_that_is_named_too_early_is_noticed(side: Side, known: Fields) -> None:
    del side
    later = {"topic": "x", "quantiles": [0.1, 0.9], "fit": {"epochs": 2, "speed": 3}}
    found = misread(later, "Recipe", known)
    assert {"quantiles: unknown", "fit.speed: unknown", "author: missing"} <= set(found)


def test_every_recipe_is_given_to_somebody() -> None:
    given = {path for side in SIDES for path in chosen(side).values()}
    assert given == set(RECIPES.glob("*.yaml"))
    assert {kind for side in SIDES for kind in chosen(side)} == {"plain", "bands", "newest"}
