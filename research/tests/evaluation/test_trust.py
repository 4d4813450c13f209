"""One sentence that says how far ahead a model is to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairweather_research.evaluation.scores import DayScore
from fairweather_research.evaluation.trust import trust_sentence, trusted_days

if TYPE_CHECKING:
    from collections.abc import Sequence


def days(*skills: float | None) -> tuple[DayScore, ...]:
    return tuple(
        DayScore(
            day=day, skill=skill, count=1, mae=1.0, rmse=1.0, bias=0.0, baselines={}, baseline=""
        )
        for day, skill in enumerate(skills, start=1)
    )


@pytest.mark.parametrize(
    ("skills", "count"),
    [
        ((0.34, 0.13, 0.01), 2),
        ((0.05,), 1),  # the least that counts
        ((0.0499,), 0),
        ((0.3, 0.04, 0.3), 1),  # a day after one that does not count is none
        ((None, 0.3), 0),  # a perfect baseline is not beaten
        ((), 0),
    ],
)
def test_a_day_counts_while_all_before_it_do(skills: tuple[float | None, ...], count: int) -> None:
    assert trusted_days(days(*skills)) == count


def test_a_day_after_one_that_nobody_observed_does_not_count() -> None:
    first, _, third = days(0.3, 0.3, 0.3)
    assert trusted_days((first, third)) == 1


USUAL = "; after that the usual for the season."


@pytest.mark.parametrize(
    ("skills", "sentence"),
    [
        (
            {"temperature": (0.34, 0.13, 0.01), "humidity": (0.31, 0.01, 0.0)},
            "To be trusted for two days of temperature, one of humidity" + USUAL,
        ),
        (
            {"humidity": (0.0, 0.0), "temperature": (0.3, 0.0)},
            "To be trusted for one day of temperature, none of humidity" + USUAL,
        ),
        (
            {"temperature": (0.3, 0.0), "pressure": (0.2, 0.0)},
            "To be trusted for one day of temperature and pressure" + USUAL,
        ),
        (
            {"temperature1": (0.3, 0.2, 0.0), "temperature2": (0.3, 0.04, 0.0)},
            "To be trusted for one day of temperature" + USUAL,  # the least over the areas
        ),
        (
            {"temperature": (0.3, 0.2)},
            "To be trusted for two days of temperature; the whole of its horizon.",
        ),
        (
            {"temperature": (0.1,) * 14 + (0.0,)},
            "To be trusted for 14 days of temperature" + USUAL,
        ),
        (
            {"temperature": (0.04, 0.9), "humidity": (None,)},
            "No day of its forecasts is better than the usual for the season.",
        ),
    ],
)
def test_the_sentence_says_the_days_that_the_numbers_bear(
    skills: dict[str, Sequence[float | None]], sentence: str
) -> None:
    series = [(name.rstrip("12"), days(*each)) for name, each in skills.items()]
    assert trust_sentence(series) == sentence  # a name may end with the number of the area
