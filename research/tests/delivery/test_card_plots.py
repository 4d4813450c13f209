"""Drawings of the card: small, whole, and the same for every reader."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fairweather_research.delivery.card import plots
from fairweather_research.delivery.card.svg import Axis, Chart, label, ticks

SQUARE = Axis("x", 0.0, 10.0, ((0.0, "0"), (10.0, "10")))


def chart() -> Chart:
    return Chart(SQUARE, SQUARE)


def drawn(made: Chart) -> ET.Element:
    return ET.fromstring(made.svg("caption"))  # noqa: S314 - our own


def paths(made: Chart, kind: str) -> list[str]:
    return [path.attrib["d"] for path in drawn(made).iter("path") if path.attrib["class"] == kind]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.3, 4.2, [1.0, 2.0, 3.0, 4.0]),
        (-0.4, 0.4, [-0.4, -0.2, 0.0, 0.2, 0.4]),
        (980.0, 1040.0, [980.0, 990.0, 1000.0, 1010.0, 1020.0, 1030.0, 1040.0]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected
    assert all(math.copysign(1, tick) > 0 for tick in ticks(low, high) if tick == 0)


def test_a_number_has_a_true_minus_sign() -> None:
    assert label(-2.5) == "\N{MINUS SIGN}2.5"


@pytest.mark.parametrize("values", [(3.0, 3.0), (0.0, 0.0), (-5.0, math.nan)])
def test_values_that_are_all_the_same_have_a_stretch_around_them(
    values: tuple[float, ...],
) -> None:
    span = Axis.fitting("x", *values)
    assert span.low < values[0] < span.high
    assert span.ticks


def test_a_stretch_from_nothing_up_begins_at_nothing() -> None:
    assert Axis.fitting("x", 1.0, 4.0, include=(0.0,)).low == 0.0


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    made = chart()
    made.line([0.0, 1.0, 2.0, 3.0], [1.0, math.nan, 2.0, 3.0], "model")
    (path,) = paths(made, "line model")
    assert path.count("M") == 2
    made = chart()
    made.marks([0.0, 1.0], [math.nan, 5.0], "model", "a name", "dot")
    assert paths(made, "mark model")[0].count("M") == 1


def test_steps_of_a_path_end_where_its_last_point_lies() -> None:
    made = chart()
    xs = [n * 10 / 997 for n in range(998)]
    made.line(xs, [x / 3 for x in xs], "model")
    numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", paths(made, "line model")[0])]
    assert sum(numbers[0::2]) == pytest.approx(428.0, abs=0.2)  # the right edge of the plot


def test_text_of_others_cannot_become_markup() -> None:
    made = Chart(replace(SQUARE, name="<script>"), replace(SQUARE, name='"&'))
    made.line([0.0], [1.0], "model", "<b>")
    made.wall(5.0, "bound", "<i>")
    texts = [text.text for text in drawn(made).iter("text")]
    assert {"<script>", '"&', "<b>", "<i>"} <= set(texts)
    assert not list(drawn(made).iter("script"))


def test_a_drawing_names_no_colour_and_no_address() -> None:
    made = chart()
    made.level(5.0, "bound", "a level")
    made.area([0.0, 1.0], [1.0, 1.0], [2.0, 2.0], "band")
    text = made.svg("caption")
    assert not re.search(r"#[0-9a-f]{3}|rgb|url|href|style=|xmlns", text)
    assert len(text) < 2500


def test_days_begin_at_local_midnight_also_where_clocks_change() -> None:
    zone = ZoneInfo("America/New_York")
    begin = int(datetime(2013, 3, 9, 12, tzinfo=UTC).timestamp())
    found = list(plots._moments(begin, begin + 4 * 86400, zone))
    assert [name for _, name in found] == ["10 Mar", "11 Mar", "12 Mar", "13 Mar"]
    assert found[1][0] - found[0][0] == 23 * 3600
    assert all(datetime.fromtimestamp(at, tz=zone).hour == 0 for at, _ in found)


def test_a_day_or_two_are_told_by_hours_and_months_by_a_few_dates() -> None:
    begin = int(datetime(2013, 6, 1, 2, tzinfo=UTC).timestamp())
    hours = [name for _, name in plots._moments(begin, begin + 86400, ZoneInfo("UTC"))]
    assert hours == ["06:00", "12:00", "18:00", "2 Jun"]
    assert len(list(plots._moments(begin, begin + 60 * 86400, ZoneInfo("UTC")))) <= 8
