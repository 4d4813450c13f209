"""What of the training windows becomes a bound, and who can still read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fairweather_interface.metadata import Bounds

from fairweather_research.dataset.input_ranges import InputRange, declared_domain, widest_ranges
from fairweather_research.delivery.metadata import expected_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairweather_research import Recipe

SEEN = {
    "humidity": InputRange(lowest=20.0, highest=97.0, missing=0.05),
    "temperature": InputRange(lowest=-4.0, highest=31.5, missing=0.0),
}


def test_nothing_is_declared_that_was_not_asked_for(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny(max_temperature_seen=False)
    found = declared_domain(recipe, SEEN)
    assert set(found.declared.values()) == {None}
    assert found.in_effect == {"humidity": Bounds(), "temperature": Bounds()}


def test_older_words_bound_the_inputs_of_their_variable_alone(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny(applicability_domain=["minimum"])
    found = declared_domain(recipe, SEEN)
    assert found.declared["applicability_domain"] == {
        "humidity": Bounds(minimum=20.0),
        "temperature": Bounds(minimum=-4.0),
    }
    assert found.in_effect == {
        "humidity": Bounds(minimum=20.0),
        "temperature": Bounds(minimum=-4.0, maximum=31.5),
    }


def test_a_maximum_is_said_in_older_words_whatever_their_own_keys_say(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(applicability_domain=["maximum"], max_temperature_seen=False)
    found = declared_domain(recipe, SEEN)
    assert found.declared["max_temperature_seen"] == 31.5
    assert found.declared["max_humidity_seen"] == 97.0


PLAIN: dict[str, Any] = {"max_temperature_seen": False}
TWICE = [
    {"temperature": {"period": "3 days", "sample_rate": "1 hour"}},
    {"temperature": {"area": "Airports", "period": "3 days", "sample_rate": "1 hour"}},
]


@pytest.mark.parametrize(
    ("changes", "min_reader"),
    [
        ({}, "0.1"),
        ({"quantiles": [0.1, 0.9]}, "0.1"),
        ({"max_temperature_seen": True}, "0.1"),
        ({"max_humidity_seen": True}, "0.2"),
        ({"applicability_domain": ["maximum"]}, "0.2"),  # humidity: 0.2's max_humidity_seen
        ({"applicability_domain": ["minimum"]}, "0.3"),
        ({"applicability_domain": ["max_missing"]}, "0.3"),
        ({"applicability_domain": ["max_missing"], "max_missing": 0}, "0.1"),
    ],
)
def test_the_handbook_is_right_about_who_can_still_read_a_bound(
    tiny: Callable[..., Recipe], changes: dict[str, Any], min_reader: str
) -> None:
    assert expected_metadata(tiny(**{**PLAIN, **changes})).min_reader == min_reader


def test_a_maximum_of_each_of_two_inputs_of_a_variable_needs_a_reader_of_the_newest(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any]
) -> None:
    def expected(*inputs: object) -> str:
        definitions = {**tiny_document["definitions"], "training": {"required_inputs": inputs}}
        recipe = tiny(definitions=definitions, applicability_domain=["maximum"])
        return expected_metadata(recipe).min_reader

    assert expected(TWICE[0]) == "0.1"
    assert expected(*TWICE) == "0.3"


def test_the_worst_that_training_could_see_is_real_and_differs_between_inputs(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any]
) -> None:
    definitions = {**tiny_document["definitions"], "training": {"required_inputs": TWICE}}
    one, other = widest_ranges(tiny(definitions=definitions).blueprint).values()
    assert -80 <= one.lowest < one.highest <= 60
    assert one.highest != other.highest
