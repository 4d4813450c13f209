from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fairweather_app.forecasting.context import make_clock
from fairweather_app.observations import ObservationStore

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 16, 12, 44, 5, tzinfo=UTC)


def test_now_is_the_last_full_hour(observations: ObservationStore) -> None:
    clock = make_clock("now", observations.latest, wall=lambda: NOW)
    assert clock("JFK") == datetime(2026, 11, 22, 16, tzinfo=UTC)


def test_the_latest_observation_is_that_of_the_area(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0])
    observe("LGA", [1.0], until=NOON + timedelta(hours=3))
    clock = make_clock("latest-observation", observations.latest)
    assert clock("JFK") == NOON


def test_an_area_without_observations_starts_at_the_latest_of_all(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("LGA", [1.0], until=NOON + timedelta(seconds=1, microseconds=5))
    clock = make_clock("latest-observation", observations.latest)
    assert clock("JFK") == NOON + timedelta(seconds=1)


def test_without_any_observation_it_is_the_last_full_hour(observations: ObservationStore) -> None:
    clock = make_clock("latest-observation", observations.latest, wall=lambda: NOW)
    assert clock("JFK") == datetime(2026, 11, 22, 16, tzinfo=UTC)
