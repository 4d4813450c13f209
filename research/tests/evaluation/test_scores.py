"""How forecasts are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fairweather_research.dataset.split import DAY, Part
from fairweather_research.evaluation.scores import BASELINES, Baseline, evaluate

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research.dataset.window_set import WindowSet


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
        persistence, climatology = one.baselines.values()
        assert one.mae == pytest.approx(persistence)
        if one.baseline == "persistence":
            assert one.skill == pytest.approx(0)
        else:
            assert one.skill == pytest.approx(1 - persistence / climatology)


def test_skill_is_against_the_best_baseline(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64]
) -> None:
    for one in evaluate(tiny_windows, truth + 1.0):
        best = min(one.baselines.values())
        assert one.baselines[one.baseline] == best
        assert one.skill == pytest.approx(1 - 1.0 / best)
        assert one.skill is not None
        assert one.skill_interval is not None
        low, high = one.skill_interval
        assert low < one.skill < high


def test_a_baseline_more_is_one_entry(
    tiny_windows: WindowSet, truth: npt.NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluate(tiny_windows, truth + 1.0)[0].evaluation_id
    near = Baseline("half a unit too much", "truth + 0.5", lambda windows: windows.targets() + 0.5)
    monkeypatch.setitem(BASELINES, "near", near)
    for one in evaluate(tiny_windows, truth + 1.0):
        assert one.baseline == "near"
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
