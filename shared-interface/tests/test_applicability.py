"""Applicability: may a model answer, by what it declares?"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import as_json
from fairweather_interface import (
    Observed,
    check_age,
    check_applicability,
    check_missing,
    check_start,
)
from fairweather_interface.applicability import start_months, starts
from fairweather_interface.metadata import ModelMetadata, read_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.testing import metadata_document

_PLACES = {
    "Kiritimati": "Pacific/Kiritimati",  # UTC+14
    "Niue": "Pacific/Niue",  # UTC-11
    "JFK": "America/New_York",
    "Jerusalem": "Asia/Jerusalem",
    "Reykjavik": "UTC",
}


_TWO = ("temperature", "humidity")


def _metadata(**changes: Any) -> ModelMetadata:
    areas = {
        name: {"latitude": 0, "longitude": 0, "timezone": zone} for name, zone in _PLACES.items()
    }
    document = metadata_document(**changes)
    document["areas"] = areas
    return read_metadata(as_json(document))


@pytest.mark.parametrize(
    ("area", "time", "month"),
    [
        ("Reykjavik", "2013-06-30T23:59:59+00:00", 6),
        ("Reykjavik", "2013-07-01T00:00:00+00:00", 7),
        ("JFK", "2013-07-01T03:59:59+00:00", 6),  # daylight saving: four hours behind
        ("JFK", "2013-07-01T04:00:00+00:00", 7),
        ("JFK", "2013-12-01T04:59:59+00:00", 11),  # standard time: five hours behind
        ("JFK", "2013-12-01T05:00:00+00:00", 12),
        ("Kiritimati", "2013-06-30T09:59:59+00:00", 6),
        ("Kiritimati", "2013-06-30T10:00:00+00:00", 7),
        ("Niue", "2013-07-01T10:59:59+00:00", 6),
        ("Niue", "2013-07-01T11:00:00+00:00", 7),
        ("Jerusalem", "2013-12-31T22:00:00+00:00", 1),
        ("JFK", "2013-07-01T00:00:00-04:00", 7),
        ("Reykjavik", "2013-07-01T00:00:00+02:00", 6),
    ],
)
def test_the_season_is_told_by_the_local_month_at_the_border_of_its_zone(
    area: str, time: str, month: int
) -> None:
    moment = datetime.fromisoformat(time)
    others = [other for other in range(1, 13) if other != month]
    assert check_start(_metadata(valid_months=[month]), area, moment) is None
    refusal = check_start(_metadata(valid_months=others), area, moment)
    assert refusal is not None
    assert refusal.code is Code.OUT_OF_SEASON


@pytest.mark.parametrize("months", [[1, 12], [4, 7, 10], list(range(1, 13))], ids=str)
@pytest.mark.parametrize("area", _PLACES)
def test_the_starts_are_the_newest_and_the_last_hours_of_the_months_before(
    months: list[int], area: str
) -> None:
    metadata, zone = _metadata(valid_months=months), ZoneInfo(_PLACES[area])
    until = datetime(2013, 12, 20, 7, tzinfo=UTC)
    found = list(starts(metadata, area, until=until))
    assert all(check_start(metadata, area, start) is None for start in found)
    assert [start.astimezone(zone).month for start in found] == sorted(months, reverse=True)
    assert [start for start in found if start == until] == ([until] if 12 in months else [])
    for start in found:
        assert start.utcoffset() == timedelta(0)
        if start != until:
            after = (start + timedelta(hours=1)).astimezone(zone)
            assert (after.day, after.hour, after.month) == (1, 0, start.astimezone(zone).month + 1)


def test_starts_are_given_for_a_declared_area_and_an_aware_time_alone() -> None:
    with pytest.raises(KeyError):
        next(starts(_metadata(), "Hebron", until=datetime(2013, 1, 1, tzinfo=UTC)))
    with pytest.raises(ValueError, match="without a zone"):
        next(starts(_metadata(), "JFK", until=datetime(2013, 1, 1)))  # noqa: DTZ001 - the point


def test_the_months_of_the_starts_are_those_that_the_model_declares() -> None:
    assert start_months(_metadata(valid_months=[1, 12])) == (1, 12)


def test_a_refusal_out_of_season_is_a_sentence() -> None:
    moment = datetime(2013, 7, 4, tzinfo=UTC)
    refusal = check_start(_metadata(valid_months=[1, 12]), "JFK", moment)
    assert refusal is not None
    assert refusal.reason == "asked in July at JFK, valid in January, December"


@given(
    moment=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))])),
    area=st.sampled_from(sorted(_PLACES)),
)
def test_a_model_for_all_months_is_never_out_of_season(moment: datetime, area: str) -> None:
    assert check_start(_metadata(), area, moment) is None


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])  # noqa: DTZ901 - gets one below
@pytest.mark.parametrize("area", list(_PLACES))
def test_the_first_and_last_moment_of_the_calendar_have_a_month(
    moment: datetime, area: str
) -> None:
    for offset in (-14, 0, 14):
        aware = moment.replace(tzinfo=timezone(timedelta(hours=offset)))
        assert check_start(_metadata(), area, aware) is None


def test_an_undeclared_area_or_a_time_without_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        check_start(_metadata(), "Hebron", datetime(2013, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="expected an aware datetime"):
        check_start(_metadata(), "JFK", datetime(2013, 1, 1))  # noqa: DTZ001 - that is the point


def _windows(**highest: float | None) -> dict[str, Observed]:
    return {name: Observed(lowest=high, highest=high, missing=0) for name, high in highest.items()}


@pytest.mark.parametrize(
    ("highest", "margin", "refused"),
    [
        (38.0, 0.0, False),
        (math.nextafter(38.0, 99), 0.0, True),
        (41.0, 3.0, False),
        (41.01, 3.0, True),
        (math.inf, 3.0, True),
        (-40.0, 0.0, False),
        (None, 0.0, False),
        (math.nan, 0.0, False),
    ],
)
def test_a_model_answers_up_to_what_it_has_seen_and_the_margin(
    highest: float | None, margin: float, refused: object
) -> None:
    refusal = check_applicability(
        _metadata(schema="0.1", max_temperature_seen=38.0),
        _windows(temperature=highest),
        margins={"temperature": margin, "humidity": 99.0},
    )
    assert (refusal is not None) is refused
    assert refusal is None or refusal.code is Code.OUT_OF_DOMAIN


@pytest.mark.parametrize(
    ("humidity", "margin", "holds"),
    [(90.0, 0.0, True), (90.1, 0.0, False), (92.0, 2.0, True), (92.1, 2.0, False),
     (None, 0.0, True), (math.nan, 0.0, True)],
)  # fmt: skip
def test_humidity_is_held_against_its_bound_and_the_readers_own_margin(
    humidity: float | None,
    margin: float,
    holds: bool,  # noqa: FBT001 - what is expected
) -> None:
    metadata = _metadata(schema="0.2", variables=_TWO, max_humidity_seen=90.0)
    windows = _windows(humidity=humidity, temperature=50.0)
    refusal = check_applicability(
        metadata, windows, margins={"humidity": margin, "temperature": 3.0}
    )
    assert (refusal is None) == holds
    assert refusal is None or refusal.code is Code.OUT_OF_DOMAIN


def test_every_bound_that_is_passed_is_told_at_once() -> None:
    metadata = _metadata(
        schema="0.2", variables=_TWO, max_humidity_seen=90.0, max_temperature_seen=38.0
    )
    refusal = check_applicability(metadata, _windows(humidity=99.5, temperature=40.0))
    assert refusal is not None
    assert refusal.reason == (
        "temperature reached 40 degC, above the 38 degC it is declared fit for; "
        "humidity reached 99.5 %, above the 90 % it is declared fit for"
    )
    refusal = check_applicability(metadata, _windows(humidity=99.5, temperature=37.0))
    assert refusal is not None
    assert refusal.reason == "humidity reached 99.5 %, above the 90 % it is declared fit for"


def test_a_model_that_declares_no_bound_has_none() -> None:
    assert check_applicability(_metadata(), _windows(temperature=500.0)) is None


def test_a_refusal_out_of_domain_is_a_sentence_that_cannot_read_as_nonsense() -> None:
    metadata = _metadata(schema="0.1", max_temperature_seen=38.0)
    refusal = check_applicability(metadata, _windows(temperature=38.04))
    assert refusal is not None
    assert refusal.reason == (
        "temperature reached 38.04 degC, above the 38 degC it is declared fit for"
    )
    refusal = check_applicability(
        metadata, _windows(temperature=45.0), margins={"temperature": 3.0}
    )
    assert refusal is not None
    assert refusal.reason.endswith("it is declared fit for and the margin of 3 degC")


@given(samples=st.integers(1, 50_000), data=st.data())
def test_a_window_is_fit_up_to_the_share_it_may_miss(samples: int, data: st.DataObject) -> None:
    allowed = data.draw(st.integers(0, samples))
    missing = data.draw(st.integers(0, samples))
    document = metadata_document(samples=samples, max_missing=allowed / samples)
    (required,) = read_metadata(as_json(document)).required_inputs
    assert (check_missing(required, missing) is None) == (missing <= allowed)


def test_a_share_that_binary_numbers_cannot_say_is_met_exactly() -> None:
    document = metadata_document(samples=100, max_missing=0.29)
    (required,) = read_metadata(as_json(document)).required_inputs
    assert 0.29 * 100 < 29  # why the law divides
    assert check_missing(required, 29) is None
    refusal = check_missing(required, 30)
    assert refusal is not None
    assert refusal.code is Code.OBSERVATIONS_MISSING
    assert refusal.reason == (
        "temperature: 30 of 100 observations are missing, at most 29 % may be"
    )


_HOUR = timedelta(hours=1)


def _aged(age: timedelta | None) -> Observed:
    present = None if age is None else 1.0
    return Observed(lowest=present, highest=present, missing=0, age=age)


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (timedelta(0), None),
        (3 * _HOUR, None),
        (4 * _HOUR, "newest temperature 4 h before the start; the model is fit for 3 h"),
        (11 * _HOUR, "newest temperature 11 h before the start; the model is fit for 3 h"),
        (None, "no temperature in the 24 h before the start; the model is fit for 3 h"),
    ],
    ids=str,
)
def test_the_newest_value_may_be_as_old_as_the_model_is_fit_for(
    age: timedelta | None, reason: str | None
) -> None:
    refusal = check_age(_metadata(max_age=3 * _HOUR), {"temperature": _aged(age)})
    assert (refusal and refusal.reason) == reason
    assert refusal is None or refusal.code is Code.OBSERVATIONS_STALE


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(seconds=3605), "1 h 5 s"),
        (timedelta(days=3, minutes=1), "72 h 1 min"),
    ],
)
def test_an_age_is_told_in_hours_and_what_is_left(age: timedelta, words: str) -> None:
    refusal = check_age(_metadata(max_age=timedelta(seconds=20)), {"temperature": _aged(age)})
    assert refusal is not None
    assert (
        refusal.reason == f"newest temperature {words} before the start; the model is fit for 20 s"
    )


def test_every_input_that_is_too_old_is_told_by_the_name_that_tells_it_apart() -> None:
    metadata = _metadata(variables=("temperature", "humidity"), max_age=3 * _HOUR)
    windows = {"temperature": _aged(11 * _HOUR), "humidity": _aged(2 * _HOUR)}
    refusal = check_age(metadata, windows)
    assert refusal is not None
    assert refusal.reason == "newest temperature 11 h before the start; the model is fit for 3 h"
    refusal = check_age(metadata, windows | {"humidity": _aged(5 * _HOUR)})
    assert refusal is not None
    assert refusal.reason == (
        "newest temperature 11 h before the start; the model is fit for 3 h; "
        "newest humidity 5 h before the start; the model is fit for 3 h"
    )
    document = metadata_document(max_age=3 * _HOUR)
    document["inputs"].append(document["inputs"][0] | {"name": "far_away", "areas": ["LGA"]})
    twice = read_metadata(as_json(document))
    refusal = check_age(twice, {"temperature": _aged(_HOUR), "far_away": _aged(4 * _HOUR)})
    assert refusal is not None
    assert refusal.reason == "newest far_away 4 h before the start; the model is fit for 3 h"


def test_an_input_without_a_greatest_age_may_be_as_old_as_its_window() -> None:
    document = metadata_document(variables=("temperature", "humidity"), max_age=3 * _HOUR)
    del document["inputs"][0]["max_age"]
    metadata = read_metadata(as_json(document))
    assert check_age(metadata, {"humidity": _aged(_HOUR)}) is None  # the other is not looked at
    assert check_age(_metadata(), {}) is None
    with pytest.raises(KeyError):
        check_age(metadata, {"temperature": _aged(_HOUR)})
