"""Answer at ``/``: with a forecast, a refusal, or the choice of areas.

Words and tables are whole without JavaScript; the script draws the chart. Nothing comes from
another host, and the Content-Security-Policy allows nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import flask

from fairweather_app.api.forecast_response import current_responses
from fairweather_app.api.operation import Operation
from fairweather_app.api.request_log import current_trace
from fairweather_app.common.times import write_time
from fairweather_app.errors import (
    InvalidRequestError,
    NoApplicableModelError,
    ObservationStoreError,
    RequestError,
)
from fairweather_app.forecasting.areas import AreaSummary, area_summaries
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.web.forecast.observed import observe
from fairweather_app.web.forecast.provenance import answering
from fairweather_app.web.forecast.refusal import IMPORT, LOOKED_AT_AGAIN, TRAIN, refused_page
from fairweather_app.web.forecast.suggestions import Suggestion, suggest
from fairweather_app.web.forecast.view import forecast_view
from fairweather_app.web.layout.assets import send_asset
from fairweather_app.web.layout.local_time import moment, read_reference_time, zone_of
from fairweather_app.web.layout.preferences import chosen_units, remember, remembered_area
from fairweather_app.web.layout.rendering import (
    answer_with,
    blueprint,
    index_address,
    lock_down,
    render,
)
from fairweather_app.web.layout.units import read_units

LONGEST_AREA = 200
"""Names beyond this are cut before anything is asked or shown; no area is called so."""


@blueprint.after_request
def _lock_down(answer: flask.Response) -> flask.Response:
    return lock_down(answer)


@blueprint.get("/page/<path:name>")
def asset(name: str) -> flask.Response:
    """One of the page's own files."""
    return send_asset(name)


@blueprint.get("/")
@Operation(
    name="forecast_page",
    summary="The week for an area, or the choice of areas.",
    tag="pages",
    answer="text/html",
    means="The page.",
    headers={"Content-Security-Policy": "Content-Security-Policy"},
    parameters=("page:area", "page:reference_time", "page:units"),
    also={
        302: "To the area that was read last.",
        400: "It cannot be read.",
        404: "Nobody knows the area.",
        422: "No model may answer, and why; or it cannot be asked.",
        503: "Observations are missing or cannot be read, or nothing is ready yet.",
    },
)
def index() -> flask.Response:
    """Answer with a forecast, a refusal, or the choice of areas.

    Without an area in the address, redirect to the one that was read last, with the rest of the
    address.
    """
    app_context = current_context()
    asked = flask.request.args.get("area", "").strip()[:LONGEST_AREA]
    asked_time = flask.request.args.get("reference_time", "").strip()[:LONGEST_AREA]
    areas: list[AreaSummary] = []
    area = asked
    try:
        areas = area_summaries(app_context.catalogue.snapshot.contents, app_context.windows)
        known = [each.area for each in areas]
        area = spelled(asked, known)
        if not area:
            last = remembered_area()
            if "area" not in flask.request.args and last in known:
                return _remember_units(_lead_to(last, asked_time))
            return _remember_units(answer_with(_landing_page(app_context, areas)))
        page = _forecast_page(app_context, areas, area, asked_time)
    except (RequestError, ObservationStoreError) as error:
        return _refuse(error, app_context, areas, area, asked_time)
    answer = _remember_units(answer_with(page))
    remember(answer, area=area)
    return answer


def _lead_to(area: str, asked_time: str) -> flask.Response:
    answer = flask.Response(status=302)
    answer.location = index_address(**_address(area, asked_time))
    answer.cache_control.no_store = True
    answer.vary.add("Cookie")
    return answer


def _remember_units(answer: flask.Response) -> flask.Response:
    remember(answer, units=read_units(flask.request.args.get("units")))
    return answer


def _landing_page(app_context: AppContext, areas: list[AreaSummary]) -> str:
    return render(
        "landing.html",
        areas,
        not_ready=app_context.catalogue.snapshot.not_ready,
        looked_at_again=LOOKED_AT_AGAIN,
        train=TRAIN,
        import_command=IMPORT,
    )


def spelled(asked: str, known: list[str]) -> str:
    """Return the known name that differs in case alone (``jfk``), else the name as it was given."""
    if asked in known:
        return asked
    alike = [name for name in known if name.casefold() == asked.casefold()]
    return alike[0] if len(alike) == 1 else asked


def _forecast_page(
    app_context: AppContext, areas: list[AreaSummary], area: str, asked_time: str
) -> str:
    summary = {each.area: each for each in areas}.get(area)
    reference_time = _reference_time(asked_time, summary)
    request = ForecastRequest(area=area, reference_time=reference_time)
    answer = current_responses().forecast(request, current_trace())
    latest = summary.latest_observation if summary else None
    place = None
    if summary and summary.latitude is not None and summary.longitude is not None:
        place = (summary.latitude, summary.longitude)
    view = forecast_view(
        answer,
        now=datetime.now(UTC),
        place=place,
        units=chosen_units(),
        observed=observe(app_context.windows, answer, latest),
        latest=latest,
        asked=bool(asked_time),
        answering=answering(app_context, answer),
    )
    return render(
        "forecast.html",
        areas,
        area=area,
        asked_time=asked_time,
        asked_start=view.reference_wall_clock if asked_time else "",
        view=view,
        week_earlier=write_time(answer.reference_time - timedelta(days=7)),
        json_address=json_address(area, reference_time),
        here=_address(area, asked_time),
    )


def _refuse(
    error: RequestError | ObservationStoreError,
    app_context: AppContext,
    areas: list[AreaSummary],
    area: str,
    asked_time: str,
) -> flask.Response:
    """Answer with a refusal: what was asked, the reasons, and what can be asked instead."""
    refused = refused_page(error, area)
    summary = {each.area: each for each in areas}.get(area)
    asked_words = asked_time
    suggestions: tuple[Suggestion, ...] = ()
    if isinstance(error, NoApplicableModelError) and summary and summary.models:
        zone = zone_of(summary.timezone)
        time = _reference_time(asked_time, summary)
        asked_words = moment(time, zone) if time else ""
        try:
            suggestions = suggest(
                app_context, area, asked=time, latest=summary.latest_observation, zone=zone
            )
        except ObservationStoreError as failed:
            return answer_with(
                render("refused.html", areas, area=area, refused=refused_page(failed, area)), 503
            )
    page = render(
        "refused.html",
        areas,
        area=area,
        asked_time=asked_time,
        asked_words=asked_words,
        refused=refused,
        suggestions=suggestions,
        here=_address(area, asked_time),
    )
    return answer_with(page, refused.status)


def _reference_time(asked_time: str, summary: AreaSummary | None) -> datetime | None:
    if not asked_time:
        return None
    try:
        return read_reference_time(asked_time, zone_of(summary.timezone if summary else None))
    except ValueError as error:
        raise InvalidRequestError([str(error)]) from None


def _address(area: str, asked_time: str) -> dict[str, str]:
    """Return the query of this address, for links that change one thing of it."""
    return {"area": area} | ({"reference_time": asked_time} if asked_time else {})


def json_address(area: str, reference_time: datetime | None) -> str:
    """Return the address of the same forecast as JSON."""
    query: dict[str, Any] = {"area": area}
    if reference_time:
        query["reference_time"] = write_time(reference_time)
    return flask.url_for("api.predict_from_query", **query)
