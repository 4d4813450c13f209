from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.common.times import (
    EARLIEST,
    LATEST,
    from_microseconds,
    parse_time,
    to_microseconds,
    write_time,
)

aware = st.datetimes(
    min_value=EARLIEST.replace(tzinfo=None),
    max_value=LATEST.replace(tzinfo=None),
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    "text",
    [
        "2013-12-20T00:00Z",
        "2013-12-20T00:00:00Z",
        "2013-12-20T00:00:00.000Z",
        "2013-12-19T19:00-05:00",
        "2013-12-20T05:30:00+05:30",
    ],
)
def test_a_time_with_its_zone_is_read_and_is_in_utc(text: str) -> None:
    assert parse_time(text) == datetime(2013, 12, 20, tzinfo=UTC)
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2013-12-20T00:00", "with a zone"),
        ("2013-12-20", "with a zone"),
        ("0", "with a zone"),
        ("", "with a zone"),
        ("noon", "with a zone"),
        ("2013-12-20T00:00 02:00", "as %2B"),
        ("2013-13-20T00:00Z", "not a time there is"),
        ("2013-12-20T25:00Z", "not a time there is"),
        ("2013-12-20T00:00+99:00", "not a time there is"),
        ("0001-01-01T00:00+14:00", "not a time there is"),
        ("1815-06-18T12:00Z", "out of reach"),
        ("9999-12-31T23:59Z", "out of reach"),
        ("2013-12-20T00:00:00.5Z", "fraction of a second"),
        (0, "write it as a string"),
        (None, "write it as a string"),
        (True, "write it as a string"),
    ],
)
def test_anything_else_is_refused_with_what_is_expected(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_time(value)


def test_a_datetime_is_taken_for_what_it_says() -> None:
    local = datetime(2013, 12, 20, 2, tzinfo=timezone(timedelta(hours=2)))
    assert parse_time(local) == local
    with pytest.raises(ValueError, match="zone"):
        parse_time(local.replace(tzinfo=None))


@given(aware)
def test_microseconds_are_exact(time: datetime) -> None:
    assert from_microseconds(to_microseconds(time)) == time


@given(aware.map(lambda time: time.replace(microsecond=0)))
def test_a_written_time_is_read_back(time: datetime) -> None:
    assert parse_time(write_time(time)) == time


def test_a_written_time_is_in_utc_and_ends_in_z() -> None:
    local = datetime(2013, 12, 20, 2, tzinfo=timezone(timedelta(hours=2)))
    assert write_time(local) == "2013-12-20T00:00Z"
    assert write_time(local.replace(second=7)) == "2013-12-20T00:00:07Z"
