"""What was observed around a forecast."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairweather_app.api.schemas import Forecast
from fairweather_app.observations import WindowCache
from fairweather_app.web.forecast.observed import check
from fairweather_app.web.forecast.observed import observe as _observe

START = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def forecast(hours: int = 3, step: timedelta = HOUR, **variables: Any) -> Forecast:
    series = variables or {"temperature": {"unit": "degC", "value": [0.0] * hours}}
    return Forecast.model_validate(
        {
            "area": "JFK",
            "reference_time": START,
            "timezone": "America/New_York",
            "forecast": {"time": [START + k * step for k in range(1, hours + 1)], **series},
            "receipt": {
                "delivery_id": "d",
                "digest": "sha256:0",
                "model_type": "M",
                "schema_version": "0.1",
                "topic": "",
                "author": "",
                "train_end_time": START,
                "runtime": "r",
                "skill": {},
                "synthetic": False,
                "refused": [],
                "refused_counts": {},
            },
        }
    )


def test_what_was_observed_before_and_after_the_start_is_told_apart(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0, None, 5.0], until=START + 2 * HOUR)
    found = _observe(windows, forecast(), START + 2 * HOUR)["temperature"]
    assert found.times[-1] == START
    assert list(found.recent[-3:]) == [1.0, 2.0, 3.0]
    assert len(found.recent) == len(found.times) == 48
    assert list(found.came) == [None, 5.0, None]
    assert (found.any_recent, found.any_came) == (True, True)


def test_nothing_came_of_a_forecast_that_starts_at_the_latest_observation(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0], until=START)
    found = _observe(windows, forecast(), START)["temperature"]
    assert (found.any_recent, found.any_came) == (True, False)


def test_without_observations_there_is_nothing_to_show(windows: WindowCache) -> None:
    assert _observe(windows, forecast(), None) == {}


@pytest.mark.parametrize(
    "variables",
    [
        {"pollen": {"unit": "m-3", "value": [0.0] * 3}},
        {"temperature": {"unit": "K", "value": [0.0] * 3}},
    ],
)
def test_what_nobody_observes_in_this_unit_is_left_out(
    windows: WindowCache, variables: dict[str, Any]
) -> None:
    assert _observe(windows, forecast(**variables), START) == {}


def test_a_value_of_a_longer_step_is_held_against_the_mean_over_that_step(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], until=START + 6 * HOUR)
    found = _observe(windows, forecast(2, 3 * HOUR), START + 6 * HOUR)["temperature"]
    assert list(found.came) == [2.0, 5.0]


def test_each_variable_is_held_against_means_over_its_own_step(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], until=START + 6 * HOUR)
    observe(
        "JFK", [10.0, 20.0, 60.0, 40.0, 50.0, 90.0], variable="humidity", until=START + 6 * HOUR
    )
    mixed = forecast(
        6,
        temperature={"unit": "degC", "value": [0.0] * 6},
        humidity={"unit": "%", "value": [None, None, 30.0, None, None, 60.0]},
    )
    found = _observe(windows, mixed, START + 6 * HOUR)
    assert list(found["temperature"].came) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert list(found["humidity"].came) == [None, None, 30.0, None, None, 60.0]
    assert found["humidity"].times == found["temperature"].times


def test_a_variable_without_any_value_is_held_against_nothing(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0], until=START + 3 * HOUR)
    mute = forecast(
        3,
        temperature={"unit": "degC", "value": [None] * 3},
        humidity={"unit": "%", "value": [1.0] * 3},
    )
    assert not _observe(windows, mute, START + 3 * HOUR)["temperature"].any_came


def test_a_check_counts_only_what_can_be_compared() -> None:
    found = check(
        "temperature",
        "°C",
        [HOUR, 2 * HOUR, 30 * HOUR, 31 * HOUR],
        said=[1.0, None, 5.0, 7.0],
        came=[2.0, 2.0, 2.0, None],
        band=([0.0, 0.0, 3.0, 0.0], [2.0, 2.0, 6.0, 9.0]),
    )
    assert found is not None
    assert (found.count, found.error, found.first_day, found.inside) == (2, 2.0, 1.0, 0.5)


def test_without_anything_to_compare_there_is_no_check() -> None:
    assert check("t", "°C", [HOUR], said=[1.0], came=[None], band=None) is None
