"""The page at ``/``: choose an area, read the week, see which model answered and why.

Complete without JavaScript; the script only adds the chart. Nothing on it comes from another host,
and its Content-Security-Policy lets nothing in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask

from fairweather_app import forecasts, writing
from fairweather_app.errors import InvalidRequestError, ObservationStoreError, RequestError
from fairweather_app.times import write_time
from fairweather_app.web.assets import asset_url, has_chart_library, send_asset
from fairweather_app.web.local_time import read_reference_time, zone_of
from fairweather_app.web.refusal import (
    IMPORT,
    LOOKED_AT_AGAIN,
    TRAIN,
    how_many,
    in_counts,
    refused_page,
)
from fairweather_app.web.view import forecast_view
from fairweather_app.web.words import sentence

if TYPE_CHECKING:
    from fairweather_app.api.schemas import AreaSummary
    from fairweather_app.app_context import AppContext

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

LONGEST_AREA = 200
"""Names beyond this are cut before anything is asked or shown; no area is called so."""

blueprint = flask.Blueprint("page", __name__, template_folder="templates")


@blueprint.after_request
def lock_down(answer: flask.Response) -> flask.Response:
    """Let the page load nothing but its own files, and be framed by nobody."""
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@blueprint.get("/page/<path:name>")
def asset(name: str) -> flask.Response:
    """One of the page's own files."""
    return send_asset(name)


@blueprint.get("/")
def index() -> tuple[str, int]:
    """The page: a forecast, a refusal, or the choice of areas; always in the same layout."""
    app_context: AppContext = flask.current_app.extensions["fairweather"]
    asked = flask.request.args.get("area", "").strip()[:LONGEST_AREA]
    asked_time = flask.request.args.get("reference_time", "").strip()[:LONGEST_AREA]
    areas: list[AreaSummary] = []
    area = asked
    try:
        areas = forecasts.area_summaries(app_context)
        area = spelled(asked, [each.area for each in areas])
        if not area:
            return _landing_page(app_context, areas), 200
        return _forecast_page(app_context, areas, area, asked_time), 200
    except (RequestError, ObservationStoreError) as error:
        refused = refused_page(error, area)
        page = _render("refused.html", areas, area=area, asked_time=asked_time, refused=refused)
        return page, refused.status


def _landing_page(app_context: AppContext, areas: list[AreaSummary]) -> str:
    return _render(
        "landing.html",
        areas,
        not_ready=app_context.catalogue.snapshot.not_ready,
        looked_at_again=LOOKED_AT_AGAIN,
        train=TRAIN,
        import_command=IMPORT,
    )


def spelled(asked: str, known: list[str]) -> str:
    """The known name that is meant: people type ``jfk``. What nobody knows stays as it is."""
    if asked in known:
        return asked
    alike = [name for name in known if name.casefold() == asked.casefold()]
    return alike[0] if len(alike) == 1 else asked


def _forecast_page(
    app_context: AppContext, areas: list[AreaSummary], area: str, asked_time: str
) -> str:
    summary = next((each for each in areas if each.area == area), None)
    reference_time = _reference_time(asked_time, summary)
    answer = writing.forecast(app_context, area, reference_time=reference_time)
    place = None
    if summary and summary.latitude is not None and summary.longitude is not None:
        place = (summary.latitude, summary.longitude)
    return _render(
        "forecast.html",
        areas,
        area=area,
        asked_time=asked_time,
        view=forecast_view(answer, now=datetime.now(UTC), place=place),
        json_address=json_address(area, reference_time),
    )


def _reference_time(asked_time: str, summary: AreaSummary | None) -> datetime | None:
    if not asked_time:
        return None
    try:
        return read_reference_time(asked_time, zone_of(summary.timezone if summary else None))
    except ValueError as error:
        raise InvalidRequestError([str(error)]) from None


def json_address(area: str, reference_time: datetime | None) -> str:
    """Where programs get the same forecast."""
    query = {"area": area}
    if reference_time:
        query["reference_time"] = write_time(reference_time)
    return f"/weather/predict?{urlencode(query)}"


def _render(template: str, areas: list[AreaSummary], **values: object) -> str:
    return flask.render_template(
        f"fairweather/{template}",
        areas=areas,
        served=[each for each in areas if each.models],
        asset_url=asset_url,
        has_chart=has_chart_library(),
        how_many=how_many,
        in_counts=in_counts,
        sentence=sentence,
        **values,
    )
