"""Render pages: the values of their layout, and their headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask

from fairweather_app.forecasting.areas import AreaSummary
from fairweather_app.web.layout.assets import asset_url, has_chart_library
from fairweather_app.web.layout.preferences import chosen_units
from fairweather_app.web.layout.units import NAMES, read_units
from fairweather_app.web.layout.wording import how_many, in_counts, sentence, why_command

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render(template: str, areas: Sequence[AreaSummary] = (), **values: object) -> str:
    """Return a page in the layout of all pages; its search box offers `areas`."""
    return flask.render_template(
        f"fairweather/{template}",
        areas=areas,
        served=[each for each in areas if each.models],
        asset_url=asset_url,
        has_chart=has_chart_library(),
        how_many=how_many,
        in_counts=in_counts,
        index_address=index_address,
        sentence=sentence,
        units=chosen_units(),
        units_asked=read_units(flask.request.args.get("units")) is not None,
        unit_names=NAMES,
        why_command=why_command,
        **values,
    )


def index_address(**asked: str | None) -> str:
    """Return the address of the page for a query; units in the current address are kept.

    So the units stay for readers without cookies.
    """
    units = read_units(flask.request.args.get("units"))
    query: dict[str, Any] = ({"units": units} if units else {}) | asked
    return flask.url_for("page.index", **query)


def answer_with(page: str, status: int = 200) -> flask.Response:
    """Return a page as an answer: for this reader alone, and revalidated each time."""
    answer = flask.Response(page, status, content_type="text/html; charset=utf-8")
    answer.cache_control.private = True
    answer.cache_control.no_cache = True
    answer.vary.add("Cookie")
    return lock_down(answer)


def lock_down(answer: flask.Response) -> flask.Response:
    """Let a page load nothing but its own files, and be framed by nobody."""
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


blueprint = flask.Blueprint("page", __name__, template_folder="../templates")
