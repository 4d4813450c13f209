"""The exception tree."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from fairweather_interface import errors
from fairweather_interface.errors import (
    ArchiveError,
    CorruptDeliveryError,
    DefinitionsError,
    DeliveryError,
    DurationError,
    EnvelopeError,
    FairweatherError,
    IncompleteDeliveryError,
    MetadataError,
    NotExpressibleError,
    PackError,
    SoftwareError,
    UnsupportedSchemaError,
    in_words,
    listed,
    short,
)

_ALL = [
    FairweatherError("a"),
    DurationError("a"),
    DefinitionsError("a", problems=("b", "c")),
    SoftwareError("a"),
    ArchiveError("a"),
    PackError("a", problems=("b",)),
    MetadataError("a", problems=("b",)),
    UnsupportedSchemaError("a", found="0.2", supported="0.1"),
    NotExpressibleError("a", problems=("b", "c")),
    EnvelopeError("a", problems=("b",)),
    DeliveryError("a", path=Path("x")),
    IncompleteDeliveryError("a", path=Path("x")),
    CorruptDeliveryError("a", path=Path("x"), problems=("b", "c")),
]


def test_the_tree_drawn_in_the_module_is_the_tree_there_is() -> None:
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]
    own = [item for item in classes if issubclass(item, Exception)]
    assert {type(error) for error in _ALL} == set(own)
    assert errors.__doc__ is not None
    for item in own:
        assert item.__name__ in errors.__doc__
        assert issubclass(item, FairweatherError)


@pytest.mark.parametrize("error", _ALL, ids=lambda error: type(error).__name__)
def test_an_error_crosses_processes_whole(error: FairweatherError) -> None:
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_problems_are_never_empty() -> None:
    assert FairweatherError("only this").problems == ("only this",)
    assert MetadataError("two", problems=("a", "b")).problems == ("a", "b")


def test_problems_are_listed_one_a_line() -> None:
    assert listed("2 problems:", ("a", "b")) == "2 problems:\n  - a\n  - b"


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, list(range(10**6)), {"a": {"b": {"c": {}}}}, 10**5000, [[[[[]]]]], None],
    ids=range(6),
)
def test_a_found_value_is_cut_to_a_readable_length(value: object) -> None:
    assert 0 < len(short(value)) <= 100


def test_a_value_that_repeats_itself_is_cut_before_it_is_written() -> None:
    laugh: list[object] = ["ha"]
    for _ in range(30):
        laugh = [laugh] * 10
    assert len(short(laugh)) <= 100


def test_a_message_shows_the_two_ends_of_what_is_too_long() -> None:
    error = FairweatherError("found " + "x" * 1_000_000 + ": write less")
    assert len(str(error)) < 50_000
    assert str(error).startswith("found xxx")
    assert str(error).endswith("xxx: write less")
    assert len(error.problems[0]) < 3_000


def test_of_many_problems_some_are_listed_and_the_others_counted() -> None:
    problems = tuple(f"problem {number}" for number in range(1000))
    told = listed("head", problems)
    assert told.splitlines()[:2] == ["head", "  - problem 0"]
    assert told.splitlines()[-2:] == ["  - problem 19", "  - and 980 more"]
    assert FairweatherError(told, problems=problems).problems[-1] == "and 980 more"
    again = FairweatherError(told, problems=problems).problems
    assert FairweatherError(told, problems=again).problems == again
    assert listed("head", problems[:20]).splitlines()[-1] == "  - problem 19"


def test_names_are_counted_where_there_are_many() -> None:
    assert in_words([]) == ""
    assert in_words(["Hebron", "Safed"]) == "Hebron, Safed"
    assert in_words(map(str, range(30))).endswith("18, 19 and 10 more")
    assert len(in_words(["x" * 10_000])) < 200
