"""Charts of the model card: small SVG drawings that live inside the page.

An SVG element inside the page takes colours and fonts from the page's own style, so that one
drawing serves light, dark and print. Colour never carries meaning alone: lines differ in dashes,
marks in shape. Classes name the meaning of a stroke; ``card.html.j2`` styles them.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH, HEIGHT = 440.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 30.0, 38.0
_LETTER = 6.4  # the width of a letter in a legend, near enough
_MARK = 3.4

Numbers: TypeAlias = Sequence[float]


@dataclass(frozen=True)
class Axis:
    """A stretch of values, its name, and where its ticks stand, with their labels."""

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    @classmethod
    def fitting(
        cls, name: str, *values: float, include: Sequence[float] = (), room: float = 0.05
    ) -> Axis:
        """Return the axis on which all values that are numbers fit, with room and round ticks."""
        known = [value for value in (*values, *include) if math.isfinite(value)]
        low, high = min(known), max(known)
        wide = (high - low) or max(abs(high), 1.0)
        low, high = low - room * wide, high + room * wide
        if include:
            low = max(low, min(include)) if min(known) >= min(include) else low
        return cls(name, low, high, [(tick, label(tick)) for tick in ticks(low, high)])


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers inside a stretch, at most ``most`` of them.

    >>> ticks(0.3, 4.2)
    [1.0, 2.0, 3.0, 4.0]
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * n, 10) + 0.0 for n in range(first, math.floor(high / step + 1e-9) + 1)]


def label(value: float) -> str:
    """Format a number for an axis, with a true minus sign."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


class Chart:
    """One drawing: what is drawn first lies below. Values are in the units of its axes.

    ``kind`` is the class of a stroke; what has a ``name`` stands in the legend.
    """

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x, self._y = x, y
        self._parts = list(self._frame())
        self._legend: dict[str, tuple[str, str]] = {}  # name -> kind and shape

    def area(self, xs: Numbers, low: Numbers, high: Numbers, kind: str, name: str = "") -> None:
        """Fill what lies between two lines."""
        there = [*zip(xs, high, strict=True), *list(zip(xs, low, strict=True))[::-1]]
        self._add(f'class="{kind}" d="{self._path(there)}Z"', name, kind, "fill")

    def line(self, xs: Numbers, ys: Numbers, kind: str, name: str = "", mark: str = "") -> None:
        """Draw a line through points, broken where a value is missing, with ``marks`` if asked."""
        runs: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                runs[-1].append((x, y))
            elif runs[-1]:
                runs.append([])
        drawn = "".join(self._path(run) for run in runs if run)
        self._add(f'class="line {kind}" d="{drawn}"', name, kind, mark)
        if mark:
            self.marks(xs, ys, kind, name, mark)

    def marks(self, xs: Numbers, ys: Numbers, kind: str, name: str, mark: str) -> None:
        """Set a mark at every point that is there: ``dot``, ``square`` or ``triangle``."""
        drawn = "".join(
            _mark(*self._at(x, y), mark) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)
        )
        self._add(f'class="mark {kind}" d="{drawn}"', name, kind, mark)

    def level(self, y: float, kind: str, name: str = "") -> None:
        """Draw a line from side to side."""
        self.line((self._x.low, self._x.high), (y, y), kind, name)

    def wall(self, x: float, kind: str, text: str, *, leftwards: bool = False) -> None:
        """Draw a line from bottom to top, with a word beside it."""
        self.line((x, x), (self._y.low, self._y.high), kind)
        across, up = self._at(x, self._y.high)
        side = "end" if leftwards else "start"
        self._parts.append(_words(across + (-4 if leftwards else 4), up + 10, text, side))

    def _add(self, path: str, name: str, kind: str, shape: str) -> None:
        self._parts.append(f"<path {path}/>")
        if name:
            self._legend[name] = (kind, shape)

    def svg(self, described_by: str) -> str:
        """Return the drawing; the element of the page with that id describes it."""
        drawn = "".join((*self._parts, *self._key()))
        return (
            f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
            f'aria-labelledby="{described_by}">{drawn}</svg>'
        )

    def _frame(self) -> Iterator[str]:
        left, bottom, right = _LEFT, HEIGHT - _BOTTOM, WIDTH - _RIGHT
        rows = [(self._at(self._x.low, value)[1], text) for value, text in self._y.ticks]
        columns = [(self._at(value, self._y.low)[0], text) for value, text in self._x.ticks]
        grid = "".join(f"M{left:g} {_short(y)}H{right:g}" for y, _ in rows)
        marks = "".join(f"M{_short(x)} {bottom:g}v4" for x, _ in columns)
        yield f'<path class="grid" d="{grid}"/>'
        yield f'<path class="axis" d="M{left:g} {bottom:g}H{right:g}{marks}"/>'
        yield f'<g class="end">{"".join(_words(left - 6, y + 4, text) for y, text in rows)}</g>'
        named = "".join(_words(x, bottom + 16, text) for x, text in columns)
        yield f'<g class="middle">{named}'
        yield f"{_words((left + right) / 2, HEIGHT - 5, self._x.name, 'name')}</g>"
        yield _words(2, 11, self._y.name, "name")

    def _key(self) -> Iterator[str]:
        """Draw the legend beside the name of the vertical axis, from the right edge leftwards."""
        x = WIDTH - _RIGHT
        for text, (kind, shape) in reversed(self._legend.items()):
            x -= _LETTER * len(text)
            yield _words(x, 11, text)
            x -= 24
            if shape == "fill":
                yield f'<path class="{kind}" d="M{_short(x)} 3h18v9h-18z"/>'
            else:
                yield f'<path class="line {kind}" d="M{_short(x)} 7.5h18"/>'
                if shape:
                    yield f'<path class="mark {kind}" d="{_mark(x + 9, 7.5, shape)}"/>'
            x -= 12

    def _at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self._x.low) / (self._x.high - self._x.low)
        up = (y - self._y.low) / (self._y.high - self._y.low)
        return (
            _LEFT + across * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        """Return a path in steps from point to point, each rounded where it stands."""
        last: tuple[int, int] | None = None
        drawn = []
        for point in points:
            x, y = (round(10 * value) for value in self._at(*point))
            if last is None:
                drawn.append(f"M{_short(x / 10)} {_short(y / 10)}l")
            else:
                drawn.append(f"{_short((x - last[0]) / 10)} {_short((y - last[1]) / 10)}")
            last = (x, y)
        if len(drawn) == 1:
            drawn.append("0 0")
        return drawn[0] + " ".join(drawn[1:]).replace(" -", "-")


def _mark(x: float, y: float, shape: str) -> str:
    if shape == "square":
        return f"M{_short(x - 3)} {_short(y - 3)}h6v6h-6z"
    if shape == "triangle":
        return f"M{_short(x)} {_short(y - 4)}l4 7h-8z"
    around = f"a{_MARK:g} {_MARK:g} 0 1 0"
    return f"M{_short(x - _MARK)} {_short(y)}{around} {2 * _MARK:g} 0{around} {-2 * _MARK:g} 0z"


def _words(x: float, y: float, text: str, kind: str = "") -> str:
    classes = f' class="{kind}"' if kind else ""
    return f'<text{classes} x="{_short(x)}" y="{_short(y)}">{html.escape(text)}</text>'


def _short(value: float) -> str:
    """Format a coordinate to a tenth, in as few letters as possible."""
    text = f"{value:.1f}".removesuffix(".0")
    if text.startswith("0."):
        return text[1:]
    return f"-{text[2:]}" if text.startswith("-0.") else "0" if text == "-0" else text
