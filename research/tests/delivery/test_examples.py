"""The windows that prove to a reader that it runs the model right."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.metadata import Bounds

from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.delivery.examples import choose_examples
from fairweather_research.observations.loading import load_observations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairweather_research import Recipe

BOUND = 33.0


@pytest.fixture(scope="module")
def held_out(tiny_windows: WindowSet) -> WindowSet:
    return tiny_windows.rows((tiny_windows.parts() == Part.HELD_OUT).any(axis=1))


@pytest.fixture(scope="module")
def examples(held_out: WindowSet) -> dict[str, Any]:
    return choose_examples(held_out, {"temperature": Bounds(maximum=BOUND)})


def test_there_are_at_least_eight_windows_over_all_areas(examples: dict[str, Any]) -> None:
    assert (examples["expect"] == "serve").sum() >= 8
    assert set(examples["area"]) == {"EWR", "JFK"}
    np.testing.assert_array_equal(
        examples["area"], np.array(["EWR", "JFK"])[examples["input/area_index"]]
    )


def test_types_are_those_of_the_contract(examples: dict[str, Any]) -> None:
    assert examples["input/temperature"].dtype == np.float32
    assert examples["input/humidity"].dtype == np.float32
    assert examples["reference_time"].dtype == np.int64
    assert examples["input/area_index"].dtype == np.int64
    assert examples["area"].dtype.kind == examples["expect"].dtype.kind == "U"


def test_one_window_lacks_as_many_values_as_are_allowed_and_the_newest(
    examples: dict[str, Any],
) -> None:
    for name in ("input/temperature", "input/humidity"):
        missing = np.isnan(examples[name]).sum(axis=1)
        assert missing.max() == 7  # a tenth of 72
        assert np.isnan(examples[name][missing == 7, -1]).any()
    serving = examples["expect"] == "serve"
    assert (np.isnan(examples["input/temperature"][serving]).sum(axis=1) <= 7).all()


@pytest.mark.parametrize(("hours", "late"), [(0.5, 0), (3, 3), (6, 6)])
def test_a_window_whose_newest_value_is_too_old_is_one_to_refuse(
    held_out: WindowSet, hours: float, late: int
) -> None:
    found = choose_examples(held_out, {}, None, timedelta(hours=hours))
    for row, expected in enumerate(found["expect"]):
        windows = [found[f"input/{name}"][row] for name in ("temperature", "humidity")]
        ages = [int(np.argmax(np.isfinite(window[::-1]))) for window in windows]
        assert expected == ("observations-stale" if max(ages) > late else "serve")
        assert max(np.isnan(window).sum() for window in windows) <= 7
        if expected != "serve":
            assert ages == [late + 1] * 2
    assert (found["expect"] == "observations-stale").sum() == 1
    gaps = np.isnan(found["input/temperature"][found["expect"] == "serve"])
    assert gaps.sum(axis=1).max() == 7
    assert gaps[:, -1].any() == (late > 0)


def test_a_window_cannot_be_too_old_where_so_few_values_may_be_missing(held_out: WindowSet) -> None:
    assert set(choose_examples(held_out, {}, None, timedelta(hours=7))["expect"]) == {"serve"}


@pytest.mark.parametrize("hours", [0.5, 3])
def test_a_window_out_of_domain_is_not_too_old_as_well(held_out: WindowSet, hours: float) -> None:
    found = choose_examples(held_out, DOMAIN, None, timedelta(hours=hours))
    beyond = found["expect"] == "out-of-domain"
    assert beyond.sum() == 3
    for name in ("temperature", "humidity"):
        newest = found[f"input/{name}"][beyond][:, -1 - int(hours) :]
        assert np.isfinite(newest).any(axis=1).all()


def test_windows_to_serve_are_inside_the_bound_and_one_is_beyond_any_margin(
    examples: dict[str, Any],
) -> None:
    highest = np.nanmax(examples["input/temperature"], axis=1)
    serving = examples["expect"] == "serve"
    assert highest[serving].max() == BOUND  # the edge itself
    assert examples["expect"][~serving].tolist() == ["out-of-domain"]
    assert (highest[~serving] > BOUND + 20).all()


@pytest.mark.parametrize("bound", [30.0, 41.6, 52.0])
def test_what_is_beyond_the_bound_could_still_be_real(held_out: WindowSet, bound: float) -> None:
    found = choose_examples(held_out, {"temperature": Bounds(maximum=bound)})
    beyond = found["input/temperature"][found["expect"] == "out-of-domain"]
    assert bound + 5 < np.nanmax(beyond) <= 60


def test_windows_to_serve_are_inside_the_bound_on_humidity_too(held_out: WindowSet) -> None:
    found = choose_examples(held_out, {"humidity": Bounds(maximum=70.0)})
    assert set(found["expect"]) == {"serve"}
    assert np.nanmax(found["input/humidity"]) == 70.0  # the edge itself


DOMAIN = {
    "humidity": Bounds(minimum=30.0, maximum=90.0, max_missing=2 / 72),
    "temperature": Bounds(minimum=15.0, maximum=BOUND, max_missing=1 / 72),
}


def test_each_window_to_refuse_breaks_one_kind_of_bound_and_keeps_the_others(
    held_out: WindowSet,
) -> None:
    found = choose_examples(held_out, DOMAIN)
    assert found["expect"][-3:].tolist() == ["out-of-domain"] * 3
    assert set(found["expect"][:-3]) == {"serve"}
    broken: list[set[str]] = []
    for row in range(len(found["expect"])):
        broken.append(set())
        for name, bounds in DOMAIN.items():
            held = found[f"input/{name}"][row]
            assert bounds.minimum is not None
            assert bounds.maximum is not None
            assert bounds.max_missing is not None
            if np.nanmin(held) < bounds.minimum:
                broken[row].add(f"below {name}")
            if np.nanmax(held) > bounds.maximum:
                broken[row].add(f"above {name}")
            if np.isnan(held).mean() > bounds.max_missing:
                broken[row].add("missing")
            assert np.isnan(held).sum() <= 7  # what the input itself allows
    assert broken[-3:] == [{"above temperature"}, {"below temperature"}, {"missing"}]
    assert not any(broken[:-3])


def test_windows_to_serve_stand_on_every_edge_of_the_domain(held_out: WindowSet) -> None:
    found = choose_examples(held_out, DOMAIN)
    serving = found["expect"] == "serve"
    for name, bounds in DOMAIN.items():
        held = found[f"input/{name}"][serving]
        assert (np.nanmin(held), np.nanmax(held)) == (bounds.minimum, bounds.maximum)
        assert np.isnan(held).mean(axis=1).max() == bounds.max_missing


def test_a_window_to_serve_lacks_all_the_newest_values_it_may(held_out: WindowSet) -> None:
    found = choose_examples(held_out, {})
    (allowed,) = {np.isnan(found[f"input/{name}"][-1]).sum() for name in DOMAIN}
    assert allowed == 7
    for name in DOMAIN:
        assert np.isnan(found[f"input/{name}"][-1][-allowed:]).all()
    assert found["expect"][-1] == "serve"


def test_a_minimum_that_float32_rounds_down_is_still_not_passed(held_out: WindowSet) -> None:
    bound = 20.3
    assert float(np.float32(bound)) < bound
    found = choose_examples(held_out, {"temperature": Bounds(minimum=bound)})
    serving = found["expect"] == "serve"
    assert float(np.nanmin(found["input/temperature"][serving])) >= bound


def test_a_bound_that_nothing_real_can_pass_has_no_window_beyond_it(held_out: WindowSet) -> None:
    found = choose_examples(held_out, {"temperature": Bounds(minimum=-80.0, maximum=60.0)})
    assert set(found["expect"]) == {"serve"}


def test_the_edges_of_what_was_held_out_are_among_them(
    held_out: WindowSet, examples: dict[str, Any]
) -> None:
    humidity = held_out.inputs()["humidity"]
    levels = np.nanmean(humidity, axis=1)
    chosen = np.nanmean(examples["input/humidity"], axis=1)
    assert chosen.min() <= np.quantile(levels, 0.01)
    assert chosen.max() >= np.quantile(levels, 0.99)


def test_without_a_bound_and_without_missing_values_all_are_to_serve_and_whole(
    tiny: Callable[..., Recipe], summer: Path
) -> None:
    strict = WindowSet.choose(tiny(max_missing=0), load_observations(str(summer)).archive)
    found = choose_examples(strict, {})
    assert set(found["expect"]) == {"serve"}
    assert not np.isnan(found["input/humidity"]).any()


def test_a_bound_that_float32_rounds_up_is_still_not_exceeded(held_out: WindowSet) -> None:
    bound = 31.7
    assert float(np.float32(bound)) > bound
    found = choose_examples(held_out, {"temperature": Bounds(maximum=bound)})
    serving = found["expect"] == "serve"
    assert float(np.nanmax(found["input/temperature"][serving])) <= bound


def test_of_very_many_windows_only_some_are_looked_at(
    held_out: WindowSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairweather_research.delivery.examples._CONSIDERED", 10)
    found = choose_examples(held_out, {"temperature": Bounds(maximum=BOUND)})
    assert set(found["area"]) == {"EWR", "JFK"}
    assert len(found["expect"]) == 13


def test_examples_are_asked_between_the_times_that_are_trained_at_too(
    held_out: WindowSet, examples: dict[str, Any]
) -> None:
    assert set((examples["reference_time"] % 3600).tolist()) == {0, 1800}
    assert (examples["expect"][examples["reference_time"] % 3600 > 0] == "serve").all()
    once_a_day = np.roll(3600 * np.arange(24), 12)
    daily = held_out.rows(held_out.reference % 86_400 == 12 * 3600)
    found = choose_examples(replace(daily, delay=once_a_day), {})
    assert set((found["reference_time"] % 86_400 // 3600).tolist()) == {0, 12}
    np.testing.assert_array_equal(found["reference_time"], found["input/reference_time"])


def test_no_example_leaves_the_months_that_it_is_from(held_out: WindowSet) -> None:
    newest = int(local_midnight(held_out.reference.max()))
    late = replace(held_out.rows(np.zeros(16, np.int64)), reference=np.full(16, newest - 3600))
    late = replace(late, delay=np.full(24, 86_400))
    assert set(choose_examples(late, {})["reference_time"].tolist()) == {newest - 3600}


def local_midnight(time: int) -> int:
    """The end of the month in New York."""
    local = pd.Timestamp(time, unit="s", tz="America/New_York")
    return int((local + pd.offsets.MonthBegin()).normalize().timestamp())
