"""The windows that prove to a reader that it runs the model right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fairweather_research.dataset import WindowSet
from fairweather_research.examples import choose_examples
from fairweather_research.observations import load_observations
from fairweather_research.split import Part

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
    return choose_examples(held_out, max_temperature_seen=BOUND)


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
    found = choose_examples(held_out, max_temperature_seen=bound)
    beyond = found["input/temperature"][found["expect"] == "out-of-domain"]
    assert bound + 5 < np.nanmax(beyond) <= 60


def test_windows_to_serve_are_inside_the_bound_on_humidity_too(held_out: WindowSet) -> None:
    found = choose_examples(held_out, max_temperature_seen=None, max_humidity_seen=70.0)
    assert set(found["expect"]) == {"serve"}
    assert np.nanmax(found["input/humidity"]) == 70.0  # the edge itself


def test_a_bound_that_nothing_real_can_pass_has_no_window_beyond_it(held_out: WindowSet) -> None:
    found = choose_examples(held_out, max_temperature_seen=60.0)
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
    found = choose_examples(strict, max_temperature_seen=None)
    assert set(found["expect"]) == {"serve"}
    assert not np.isnan(found["input/humidity"]).any()


def test_a_bound_that_float32_rounds_up_is_still_not_exceeded(held_out: WindowSet) -> None:
    bound = 30.000000001
    found = choose_examples(held_out, max_temperature_seen=bound)
    serving = found["expect"] == "serve"
    assert float(np.nanmax(found["input/temperature"][serving])) <= bound


def test_of_very_many_windows_only_some_are_looked_at(
    held_out: WindowSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairweather_research.examples._CONSIDERED", 10)
    found = choose_examples(held_out, max_temperature_seen=BOUND)
    assert set(found["area"]) == {"EWR", "JFK"}
    assert len(found["expect"]) == 12
