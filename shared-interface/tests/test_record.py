"""JSON with one meaning, and records that keep what they do not know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairweather_interface.metadata.record import (
    Duration,
    Record,
    Rule,
    UtcTime,
    dump_record,
    parse_json,
    unknown_fields,
)
from fairweather_interface.problems import problems_of

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)  # fmt: skip


class _Moment(Record):
    at: Annotated[UtcTime, Rule("what the test asks", since="0.1")]


class _Length(Record):
    long: Annotated[Duration, Rule("what the test asks", since="0.1")]


@given(value=_JSON)
def test_json_of_one_meaning_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(data=st.binary(max_size=40))
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        parse_json(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most examples raise, some do not


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 1}', "key 'a' twice"),
        ('{"x": [{"b": 1, "c": 2, "b": 3}]}', "key 'b' twice"),
        ('{"a": 1, "\\u0061": 2}', "key 'a' twice"),
        ("NaN", "finite"),
        ("[Infinity]", "finite"),
        ("-Infinity", "finite"),
        ('{"a": 1e999}', "finite"),
        ('{"a": -1e999}', "finite"),
        ("1" * 5000, "4300"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("", "line 1"),
        ("{'a': 1}", "line 1"),
        ('{"a": 1,}', "line 1"),
        ("\ufeff{}", "BOM"),
        ("\ud800", "surrogate"),
    ],
)
def test_json_that_can_be_read_in_two_ways_or_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_json(text)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    for data in (b"\xff", '"ä"'.encode("latin-1"), '{"a": 1}'.encode("utf-16")):
        with pytest.raises(ValueError, match=r"utf-8|line 1"):
            parse_json(data)


def test_a_million_keys_are_told_apart_in_a_moment() -> None:
    text = json.dumps({str(number): number for number in range(300_000)})
    assert len(parse_json(text)) == 300_000


@pytest.mark.parametrize(
    "text",
    [
        "2013-12-30T23:00:00Z",
        "2013-12-30T23:00Z",
        "2013-12-30T23:00:00.5Z",
        "2013-12-30T23:00:00.123456Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_time_in_utc_is_read_and_written_with_z(text: str) -> None:
    moment = _Moment.model_validate_json(json.dumps({"at": text}))
    assert moment.at.utcoffset() == timedelta(0)
    assert _Moment.model_validate_json(dump_record(moment)) == moment
    assert json.loads(dump_record(moment))["at"].endswith("Z")


@pytest.mark.parametrize(
    "value",
    [
        "2013-12-30T23:00:00", "2013-12-30T23:00:00+00:00", "2013-12-30T23:00:00+02:00",
        "2013-12-30", "20131230T230000Z", "2013-W01-1T00:00Z", "2013-12-30 23:00:00Z", "0", "Z",
        "2013-02-30T00:00:00Z", "2013-12-30T25:00:00Z", "2013-12-30T23:00:60Z", "", "now",
        "\uff12013-12-30T23:00:00Z", 0, 1388444400, 1.5, True, None, [], {},
    ],
)  # fmt: skip
def test_anything_else_is_no_time_of_the_contract(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        _Moment.model_validate_json(json.dumps({"at": value}))
    assert problems_of(caught.value)[0].startswith("at: found")


def test_in_python_a_time_must_know_that_it_is_utc() -> None:
    noon = datetime(2013, 1, 1, 12, tzinfo=ZoneInfo("Europe/London"))
    assert _Moment(at=noon).at.tzinfo is UTC
    for wrong in (noon.replace(tzinfo=None), noon.astimezone(timezone(timedelta(hours=1)))):
        with pytest.raises(ValidationError, match="expected a time in UTC"):
            _Moment(at=wrong)


@pytest.mark.parametrize("value", [3600, 1.5, "1 hour", "P999999999999D", "PT0S", None, True])
def test_anything_but_an_iso_text_is_no_duration_of_the_contract(value: object) -> None:
    with pytest.raises(ValidationError):
        _Length.model_validate_json(json.dumps({"long": value}))


def test_in_python_a_duration_must_be_one_the_contract_can_say() -> None:
    assert _Length(long=timedelta(hours=1)).long == timedelta(hours=1)
    with pytest.raises(ValidationError, match="whole number of seconds"):
        _Length(long=timedelta(microseconds=1))


def test_a_record_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _Length(long=timedelta(1)).long = timedelta(2)  # type: ignore[misc]


def test_unknown_fields_are_kept_listed_and_dumped() -> None:
    length = _Length.model_validate_json('{"long": "P1D", "new": {"a": [null]}, "gone": null}')
    assert unknown_fields(length) == ("new", "gone")
    assert json.loads(dump_record(length)) == {"long": "P1D", "new": {"a": [None]}, "gone": None}


def test_problems_name_the_path_then_what_was_found_then_what_is_expected() -> None:
    with pytest.raises(ValidationError) as caught:
        _Length.model_validate_json('{"long": 3}')
    assert problems_of(caught.value, "root") == ("root.long: found 3, expected a valid duration",)
    with pytest.raises(ValidationError) as caught:
        _Length.model_validate_json("[]")
    assert problems_of(caught.value) == ("found [], expected a mapping",)
