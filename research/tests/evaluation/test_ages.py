"""Day 1 by the age of the newest observations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fairweather_research.dataset.split import Part
from fairweather_research.evaluation import ages as ages_module
from fairweather_research.evaluation.ages import evaluate_ages, greatest_age, lose_newest
from fairweather_research.evaluation.coverage import Coverage, CoverageCount
from fairweather_research.evaluation.scores import AgeScore, Evaluation, evaluate
from fairweather_research.recipes.blueprint import QuantilePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from fairweather_research.dataset.window_set import WindowSet

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def held_out(tiny_windows: WindowSet) -> WindowSet:
    quantiles = (
        QuantilePlan(name="low", probability=0.1),
        QuantilePlan(name="high", probability=0.9),
    )
    outputs = tuple(replace(each, quantiles=quantiles) for each in tiny_windows.plan.outputs)
    banded = replace(tiny_windows, plan=replace(tiny_windows.plan, outputs=outputs))
    return banded.rows((tiny_windows.parts() == Part.HELD_OUT).any(axis=1))


@pytest.fixture(scope="module")
def evaluations(held_out: WindowSet) -> tuple[Evaluation, ...]:
    return evaluate(held_out, held_out.targets() + 1.0)


class Asked:
    """A model that is one unit off; it keeps what it was asked, by age."""

    def __init__(self) -> None:
        self.windows: dict[timedelta, WindowSet] = {}

    def __call__(
        self, windows: WindowSet, age: timedelta
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        self.windows[age] = windows
        forecast = windows.targets() + 1.0
        return forecast, np.stack([forecast - 1.5, forecast - 0.5])


def test_each_age_that_the_missing_values_allow_has_its_score(
    held_out: WindowSet, evaluations: tuple[Evaluation, ...]
) -> None:
    for one, before in zip(evaluate_ages(evaluations, held_out, Asked()), evaluations, strict=True):
        assert one.model_copy(update={"ages": ()}) == before
        assert [each.age for each in one.ages] == [3 * HOUR, 6 * HOUR]
        for each in one.ages:
            assert (each.mae, each.rmse, each.bias) == pytest.approx((1, 1, 1))
            assert each.inside == 1
            assert each.skill == pytest.approx(1 - 1 / min(each.baselines.values()))
            assert each.count > 1000


def test_only_windows_that_software_would_serve_are_taken_and_not_too_many(
    held_out: WindowSet, evaluations: tuple[Evaluation, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ages_module, "_MOST", 40)
    asked, again = Asked(), Asked()
    evaluate_ages(evaluations, held_out, asked)
    evaluate_ages(evaluations, held_out, again)
    for age, windows in asked.windows.items():
        np.testing.assert_array_equal(windows.reference, again.windows[age].reference)
        assert np.bincount(windows.area).tolist() == [40, 40]
        assert len(np.unique(windows.reference % 86_400)) > 12  # not one hour of the day alone
        assert (windows.parts()[:, :24] == Part.HELD_OUT).any(axis=1).all()
        inputs = windows.inputs()
        lose_newest(inputs, windows.plan.inputs, age)
        for window in inputs.values():
            late = age // HOUR
            assert np.isnan(window[:, -late:]).all()
            assert np.isfinite(window[:, -late - 1]).all()
            assert np.isnan(window).sum(axis=1).max() <= 7  # a tenth of 72


def test_a_baseline_knows_no_more_than_the_model(
    held_out: WindowSet, evaluations: tuple[Evaluation, ...]
) -> None:
    asked = Asked()
    found = evaluate_ages(evaluations, held_out, asked)
    windows = asked.windows[6 * HOUR].rows(asked.windows[6 * HOUR].area == 0)
    truth, last = windows.targets()[:, 0, :24], windows.last_day()[:, 0]
    earlier = windows.truths[0, 0].windows(windows.reference - 86_400, 24)
    # the hours that the newest six would be repeated for are those of the day before
    repeated = np.concatenate([last[:, :18], earlier[:, 18:]], axis=1)
    error = np.abs(repeated - truth)[windows.parts()[:, :24] == Part.HELD_OUT]
    assert found[0].ages[1].baselines["persistence"] == pytest.approx(np.nanmean(error), rel=1e-3)


def test_a_whole_window_stays_as_it_is_at_age_zero(held_out: WindowSet) -> None:
    few = held_out.rows(np.arange(3))
    inputs = few.inputs()
    lose_newest(inputs, few.plan.inputs, timedelta(0))
    for name, values in few.inputs().items():
        np.testing.assert_array_equal(inputs[name], values)


def test_without_a_day_of_windows_an_area_has_no_score(
    held_out: WindowSet, evaluations: tuple[Evaluation, ...]
) -> None:
    few = held_out.rows(np.flatnonzero(held_out.area == 0)[:23])
    assert all(one.ages == () for one in evaluate_ages(evaluations, few, Asked()))


@pytest.fixture
def held(evaluations: tuple[Evaluation, ...]) -> Callable[..., timedelta | None]:
    """The greatest age of an 80 % band that holds so much at 3, 6 and 12 hours, by series."""
    whole = CoverageCount(
        day=0, count=1, inside=0.8, interval=None, verdict="not known", below=(0.1, 0.9)
    )
    coverage = Coverage(probabilities=(0.1, 0.9), declared=0.8, whole=whole, days=())

    def find(*series: tuple[float | None, ...]) -> timedelta | None:
        return greatest_age(
            [
                evaluations[0].model_copy(
                    update={"ages": tuple(map(at_age, (3, 6, 12), each)), "coverage": coverage}
                )
                for each in series
            ]
        )

    def at_age(hours: int, inside: float | None) -> AgeScore:
        fields = evaluations[0].days[0].model_dump(exclude={"day"})
        return AgeScore(**fields, age=hours * HOUR, inside=inside)

    return find


def test_the_greatest_age_is_that_at_which_every_series_still_holds(
    held: Callable[..., timedelta | None],
) -> None:
    assert held((0.8, 0.79, 0.76)) == 12 * HOUR
    assert held((0.8, 0.75, 0.74)) == 6 * HOUR
    assert held((0.8, 0.79, 0.76), (0.8, 0.74, 0.9)) == 3 * HOUR
    assert held((0.8, 0.7, 0.8)) == 3 * HOUR  # what holds again later is chance
    assert held((0.7, 0.8, 0.8)) is None
    assert held((0.8, 0.8, 0.8), (0.8,)) == 3 * HOUR  # not measured there: not known
    assert held((0.8, None, 0.8)) == 3 * HOUR
    assert held(()) is None
