"""The table of variables: every column, and what becomes of one that is wrong or unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from importlib import resources
from typing import Any

import pytest

from fairweather_interface.definitions import load_yaml
from fairweather_interface.errors import DefinitionsError
from fairweather_interface.variables import (
    VARIABLES,
    Conversion,
    LargestStep,
    Variable,
    conflicts,
    parse_variables,
    plain_variable,
)

_TABLE = resources.files("fairweather_interface") / "data" / "variables.yaml"
_LOAD: dict[str, Any] = {
    "unit": "MW",
    "standard_name": "electric_load",
    "minimum": 0.0,
    "maximum": 5000.0,
    "symbol": "MW",
    "label": "Load",
}


@pytest.mark.parametrize(
    ("highest", "digits"),
    [(5000.0, 0), (100.0, 0), (50.0, 1), (1.0, 2), (0.05, 4), (1e-300, 6), (1.7e308, 0)],
)
def test_people_are_shown_the_digits_that_its_range_asks_for(highest: float, digits: int) -> None:
    lowest = -highest if highest > 1e300 else 0.0  # a range that no float holds
    assert Variable(name="load", unit="MW", minimum=lowest, maximum=highest).digits == digits
    said = Variable(name="load", unit="MW", minimum=lowest, maximum=highest, digits=3)
    assert said.digits == 3
    assert parse_variables({"load": plain_variable(said)}, source="test")["load"] == said


def test_every_name_of_the_packaged_table_stands_once() -> None:
    assert tuple(load_yaml(_TABLE.read_text(encoding="utf-8"))) == tuple(VARIABLES)


def test_a_released_variable_keeps_its_unit_and_cf_name() -> None:
    released = {
        "temperature": ("degC", "air_temperature"),
        "humidity": ("%", "relative_humidity"),
        "dew_point": ("degC", "dew_point_temperature"),
        "pressure": ("hPa", "air_pressure_at_mean_sea_level"),
        "wind_speed": ("m s-1", "wind_speed"),
    }
    assert released == {
        name: (VARIABLES[name].unit, VARIABLES[name].standard_name) for name in released
    }


def test_a_variable_can_be_real_and_shown() -> None:
    for name, item in VARIABLES.items():
        assert item.name == name
        assert item.minimum < item.maximum
        assert item.label
        assert item.symbol
    assert VARIABLES["wind_speed"].maximum < 1048 * 0.44704  # the record of Newark is no wind


def test_pages_lead_with_temperature() -> None:
    assert next(iter(VARIABLES)) == "temperature"


@pytest.mark.parametrize(
    ("name", "minute", "hour", "still"),
    [
        ("temperature", 3.0, 12.0, None),
        ("dew_point", 4.0, 15.0, None),
        ("humidity", 15.0, 60.0, (95.0, 100.0)),
        ("pressure", 2.0, 10.0, None),
        ("wind_speed", 20.0, 25.0, (0.0, 0.5)),
    ],
)
def test_a_variable_moves_so_far_and_stands_still_so_long(
    name: str, minute: float, hour: float, still: tuple[float, float] | None
) -> None:
    variable = VARIABLES[name]
    assert variable.largest_step == LargestStep(minute=minute, hour=hour)
    assert (variable.stuck, variable.still) == (timedelta(hours=24), still)


def test_a_conversion_is_exact_to_the_last_bit() -> None:
    celsius = {"K": (1.0, -273.15), "degF": (5 / 9, -160 / 9)}
    expected: dict[str, dict[str, tuple[float, float]]] = {
        "temperature": celsius,
        "humidity": {"1": (100.0, 0.0)},
        "dew_point": celsius,
        "pressure": {"Pa": (0.01, 0.0), "mbar": (1.0, 0.0)},
        "wind_speed": {
            "km h-1": (1 / 3.6, 0.0),
            "knot": (1852 / 3600, 0.0),
            "mph": (0.44704, 0.0),
        },
    }
    assert expected == {
        name: {row.unit: (row.factor, row.offset) for row in VARIABLES[name].conversions}
        for name in expected
    }


def test_margins_and_words_are_what_software_uses() -> None:
    assert {name: item.margin for name, item in VARIABLES.items() if item.margin} == {
        "temperature": 3.0,
        "humidity": 5.0,
    }
    assert VARIABLES["temperature"].extremes == ("coldest", "warmest")
    assert VARIABLES["pressure"].extremes == ("lowest", "highest")


def test_a_variable_is_frozen_and_can_be_a_key() -> None:
    variable = VARIABLES["humidity"]
    assert len({variable, dataclasses.replace(variable)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        variable.unit = "1"  # type: ignore[misc]


def test_a_table_needs_no_more_than_what_everybody_needs() -> None:
    (variable,) = parse_variables({"load": _LOAD}, source="mine", strict=True).values()
    assert variable == Variable(name="load", **_LOAD)
    assert [variable.largest_step, variable.stuck, variable.still] == [None, None, None]
    assert (variable.margin, variable.digits) == (0.0, 0)
    assert (variable.conversions, variable.extremes) == ((), ("lowest", "highest"))
    rows: dict[str, Any] = {"conversions": [{"unit": "GW", "factor": 1000}, {"unit": "MVA"}]}
    found = parse_variables({"load": _LOAD | rows}, source="mine")["load"]
    assert found.conversions == (Conversion(unit="GW", factor=1000.0), Conversion(unit="MVA"))


def test_an_unknown_column_is_refused_in_our_own_table_and_ignored_in_others() -> None:
    table = {"load": _LOAD | {"colour": "red"}}
    assert parse_variables(table, source="mine")["load"] == Variable(name="load", **_LOAD)
    with pytest.raises(DefinitionsError, match="variables we cannot use in ours:") as caught:
        parse_variables(table, source="ours", strict=True)
    assert caught.value.problems == ("load.colour: found 'red', expected no such key",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda it: it.pop("unit"), "load.unit: not found, expected a value"),
        (lambda it: it.update(minimum="low"), "load.minimum: found 'low', expected a valid number"),
        (lambda it: it.update(maximum=float("inf")), "load.maximum: found inf, expected a finite"),
        (lambda it: it.update(stuck="a day"), "load.stuck: found 'a day', expected a duration"),
        (lambda it: it.update(margin=-1), "load.margin: found -1, expected greater than or equal"),
        (lambda it: it.update(unit=""), "load.unit: found '', string should have at least 1"),
        (lambda it: it.update(maximum=-1), "load: found 0 to -1, expected a range"),
        (lambda it: it.update(maximum=0), "load: found 0 to 0, expected a range"),
        (
            lambda it: it.update(largest_step={"minute": 1}),
            "load.largest_step.hour: not found, expected a value",
        ),
        (lambda it: it.update(largest_step=3), "load.largest_step: found 3, expected a mapping"),
        (
            lambda it: it.update(conversions=[{"unit": "GW", "factor": "k"}]),
            "load.conversions[0].factor: found 'k', expected a valid number",
        ),
        (
            lambda it: it.update(conversions=[1000]),
            "load.conversions[0]: found 1000, expected a mapping",
        ),
        (lambda it: it.clear(), "load.unit: not found, expected a value"),
    ],
)
def test_a_wrong_column_is_named_with_its_place(
    change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    row = dict(_LOAD)
    change(row)
    with pytest.raises(DefinitionsError) as caught:
        parse_variables({"good": _LOAD, "load": row}, source="mine")
    assert caught.value.problems[0].startswith(problem)
    assert problem in str(caught.value)


def test_a_row_that_is_no_mapping_is_told_so() -> None:
    with pytest.raises(DefinitionsError, match="load: found 3, expected a mapping"):
        parse_variables({"load": 3}, source="mine")


def test_how_people_write_it_follows_from_name_and_unit_where_nothing_else_is_said() -> None:
    row: dict[str, Any] = {"unit": "kg m-2", "minimum": 0, "maximum": 900}
    (snow,) = parse_variables({"snow_load": row}, source="mine", strict=True).values()
    assert (snow.name, snow.label, snow.symbol) == ("snow_load", "Snow load", "kg m-2")
    assert snow.standard_name == ""
    assert snow == Variable(name="snow_load", unit="kg m-2", minimum=0.0, maximum=900.0)
    with pytest.raises(ValueError, match="found 1 to 0, expected a range"):
        dataclasses.replace(snow, minimum=1.0, maximum=0.0)


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_a_plain_row_is_read_back_to_the_same(variable: Variable) -> None:
    plain = plain_variable(variable)
    assert "name" not in plain
    assert parse_variables({variable.name: plain}, source="mine", strict=True) == {
        variable.name: variable
    }


def test_a_plain_row_holds_no_more_than_it_has_to() -> None:
    bare = Variable(name="load", unit="MW", minimum=0.0, maximum=5000.0)
    assert plain_variable(bare) == {"unit": "MW", "minimum": 0.0, "maximum": 5000.0}
    assert (
        plain_variable(dataclasses.replace(bare, stuck=timedelta(hours=36)))["stuck"] == "36 hours"
    )


def test_tables_that_give_a_variable_other_limits_conflict_and_no_others() -> None:
    ours = Variable(name="load", unit="MW", minimum=0.0, maximum=5000.0)
    same = dataclasses.replace(ours, label="Electric load", margin=3.0)
    assert conflicts({"load": same}, {"load": ours, **VARIABLES}) == ()
    assert conflicts({"load": ours}, VARIABLES) == ()
    other = dataclasses.replace(ours, unit="GW", maximum=5.0)
    assert conflicts({"load": other}, {"load": ours}) == (
        (
            "found load from 0 to 5 GW, expected 0 to 5000 MW, as it is known already: give the "
            "variable another name, or the same unit and limits"
        ),
    )
    assert len(conflicts({"load": dataclasses.replace(ours, minimum=-0.1)}, {"load": ours})) == 1
