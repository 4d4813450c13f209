"""Units that a person reads in."""

from __future__ import annotations

import pytest

from fairweather_app.web.layout.preferences import (
    CELSIUS,
    FAHRENHEIT,
    read_units,
    shown_unit,
    shown_values,
)


@pytest.mark.parametrize(
    ("text", "units"),
    [("C", CELSIUS), ("f", FAHRENHEIT), (" F ", FAHRENHEIT), ("K", None), ("", None), (None, None)],
)
def test_units_are_read_in_either_case_and_nothing_else_is(
    text: str | None, units: str | None
) -> None:
    assert read_units(text) == units


def test_degrees_are_converted_and_gaps_stay_gaps() -> None:
    assert shown_unit("degC", FAHRENHEIT) == "°F"
    shown = shown_values([-40.0, None, 100.0, 37.0], "degC", FAHRENHEIT)
    assert shown == [-40.0, None, 212.0, pytest.approx(98.6)]


@pytest.mark.parametrize("unit", ["%", "hPa", "K"])
def test_every_other_quantity_keeps_its_unit(unit: str) -> None:
    assert shown_unit(unit, FAHRENHEIT) == unit
    assert shown_values([1.0], unit, FAHRENHEIT) == [1.0]


def test_degrees_celsius_stay_what_they_are() -> None:
    assert shown_unit("degC", CELSIUS) == "degC"
    assert shown_values([1.0], "degC", CELSIUS) == [1.0]
