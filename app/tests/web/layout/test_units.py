"""Units that a person reads in."""

from __future__ import annotations

import pytest

from fairweather_app.api.schemas import VariableForecast
from fairweather_app.web.layout.units import CELSIUS, FAHRENHEIT, read_units, shown_forecast


@pytest.mark.parametrize(
    ("text", "units"),
    [("C", CELSIUS), ("f", FAHRENHEIT), (" F ", FAHRENHEIT), ("K", None), ("", None), (None, None)],
)
def test_units_are_read_in_either_case_and_nothing_else_is(
    text: str | None, units: str | None
) -> None:
    assert read_units(text) == units


def test_degrees_are_converted_with_their_band_and_gaps_stay_gaps() -> None:
    forecast = VariableForecast(
        unit="degC", value=[-40.0, None, 100.0], lower=[0.0, None, 37.0], upper=[10.0, None, 40.0],
        interval=(0.1, 0.9),
    )  # fmt: skip
    shown = shown_forecast(forecast, FAHRENHEIT)
    assert shown.unit == "°F"
    assert shown.value == [-40.0, None, 212.0]
    assert shown.lower == [32.0, None, pytest.approx(98.6)]
    assert shown.upper == [50.0, None, 104.0]
    assert shown.interval == (0.1, 0.9)


@pytest.mark.parametrize("unit", ["%", "hPa", "K"])
def test_every_other_quantity_keeps_its_unit(unit: str) -> None:
    forecast = VariableForecast(unit=unit, value=[1.0])
    assert shown_forecast(forecast, FAHRENHEIT) is forecast


def test_degrees_celsius_stay_what_they_are() -> None:
    forecast = VariableForecast(unit="degC", value=[1.0])
    assert shown_forecast(forecast, CELSIUS) is forecast
