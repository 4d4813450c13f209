"""The still drawing: the chart as SVG, for a page without JavaScript and until the script draws.

Across it is measured in per cent of whatever width there is, up and down in pixels; texts keep
their size on a phone. Colours are the style sheet's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fairweather_app.web import words

FIRST, OTHER, GAP, TOP, BOTTOM = 230, 120, 50, 36, 30
"""Pixels: the height of the first panel and of the others, and the room around them."""

WIDE = 1000.0
"""Units that a path has from the left to the right end."""

_TONES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One variable's panel; paths in units of `WIDE` by pixels."""

    label: str
    unit: str
    tone: int
    top: int
    height: int
    ticks: tuple[tuple[float, str], ...]
    band: str
    line: str
    recent: str
    came: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What the template draws: positions across in per cent, up and down in pixels."""

    height: int
    panels: tuple[Panel, ...]
    nights: tuple[tuple[float, float], ...]
    midnights: tuple[float, ...]
    days: tuple[tuple[float, str], ...]
    start: float | None
    now: float | None


def draw(numbers: Mapping[str, Any]) -> Drawing | None:
    """The drawing of a chart's numbers; None when there is nothing to draw."""
    if not numbers["time"] or not numbers["series"]:
        return None
    begin: int = numbers["begin"]
    length: int = numbers["end"] - begin

    def across(at: float) -> float:
        return round(100 * (at - begin) / length, 2)

    panels = []
    top = TOP
    for position, series in enumerate(numbers["series"]):
        height = OTHER if position else FIRST
        panels.append(_panel(series, numbers, position % _TONES, top, height))
        top += height + GAP
    return Drawing(
        height=top - GAP + BOTTOM,
        panels=tuple(panels),
        nights=tuple((across(dusk), round(across(dawn) - across(dusk), 2))
                     for dusk, dawn in numbers["nights"]),
        midnights=tuple(across(at) for at in numbers["midnights"]),
        days=tuple(
            (across(day["at"]), day["name"])
            for day in numbers["days"]
            if begin <= day["at"] <= numbers["end"]
        ),
        start=across(numbers["start"]) if numbers["start"] > begin else None,
        now=None if numbers["now"] is None else across(numbers["now"]),
    )  # fmt: skip


def _panel(
    series: Mapping[str, Any], numbers: Mapping[str, Any], tone: int, top: int, height: int
) -> Panel:
    begin, length = numbers["begin"], numbers["end"] - numbers["begin"]
    low, high = series["low"], series["high"]

    def points(times: Sequence[int], values: Sequence[float | None]) -> list[str | None]:
        return [
            None
            if value is None
            else f"{WIDE * (at - begin) / length:.1f} {height * (high - value) / (high - low):.1f}"
            for at, value in zip(times, values, strict=True)
        ]

    times, past = numbers["time"], numbers["past"]
    count = round((high - low) / series["step"])
    digits = 0 if float(series["step"]).is_integer() else 1
    ticks = tuple(
        (
            round(height * (1 - k / count), 1),
            words.number(low + k * series["step"], digits),
        )
        for k in range(count + 1)
    )
    band = ""
    if series["lower"] and series["upper"]:
        band = _closed(points(times, series["lower"]), points(times, series["upper"]))
    return Panel(
        label=series["label"],
        unit=series["unit"],
        tone=tone,
        top=top,
        height=height,
        ticks=ticks,
        band=band,
        line=_open(points(times, series["value"])),
        recent=_open(points(past, series["recent"])) if series["recent"] else "",
        came=_open(points(times, series["came"])) if series["came"] else "",
    )


def _stretches(points: Sequence[str | None]) -> Iterator[list[str]]:
    """What lies between missing values."""
    for known, group in groupby(points, key=lambda each: each is not None):
        if known:
            yield [each for each in group if each is not None]


def _open(points: Sequence[str | None]) -> str:
    """A line, broken where values are missing."""
    return "".join(f"M{'L'.join(each)}" for each in _stretches(points))


def _closed(lower: Sequence[str | None], upper: Sequence[str | None]) -> str:
    """The ground between two lines, where both have values."""
    both = [
        None if low is None or high is None else f"{low}|{high}"
        for low, high in zip(lower, upper, strict=True)
    ]
    parts = []
    for stretch in _stretches(both):
        pairs = [each.split("|") for each in stretch]
        there = "L".join(high for _, high in pairs)
        back = "L".join(low for low, _ in reversed(pairs))
        parts.append(f"M{there}L{back}Z")
    return "".join(parts)
