"""Show the coverage map: which model ranks first for each area, variable and month.

A row is an area and a variable, a column a month of the year. Each model on the map has a letter,
so that colour carries nothing alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain, count, product
from string import ascii_uppercase
from typing import Any

import flask
from fairweather_interface.names import LONGEST_NAME, plain_name

from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.errors import ObservationStoreError
from fairweather_app.forecasting.areas import defined_areas
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.web.layout import wording
from fairweather_app.web.layout.local_time import MONTHS
from fairweather_app.web.layout.page import describe_page
from fairweather_app.web.layout.rendering import answer_with, render

AREAS_ON_A_PAGE = 20


@describe_page(parameters=("coverage:q", "coverage:after"))
def coverage_page() -> flask.Response:
    """Show the best model for each area, variable and month, and the areas without one.

    Areas that are only observed are left out while the observations cannot be read.
    """
    app_context = current_context()
    contents = app_context.catalogue.snapshot.contents
    asked = plain_name(flask.request.args.get("q", ""))[:LONGEST_NAME]
    after = flask.request.args.get("after", "")[:LONGEST_NAME]
    observed: frozenset[str] | None
    try:
        observed = frozenset(app_context.windows.areas())
        month = app_context.clock("").month  # that forecasts start in now
    except ObservationStoreError:  # the map is drawn all the same
        observed, month = None, datetime.now(UTC).month
    names = sorted(set(contents.declaring).union(defined_areas(), observed or ()))
    chosen = [name for name in names if asked.casefold() in name.casefold()]
    left = [name for name in chosen if name > after]
    areas = left[:AREAS_ON_A_PAGE]
    rows, key = map_rows(app_context, contents, areas)
    covered = {row["area"] for row in rows if any(row["months"])}
    missing = [area for area in areas if area not in covered]
    page = render(
        "coverage.html",
        rows=rows,
        key=key,
        entries=contents.entries,
        months=MONTHS,
        current=month - 1,
        observed=[area for area in missing if area in (observed or ())],
        uncovered=[area for area in missing if area not in (observed or ())],
        observed_known=observed is not None,
        total=len(chosen),
        next_after=areas[-1] if len(left) > len(areas) else None,
        asked=asked,
        after=after,
    )
    return answer_with(page)


def map_rows(
    app_context: AppContext, contents: Contents, areas: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the rows of some areas, in their order, and the letters of models by delivery id.

    A row is an area and a variable: ``months`` are the models that rank first, None where no model
    is valid; ``first_of`` is how many rows the area has, on its first one only.
    """
    letters = map(
        "".join, chain.from_iterable(product(ascii_uppercase, repeat=k) for k in count(1))
    )
    key: dict[str, str] = {}
    rows = []
    for area in areas:
        found = {
            name: each
            for name, each in app_context.selectors.of(contents).firsts(area).items()
            if name
        }
        main_first = sorted(found.items(), key=lambda item: (item[0] != wording.MAIN, item[0]))
        for position, (variable, by_month) in enumerate(main_first):
            for entry in by_month:
                if entry is not None and entry.delivery_id not in key:
                    key[entry.delivery_id] = next(letters)
            rows.append(
                {
                    "area": area,
                    "first_of": 0 if position else len(found),
                    "variable": wording.label(variable, contents.variables),
                    "months": by_month,
                }
            )
    return rows, key
