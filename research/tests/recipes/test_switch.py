"""The switch of a recipe: what it may say, and what is said of what it may not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fairweather_research import Recipe, RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

BY_MONTH = {"by": "reference_time", "months": [[5, 6, 7, 8, 9], [10, 11, 12, 1, 2, 3, 4]]}
BY_HUMIDITY = {"by": "humidity", "statistic": "mean", "period": "1 day", "at": 60}


def problems(tiny: Callable[..., Recipe], switch: object) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as refused:
        tiny(switch=switch)
    return refused.value.problems


def test_a_recipe_without_a_switch_has_one_network(tiny: Callable[..., Recipe]) -> None:
    assert tiny().switch is None


@pytest.mark.parametrize(
    ("switch", "branches"),
    [
        (BY_MONTH, 2),
        (BY_HUMIDITY, 2),
        ({**BY_HUMIDITY, "at": [30, 60.5]}, 3),
        ({"by": "temperature", "statistic": "maximum", "period": "3 days", "at_quantile": 0.5}, 2),
        ({"by": "reference_time", "months": [[m] for m in range(1, 13)]}, 12),
    ],
)
def test_a_resolved_recipe_carries_its_switch_and_can_be_read_back(
    tiny: Callable[..., Recipe], switch: dict[str, Any], branches: int
) -> None:
    recipe = tiny(switch=switch)
    assert recipe.switch is not None
    assert recipe.switch.branches == branches
    assert set(recipe.document()["switch"]) == set(switch)  # and nothing that is not its own
    assert Recipe.parse(recipe.document(), source="metadata.json") == recipe


def test_one_threshold_may_be_written_as_a_number(tiny: Callable[..., Recipe]) -> None:
    assert tiny(switch=BY_HUMIDITY) == tiny(switch={**BY_HUMIDITY, "at": [60]})
    plan = tiny(switch=BY_HUMIDITY).switch
    assert plan is not None
    assert (plan.at, plan.period) == ((60.0,), timedelta(days=1))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"months": None}, "`switch.months`: missing; write"),
        ({"months": [[1, 2], [3]]}, "found [[1, 2], [3]], expected two or more lists that hold"),
        ({"months": [list(range(1, 13))]}, "two or more lists"),
        ({"months": [list(range(1, 13)), []]}, "two or more lists"),
        ({"months": [list(range(1, 13)), [12]]}, "each of the months 1 to 12 once"),
        ({"months": [[0, *range(1, 13)], [12]]}, "each of the months 1 to 12 once"),
        ({"at": 60}, "`switch.at`: does not belong to a switch by reference_time; take it out"),
        ({"months": [5, 6]}, "`switch.months.0`: found 5, expected a list; write it in square"),
    ],
)
def test_months_that_do_not_divide_the_year_are_refused(
    tiny: Callable[..., Recipe], changes: dict[str, Any], told: str
) -> None:
    found = problems(tiny, {**BY_MONTH, **changes})
    assert found[0].startswith("`switch.")
    assert any(told in problem for problem in found)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"by": "humidty"}, "unknown input 'humidty'; expected reference_time, or an input"),
        ({"statistic": "median"}, "found 'median'; Input should be 'mean', 'minimum' or 'maximum'"),
        ({"statistic": None}, "`switch.statistic`: missing; write, for example, `statistic: mean`"),
        ({"period": None}, "`switch.period`: missing; write, for example, `period: 1 day`"),
        ({"period": "90 minutes"}, "found 90 minutes, expected whole steps of 1 hour, at most the"),
        ({"period": "4 days"}, "found 4 days, expected whole steps of 1 hour, at most the 3 days"),
        ({"at": None}, "found neither of `at` and `at_quantile`, expected one"),
        ({"at_quantile": 0.5}, "found both of `at` and `at_quantile`, expected one"),
        ({"at": [60, 40]}, "found [60.0, 40.0], expected them ascending, each once"),
        ({"at": 160}, "found [160.0], expected humidity between 0 and 100 %"),
        ({"at": "sixty"}, "`switch.at.0`: found 'sixty'"),
        ({"at": float("nan")}, "`switch.at.0`: found nan"),
        ({"at": []}, "`switch.at`: found []"),
        ({"at": None, "at_quantile": 50}, "found [50.0], expected shares above 0 and below 1"),
        ({"months": [[1], [2]]}, "`switch.months`: does not belong to a switch by humidity"),
        ({"periode": "1 day"}, "`switch.periode`: unknown key; did you mean `period`?"),
    ],
)
def test_a_statistic_that_nobody_could_compare_is_refused(
    tiny: Callable[..., Recipe], changes: dict[str, Any], told: str
) -> None:
    found = problems(tiny, {**BY_HUMIDITY, **changes})
    assert any(told in problem for problem in found), found


def test_a_word_in_its_place_and_a_key_that_yaml_reads_as_true_are_told_in_words(
    tiny: Callable[..., Recipe],
) -> None:
    assert problems(tiny, "humid") == ("`switch`: found 'humid', expected keys and values",)
    assert "`switch`: found the key True; expected a text: put it in quotes" in problems(
        tiny, {True: "humidity"}
    )


def test_all_problems_are_told_at_once_with_those_of_other_keys(
    tiny: Callable[..., Recipe],
) -> None:
    with pytest.raises(RecipeError) as refused:
        tiny(switch={"by": "humidity", "at": [3, 2]}, areas=["Atlantis"])
    told = "\n".join(refused.value.problems)
    assert all(key in told for key in ("`areas`", "`switch.statistic`", "`switch.at`"))
