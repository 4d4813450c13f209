"""The area's clock and calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.web.layout import local_time as lt

NEW_YORK = ZoneInfo("America/New_York")


def hours(first: datetime, count: int) -> list[datetime]:
    return [first + timedelta(hours=hour) for hour in range(count)]


def test_days_are_those_of_the_area_and_not_of_utc() -> None:
    times = hours(datetime(2013, 12, 20, 1, tzinfo=UTC), 30)  # from Thursday 20:00, local
    days = lt.local_days(times, NEW_YORK)
    assert [(day.date, len(day.steps), day.whole) for day in days] == [
        (date(2013, 12, 19), 4, False),
        (date(2013, 12, 20), 24, True),
        (date(2013, 12, 21), 2, False),
    ]


@pytest.mark.parametrize(
    ("midnight", "length"),
    [(datetime(2013, 3, 10, 5, tzinfo=UTC), 23), (datetime(2013, 11, 3, 4, tzinfo=UTC), 25)],
)
def test_a_day_on_which_clocks_change_has_23_or_25_hours(midnight: datetime, length: int) -> None:
    days = lt.local_days(hours(midnight, 48), NEW_YORK)
    assert len(days[0].steps) == length
    assert days[0].whole


def test_a_series_of_longer_steps_is_whole_too() -> None:
    times = [datetime(2013, 12, 20, 5, tzinfo=UTC) + timedelta(hours=6 * k) for k in range(4)]
    assert [day.whole for day in lt.local_days(times, NEW_YORK)] == [True]


def test_one_step_makes_one_day_that_is_not_whole() -> None:
    days = lt.local_days([datetime(2013, 12, 20, 12, tzinfo=UTC)], NEW_YORK)
    assert [(len(day.steps), day.whole) for day in days] == [(1, False)]
    assert lt.local_days([], NEW_YORK) == ()


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(1, 400),
    st.sampled_from(["UTC", "America/New_York", "Asia/Jerusalem", "Australia/Lord_Howe"]),
)
def test_every_step_belongs_to_exactly_one_day(start: datetime, count: int, zone: str) -> None:
    times = hours(start.replace(tzinfo=UTC), count)
    days = lt.local_days(times, ZoneInfo(zone))
    assert [step for day in days for step in day.steps] == list(range(count))
    assert [day.date for day in days] == sorted({day.date for day in days})


def test_a_moment_names_date_clock_and_zone() -> None:
    text = lt.moment(datetime(2013, 7, 1, 3, 30, tzinfo=UTC), NEW_YORK)
    assert text.replace("\N{NO-BREAK SPACE}", " ") == "Sunday 30 June 2013, 23:30 EDT"


def test_a_zone_without_letters_is_named_by_its_offset() -> None:
    assert lt.zone_label(datetime(2013, 7, 1, tzinfo=UTC), ZoneInfo("Asia/Dubai")) == "UTC+04"


def test_a_week_over_a_change_of_clocks_names_both_zones() -> None:
    times = hours(datetime(2013, 11, 1, tzinfo=UTC), 168)
    assert lt.zones_in_use(times, NEW_YORK) == "EDT, then EST"


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "../../etc/passwd", "\x00"])
def test_a_zone_that_is_not_known_here_is_utc(name: str | None) -> None:
    assert lt.zone_of(name) is UTC


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2013-12-19T19:00", 0),
        ("2013-12-19T19:00:00", 0),
        ("2013-12-20T00:00Z", 0),
        ("2013-12-20T02:00+01:00", 1),
    ],
)
def test_a_start_without_a_zone_is_local_and_with_one_is_what_it_says(text: str, hour: int) -> None:
    assert lt.read_reference_time(text, NEW_YORK) == datetime(2013, 12, 20, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["yesterday", "2013-13-01T00:00", "2013-12-20", "9999-12-31T23:59"]
)
def test_a_start_that_is_no_time_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(ValueError, match=text[:4]):
        lt.read_reference_time(text, NEW_YORK)


def test_the_form_gets_back_the_wall_clock_it_sent() -> None:
    time = lt.read_reference_time("2013-07-04T08:15", NEW_YORK)
    assert lt.wall_clock(time, NEW_YORK) == "2013-07-04T08:15"
