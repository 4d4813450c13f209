"""When it is night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fairweather_app.web.forecast.daylight import elevation, nights

JFK = (40.64, -73.78)


def test_the_sun_stands_high_at_noon_and_below_at_midnight() -> None:
    assert elevation(datetime(2013, 6, 21, 17, tzinfo=UTC), *JFK) == pytest.approx(72.8, abs=0.3)
    assert elevation(datetime(2013, 6, 21, 5, tzinfo=UTC), *JFK) < -20


def test_sunset_and_sunrise_are_those_of_the_almanac() -> None:
    start = datetime(2013, 12, 20, 17, tzinfo=UTC)  # noon, New York
    ((sunset, sunrise),) = nights(start, start + timedelta(days=1), *JFK)
    assert abs(sunset - datetime(2013, 12, 20, 21, 30, tzinfo=UTC)) <= timedelta(minutes=12)
    assert abs(sunrise - datetime(2013, 12, 21, 12, 16, tzinfo=UTC)) <= timedelta(minutes=12)


def test_a_week_has_as_many_nights_as_days() -> None:
    start = datetime(2013, 12, 20, 17, tzinfo=UTC)
    assert len(nights(start, start + timedelta(days=7), *JFK)) == 7


def test_polar_night_is_one_and_polar_day_is_none() -> None:
    winter, summer = datetime(2013, 12, 20, tzinfo=UTC), datetime(2013, 6, 20, tzinfo=UTC)
    week = timedelta(days=7)
    assert nights(winter, winter + week, 78.2, 15.6) == ((winter, winter + week),)
    assert nights(summer, summer + week, 78.2, 15.6) == ()


def test_no_time_has_no_night() -> None:
    moment = datetime(2013, 12, 20, tzinfo=UTC)
    assert nights(moment, moment, *JFK) == ()
