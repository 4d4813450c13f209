"""What was observed beside a forecast."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairweather_app.api.schemas import Forecast
from fairweather_app.observations import WindowCache
from fairweather_app.web.forecast.observed import NO_OBSERVATIONS
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
                "signed_by": None,
                "refused": [],
                "inputs": {},
                "refused_counts": {},
            },
        }
    )


def test_what_was_observed_before_and_after_the_start_is_told_apart(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0, None, 5.0], until=START + 2 * HOUR)
    found = _observe(windows, forecast(), START + 2 * HOUR)
    assert found.times[-1] == START
    assert list(found.recent["temperature"][-3:]) == [1.0, 2.0, 3.0]
    assert len(found.recent["temperature"]) == len(found.times) == 48
    assert list(found.later["temperature"]) == [None, 5.0, None]


def test_nothing_is_later_than_a_forecast_that_starts_at_the_latest_observation(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0], until=START)
    found = _observe(windows, forecast(), START)
    assert found.recent["temperature"][-1] == 1.0
    assert found.later == {}


def test_without_observations_there_is_nothing_to_show(windows: WindowCache) -> None:
    assert _observe(windows, forecast(), None) == NO_OBSERVATIONS


@pytest.mark.parametrize(
    "variables",
    [
        {"pollen": {"unit": "m-3", "value": [0.0] * 3}},
        {"temperature": {"unit": "K", "value": [0.0] * 3}},
    ],
)
def test_what_is_not_observed_in_this_unit_is_left_out(
    windows: WindowCache, variables: dict[str, Any]
) -> None:
    assert _observe(windows, forecast(**variables), START) == NO_OBSERVATIONS


def test_a_value_of_a_longer_step_is_compared_with_the_mean_over_that_step(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], until=START + 6 * HOUR)
    found = _observe(windows, forecast(2, 3 * HOUR), START + 6 * HOUR)
    assert list(found.later["temperature"]) == [2.0, 5.0]


def test_each_variable_is_compared_with_means_over_its_own_step(
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
    assert list(found.later["temperature"]) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert list(found.later["humidity"]) == [None, None, 30.0, None, None, 60.0]
    assert len(found.recent["humidity"]) == len(found.recent["temperature"]) == len(found.times)


def test_a_variable_without_any_value_is_compared_with_nothing(
    observe: Callable[..., None], windows: WindowCache
) -> None:
    observe("JFK", [1.0, 2.0, 3.0], until=START + 3 * HOUR)
    mute = forecast(
        3,
        temperature={"unit": "degC", "value": [None] * 3},
        humidity={"unit": "%", "value": [1.0] * 3},
    )
    assert set(_observe(windows, mute, START + 3 * HOUR).later) == {"humidity"}
