"""The chart's scale, and the drawing that needs no script."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.web.chart import scale
from fairweather_app.web.drawing import draw

HOUR = 3_600_000


def numbers(**series: Any) -> dict[str, Any]:
    """Four hours, of which two lie before the start."""
    return {
        "begin": 0,
        "start": 2 * HOUR,
        "end": 4 * HOUR,
        "now": None,
        "time": [3 * HOUR, 4 * HOUR],
        "past": [HOUR, 2 * HOUR],
        "days": [{"at": HOUR, "name": "Fri\N{NO-BREAK SPACE}20"}, {"at": 9 * HOUR, "name": "x"}],
        "midnights": [HOUR],
        "nights": [[0, HOUR]],
        "series": [
            {
                "label": "Temperature",
                "unit": "°C",
                "low": 0.0,
                "high": 10.0,
                "step": 5.0,
                "value": [0.0, 10.0],
                "lower": None,
                "upper": None,
                "recent": [],
                "came": [],
            }
            | series
        ],
    }


def test_a_line_goes_from_left_to_right_and_from_low_to_high() -> None:
    drawing = draw(numbers())
    assert drawing is not None
    (panel,) = drawing.panels
    assert panel.line == f"M750.0 {panel.height:.1f}L1000.0 0.0"
    assert [text for _, text in panel.ticks] == ["0", "5", "10"]
    assert [at for at, _ in panel.ticks] == [panel.height, panel.height / 2, 0]
    assert (drawing.start, drawing.now) == (50.0, None)
    assert drawing.nights == ((0.0, 25.0),)
    assert drawing.days == ((25.0, "Fri\N{NO-BREAK SPACE}20"),)


def test_a_line_breaks_where_values_are_missing() -> None:
    drawing = draw(numbers(recent=[1.0, None], value=[None, 5.0]))
    assert drawing is not None
    assert drawing.panels[0].recent.count("M") == 1
    assert drawing.panels[0].line.startswith("M1000.0")


def test_a_band_is_a_closed_ground_between_its_bounds() -> None:
    drawing = draw(numbers(lower=[0.0, 5.0], upper=[5.0, 10.0]))
    assert drawing is not None
    height = drawing.panels[0].height
    middle = f"{height / 2:.1f}"
    assert drawing.panels[0].band == (
        f"M750.0 {middle}L1000.0 0.0L1000.0 {middle}L750.0 {height:.1f}Z"
    )


def test_without_values_there_is_nothing_to_draw() -> None:
    assert draw(numbers() | {"time": []}) is None
    assert draw(numbers() | {"series": []}) is None


@given(st.lists(st.floats(-120, 1100), min_size=1), st.sampled_from([3, 5]))
def test_a_scale_holds_every_value_between_round_ends(values: list[float], most: int) -> None:
    low, high, step = scale(values, most=most)
    assert low <= min(values)
    assert max(values) <= high
    assert 1 <= round((high - low) / step) <= most
    assert low / step == pytest.approx(round(low / step), abs=1e-6)


def test_a_scale_without_values_is_a_scale_all_the_same() -> None:
    assert scale([None], most=5) == (0.0, 1.0, 0.2)
