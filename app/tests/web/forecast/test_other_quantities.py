"""A page about something else than weather: its words and its numbers follow the variable's row."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fairweather_app.web.forecast.chart import scale
from fairweather_app.web.layout import wording
from pages import BROWSER, EVENING, Deliver, MakeApp, Reader, read

VIBRATION = {"unit": "mm s-1", "minimum": 0.0, "maximum": 50.0, "label": "Vibration"}
RISK = {"unit": "1", "minimum": 0.0, "maximum": 1.0, "label": "Risk of failure"}
WEATHER = re.compile(r"weather\b(?<!fairweather)|warm|cold|sunrise|sunset|night|°", re.IGNORECASE)


@pytest.fixture
def pages(make_app: MakeApp, tiny_delivery: Deliver, tmp_path: Path) -> dict[str, Reader]:
    """Return the pages of a pump: of its forecast, its model, and where one begins."""
    rows = {"vibration": VIBRATION, "failure_risk": RISK}
    delivery = tiny_delivery(
        areas=("JFK",),
        variables=tuple(rows),
        declared_variables=rows,
        samples=48,
        training={"train_end_time": "2013-10-01T00:00:00Z", "synthetic": True},
    )
    lines = ["area,time,variable,unit,value"]
    for hour in range(48):
        time = (EVENING - hour * timedelta(hours=1)).isoformat()
        lines.append(f"JFK,{time},vibration,mm s-1,{2 + 0.1 * (hour % 24):.1f}")
        lines.append(f"JFK,{time},failure_risk,1,{0.04 + 0.001 * hour:.3f}")
    (tmp_path / "pumps.csv").write_text("\n".join(lines) + "\n")
    app = make_app()
    command = ["observations", "import", str(tmp_path / "pumps.csv")]
    assert app.test_cli_runner().invoke(args=command).exit_code == 0
    client = app.test_client()
    addresses = {"forecast": "/?area=JFK", "model": f"/models/{delivery.name}", "start": "/"}
    return {
        name: read(client.get(path, headers={"Accept": BROWSER}))
        for name, path in addresses.items()
    }


def test_no_page_speaks_of_weather(pages: dict[str, Reader]) -> None:
    assert "Vibration" in pages["forecast"].text
    assert "synthetic: trained on simulated data" in pages["forecast"].text
    for page in pages.values():
        assert WEATHER.findall(page.text) == []


def test_only_degrees_can_be_switched_and_only_weather_has_nights(
    pages: dict[str, Reader], winter_week: Any
) -> None:
    weather = read(winter_week.get("/?area=JFK"))
    for page, expected in ((pages["forecast"], False), (weather, True)):
        (chart,) = (json.loads(each) for each in page.scripts if each.strip().startswith("{"))
        assert bool(chart["nights"]) is expected
        assert any(each.get("aria-label") == "Units" for each in page.all("nav")) is expected
        assert ("sunrise" in page.text) is expected


def test_numbers_have_the_digits_of_their_range_and_units_as_people_write_them(
    pages: dict[str, Reader],
) -> None:
    text = pages["forecast"].text
    assert "vibration 2.0 to 4.3 mm/s, risk of failure 0.060 to 0.083." in text
    assert "mm s-1" not in text


def test_what_a_delivery_leaves_out_is_not_shown(pages: dict[str, Reader]) -> None:
    for page in pages.values():
        assert "None" not in page.text.replace("None are declared.", "")
    assert "up to 1 October 2013" in pages["model"].text


@pytest.mark.parametrize(
    ("unit", "symbol"),
    [("mm s-1", "mm/s"), ("1", ""), ("W m-2", "W m-2"), ("kg m-2 s-1", "kg m-2 s-1"), ("MW", "MW")],
)
def test_a_unit_is_written_as_people_do(unit: str, symbol: str) -> None:
    assert wording.symbol("something", unit) == symbol
    assert wording.quantity(0.25, symbol, 2).split() == ["0.25", *symbol.split()]


def test_an_axis_is_as_fine_as_what_the_variable_can_be() -> None:
    assert scale([0.03, 0.05], most=7, least=0.02) == (0.03, 0.05, 0.005)
    assert scale([0.03, 0.05], most=7) == (-0.6, 0.6, 0.2)
