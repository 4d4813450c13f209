"""Render pages: the values of their layout, and their headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask

from fairweather_app.errors import ObservationStoreError
from fairweather_app.forecasting.areas import AreaSummary, area_summaries
from fairweather_app.forecasting.context import current_context
from fairweather_app.text import escape_unseen
from fairweather_app.web.layout.assets import has_chart_library
from fairweather_app.web.layout.preferences import NAMES, chosen_units, read_units

MOST_OFFERED = 1000
"""Areas that a page lists."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render(template: str, areas: Sequence[AreaSummary] | None = None, **values: object) -> str:
    """Return a page in the layout of all pages.

    `areas` are what its search box offers, the first `MOST_OFFERED` of them: those the app knows,
    by default; none while the observations cannot be read.
    """
    if areas is None:
        try:
            context = current_context()
            areas = area_summaries(context.catalogue.snapshot.contents, context.windows)
        except ObservationStoreError:
            areas = []
    covered = [each for each in areas if each.models]
    return flask.render_template(
        f"fairweather/{template}",
        areas=areas[:MOST_OFFERED],
        covered=covered[:MOST_OFFERED],
        uncounted=max(len(covered) - MOST_OFFERED, 0),
        has_chart=has_chart_library(),
        units=chosen_units(),
        units_asked=read_units(flask.request.args.get("units")) is not None,
        unit_names=NAMES,
        **values,
    )


def index_address(**query: str | None) -> str:
    """Return the address of the forecast page for a query, with the units of this address."""
    units = read_units(flask.request.args.get("units"))
    asked: dict[str, Any] = ({"units": units} if units else {}) | query
    return flask.url_for("page.index", **asked)


def answer_with(page: str, status: int = 200) -> flask.Response:
    """Return a page as an answer: for this reader alone, revalidated each time, no mark unseen."""
    answer = flask.Response(escape_unseen(page), status, content_type="text/html; charset=utf-8")
    answer.cache_control.private = True
    answer.cache_control.no_cache = True
    answer.vary.add("Cookie")
    return lock_down(answer)


def lock_down(answer: flask.Response) -> flask.Response:
    """Let a page load nothing but its own files, and no other page frame it."""
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
