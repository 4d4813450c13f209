"""How forecasts are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fairweather_research.dataset.split import DAY, Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import BASELINES, Baseline, evaluate, skill

if TYPE_CHECKING:
    import numpy.typing as npt


@pytest.fixture(scope="module")
def truth(tiny_windows: WindowSet) -> npt.NDArray[np.float64]:
    return tiny_windows.targets()


def test_a_perfect_forecast_has_no_error_and_all_the_skill(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    for one in evaluate(tiny_windows, truth):
        assert (one.mae, one.rmse, one.bias) == (0, 0, 0)
        assert one.skill == 1
        assert one.skill_interval == (1, 1)


def test_every_area_and_variable_is_evaluated_on_its_own(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    wrong = truth.copy()
    wrong[tiny_windows.area == 1, 0] += 2.0
    found = {(one.area, one.variable): one.bias for one in evaluate(tiny_windows, wrong)}
    assert found == {
        ("EWR", "temperature"): 0,
        ("EWR", "humidity"): 0,
        ("JFK", "temperature"): pytest.approx(2.0),
        ("JFK", "humidity"): 0,
    }


def test_errors_are_counted_by_lead_day(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    wrong = truth.copy()
    wrong[:, :, 24:] -= 3.0
    one = evaluate(tiny_windows, wrong)[0]
    assert [day.day for day in one.days] == [1, 2]
    assert one.days[0].mae == 0
    assert one.days[1].mae == one.days[1].rmse == pytest.approx(3.0)
    assert one.days[1].bias == pytest.approx(-3.0)
    assert one.count == sum(day.count for day in one.days)


def test_only_held_out_time_is_evaluated(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    elsewhere = tiny_windows.parts()[:, None, :] != Part.HELD_OUT
    wrong = np.where(elsewhere, truth + 50, truth)
    for one in evaluate(tiny_windows, wrong):
        assert one.mae == 0
        for span in one.held_out:
            assert (span.start // DAY) % 12 == 9
            assert span.end - span.start == 3 * DAY


def test_persistence_is_the_last_day_repeated(tiny_windows: WindowSet) -> None:
    repeated = np.tile(tiny_windows.last_day(), (1, 1, 2))
    for one in evaluate(tiny_windows, repeated):
        assert one.mae == pytest.approx(one.baselines["persistence"])
        for day in one.days:
            persistence, climatology = day.baselines.values()
            assert day.skill == pytest.approx(min(0, 1 - persistence / climatology))


def test_skill_is_against_the_baseline_that_is_better_on_each_day(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    for one in evaluate(tiny_windows, truth + 1.0):
        better = [min(day.baselines.values()) for day in one.days]
        assert [day.baselines[day.baseline] for day in one.days] == better
        assert [day.skill for day in one.days] == pytest.approx([1 - 1 / each for each in better])
        assert one.skill == pytest.approx(1 - 1.0 / (sum(better) / len(better)))
        assert one.skill is not None
        assert one.skill_interval is not None
        low, high = one.skill_interval
        assert low < one.skill < high


def test_no_baseline_has_to_be_the_better_one_on_all_days() -> None:
    mae = np.array([1.0, 3.0])
    persistence, climatology = [2.0, 8.0], [4.0, 4.0]
    assert skill(mae, np.array([persistence, climatology])) == 1 - 4.0 / 6.0
    nobody = np.array([[2.0, np.nan], [4.0, np.nan]])
    assert skill(np.array([1.0, np.nan]), nobody) == 0.5  # a day without a value does not count


def test_skill_where_the_better_baseline_is_perfect_is_not_known(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    perfect = Baseline("what came", "truth", WindowSet.targets)
    monkeypatch.setitem(BASELINES, "perfect", perfect)
    one = evaluate(tiny_windows, truth + 1.0)[0]
    assert (one.skill, one.skill_interval, one.days[0].skill) == (None, None, None)


def test_the_interval_of_the_skill_follows_its_definition(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    """The same blocks, resampled here one by one."""
    noise = np.random.default_rng(3).normal(0, 2, truth.shape)
    one = evaluate(tiny_windows, truth + noise)[0]
    rows = tiny_windows.area == 0
    errors = {"model": noise[rows, 0]}
    for name, baseline in BASELINES.items():
        errors[name] = (baseline.predict(tiny_windows) - truth)[rows, 0]
    held_out = tiny_windows.parts()[rows] == Part.HELD_OUT
    points = held_out & np.all([np.isfinite(each) for each in errors.values()], axis=0)
    block = (tiny_windows.lead_times()[rows] - 1) // (4 * DAY)
    names = np.unique(block[points])

    days = [slice(0, 24), slice(24, 48)]
    every = [np.ones(points.shape), *(np.abs(each) for each in errors.values())]
    sums = [
        [
            [each[:, day][points[:, day] & (block[:, day] == name)].sum() for name in names]
            for each in every
        ]
        for day in days
    ]
    found = []
    for drawn in np.random.default_rng(0).integers(len(names), size=(1000, len(names))):
        mae = better = 0.0
        for day in np.array(sums)[:, :, drawn].sum(axis=2):
            count, model, *others = day
            mae, better = mae + model / count, better + min(others) / count
        found.append(1 - mae / better)
    assert one.skill_interval == pytest.approx(np.quantile(found, [0.025, 0.975]))


def test_a_baseline_more_is_one_entry(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluate(tiny_windows, truth + 1.0)[0].evaluation_id
    near = Baseline("half a unit too much", "truth + 0.5", lambda windows: windows.targets() + 0.5)
    monkeypatch.setitem(BASELINES, "near", near)
    for one in evaluate(tiny_windows, truth + 1.0):
        assert one.baseline == one.days[0].baseline == "near"
        assert one.skill == pytest.approx(-1.0)
        assert [day.baselines["near"] for day in one.days] == pytest.approx([0.5, 0.5])
        assert one.evaluation_id != before


def test_where_a_forecast_is_missing_nothing_is_counted(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    whole = evaluate(tiny_windows, truth)[0].count
    holes = truth.copy()
    holes[:, :, :24] = np.nan
    one = evaluate(tiny_windows, holes)[0]
    assert one.count < whole
    assert [day.day for day in one.days] == [2]


def test_the_evaluation_id_is_of_the_questions_not_of_the_answers(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    ids = [one.evaluation_id for one in evaluate(tiny_windows, truth)]
    assert ids == [one.evaluation_id for one in evaluate(tiny_windows, truth + 5)]
    assert len(set(ids)) == 4
    fewer = tiny_windows.rows(tiny_windows.reference % 7200 == 0)
    assert ids[0] != evaluate(fewer, fewer.targets())[0].evaluation_id


def test_the_forecast_shown_is_one_that_was_observed_in_full(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    trace = evaluate(tiny_windows, truth + 1.0)[0].trace
    assert trace is not None
    assert len(trace.time) == len(trace.observed) == len(trace.climatology) == 48
    assert trace.time[0] == trace.reference_time + 3600
    np.testing.assert_allclose(np.subtract(trace.forecast, trace.observed), 1.0)
