"""Make the coverage map: which model ranks first for each area, variable and month.

A row is an area and a variable, a column a month of the year. Each model on the map has a letter,
so that colour carries nothing alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from string import ascii_uppercase

from fairweather_app.catalogue.entries import Entry
from fairweather_app.forecasting.selector import MONTHS, Selector
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import MONTHS as MONTH_NAMES

AREAS_ON_A_PAGE = 20
_SHORT = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One month: the letter of the model that ranks first, empty without one, and its type."""

    month: str
    letter: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One area and variable; `first_of` is how many rows the area has, on its first one only."""

    area: str
    first_of: int
    variable: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEntry:
    """What a letter stands for."""

    letter: str
    delivery_id: str
    model_type: str
    topic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CoverageMap:
    """One page of the map.

    Attributes:
        rows: by area and variable.
        key: what the letters on this page stand for.
        months: the short names of the columns.
        current: the position of the month that forecasts start in at present, from 0.
        observed: areas of this page that are observed, and for which nobody answers.
        uncovered: all others for which nobody answers.
        looked: whether it is known which areas are observed.
        next_after: after which area the next page begins; None on the last one.
    """

    rows: tuple[Row, ...]
    key: tuple[KeyEntry, ...]
    months: tuple[str, ...]
    current: int
    observed: tuple[str, ...]
    uncovered: tuple[str, ...]
    looked: bool
    total: int
    next_after: str | None


def coverage_map(
    selector: Selector,
    areas: Sequence[str],
    *,
    month: int,
    observed: Collection[str] | None = None,
    after: str = "",
) -> CoverageMap:
    """Return a page of the map over `areas`, sorted, beginning after the area `after`.

    `month` is that of now; of the areas in `observed` there are observations, None while that
    cannot be read.
    """
    left = [area for area in areas if area > after]
    page = left[:AREAS_ON_A_PAGE]
    letters = _letters()
    known: dict[str, KeyEntry] = {}
    rows: list[Row] = []
    uncovered = []
    for area in page:
        found = {name: who for name, who in selector.firsts(area).items() if name}
        if not any(entry for by_month in found.values() for entry in by_month):
            uncovered.append(area)
        main_first = sorted(found.items(), key=lambda item: (item[0] != "temperature", item[0]))
        for position, (variable, by_month) in enumerate(main_first):
            cells = [
                _cell(month, entry, known, letters)
                for month, entry in zip(MONTHS, by_month, strict=True)
            ]
            rows.append(
                Row(
                    area=area,
                    first_of=0 if position else len(found),
                    variable=wording.label(variable),
                    cells=tuple(cells),
                )
            )
    return CoverageMap(
        rows=tuple(rows),
        key=tuple(known.values()),
        months=tuple(name[:_SHORT] for name in MONTH_NAMES),
        current=month - 1,
        observed=tuple(area for area in uncovered if area in (observed or ())),
        uncovered=tuple(area for area in uncovered if area not in (observed or ())),
        looked=observed is not None,
        total=len(areas),
        next_after=page[-1] if len(left) > len(page) else None,
    )


def _cell(
    month: int, entry: Entry | None, known: dict[str, KeyEntry], letters: Iterator[str]
) -> Cell:
    name = MONTH_NAMES[month - 1]
    if entry is None or entry.declared is None:
        return Cell(month=name, letter="", name="nobody")
    if entry.delivery_id not in known:
        known[entry.delivery_id] = KeyEntry(
            letter=next(letters),
            delivery_id=entry.delivery_id,
            model_type=entry.declared.model_type,
            topic=entry.declared.topic,
        )
    key = known[entry.delivery_id]
    return Cell(month=name, letter=key.letter, name=key.model_type)


def _letters() -> Iterator[str]:
    """Yield A, B, …, Z, AA, AB, …."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))
