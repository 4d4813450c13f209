"""Durations: two texts, one exact meaning."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_interface.durations import (
    ISO_PATTERN,
    format_duration,
    iso_duration,
    parse_duration,
    parse_iso_duration,
)
from fairweather_interface.errors import DurationError, FairweatherError

_WHOLE = st.integers(min_value=1, max_value=timedelta.max // timedelta(seconds=1)).map(
    lambda seconds: timedelta(seconds=seconds)
)


@given(duration=_WHOLE)
def test_words_round_trip(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(duration=_WHOLE)
def test_iso_round_trips_and_fits_the_published_pattern(duration: timedelta) -> None:
    text = iso_duration(duration)
    assert parse_iso_duration(text) == duration
    assert re.search(ISO_PATTERN, text)


@given(text=st.text(max_size=12))
def test_any_text_is_a_duration_or_a_duration_error(text: str) -> None:
    for parse in (parse_duration, parse_iso_duration):
        try:
            assert parse(text) > timedelta(0)
        except DurationError as error:
            assert error.problems  # noqa: PT017 - most examples raise, some do not


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30 days", timedelta(days=30)),
        ("1 day", timedelta(days=1)),
        ("1 minute", timedelta(minutes=1)),
        ("5 minutes", timedelta(minutes=5)),
        ("1 hour", timedelta(hours=1)),
        ("90 seconds", timedelta(seconds=90)),
        ("2 weeks", timedelta(days=14)),
    ],
)
def test_words_are_read_as_people_say_them(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "30 dayz", "30days", "30  days", "days", "1.5 hours", "-1 day", "0 days", "007 days", "",
        " 1 day", "1 day ", "1 Day", "1 month", "1 year", "a day", "P30D", "٣ days", "1 day\n",
        "99999999999 weeks", "9" * 5000 + " days", 30, 1.0, None, True, ["1 day"], timedelta(1),
    ],
)  # fmt: skip
def test_what_is_no_duration_in_words_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(DurationError, match="expected a duration such as '30 days'") as caught:
        parse_duration(text)
    assert isinstance(caught.value, FairweatherError)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "P1DT", "P0D", "PT0S", "P1Y", "P1M", "P1W", "P1.5D", "PT0.5S", "-P1D", "1D",
        "p1d", "P1D ", "P1D\n", "PT1H1D", "P٣D", "P999999999999D", "P" + "9" * 5000 + "D",
        "30 days", "PT1S1M",
    ],
)  # fmt: skip
def test_what_is_no_positive_iso_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationError, match="expected a positive ISO 8601 duration"):
        parse_iso_duration(text)


@pytest.mark.parametrize(
    ("duration", "words", "iso"),
    [
        (timedelta(days=30), "30 days", "P30D"),
        (timedelta(days=7), "7 days", "P7D"),
        (timedelta(hours=1), "1 hour", "PT1H"),
        (timedelta(hours=36), "36 hours", "P1DT12H"),
        (timedelta(minutes=5), "5 minutes", "PT5M"),
        (timedelta(seconds=90), "90 seconds", "PT1M30S"),
        (timedelta(days=1, seconds=1), "86401 seconds", "P1DT1S"),
    ],
)
def test_a_duration_is_said_in_one_way(duration: timedelta, words: str, iso: str) -> None:
    assert format_duration(duration) == words
    assert iso_duration(duration) == iso


@pytest.mark.parametrize(
    "duration", [timedelta(0), timedelta(days=-1), timedelta(microseconds=1), timedelta(0, 1, 1)]
)
def test_only_a_positive_whole_number_of_seconds_can_be_said(duration: timedelta) -> None:
    for say in (format_duration, iso_duration):
        with pytest.raises(DurationError, match="expected a positive whole number of seconds"):
            say(duration)
