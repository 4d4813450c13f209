"""Answer at ``/``: with a forecast, a refusal, or the choice of areas.

Words and tables are whole without JavaScript; the script draws the chart. Nothing comes from
another host, and the Content-Security-Policy allows nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import flask
from fairweather_interface.names import LONGEST_NAME, plain_name

from fairweather_app import errors
from fairweather_app.api.forecast_response import current_responses
from fairweather_app.api.request_log import current_trace
from fairweather_app.api.schemas import Forecast
from fairweather_app.common.times import write_time
from fairweather_app.forecasting.areas import AreaSummary, area_summaries, find_place
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.web.forecast import refusal
from fairweather_app.web.forecast.observed import observe
from fairweather_app.web.forecast.provenance import describe
from fairweather_app.web.forecast.view import forecast_view
from fairweather_app.web.layout import local_time
from fairweather_app.web.layout.page import describe_page
from fairweather_app.web.layout.preferences import chosen_units, keep_preferences, last_area
from fairweather_app.web.layout.rendering import answer_with, index_address, render


@describe_page(
    parameters=("page:area", "page:reference_time", "page:units"),
    also={
        302: "To the area that was read last.",
        400: "The request is not valid.",
        404: "The area is unknown.",
        422: "No model can be used, and why; or the request is not valid.",
        503: "Observations are missing or cannot be read, or no model is loaded yet.",
    },
)
def forecast_page() -> flask.Response:
    """Show the forecast for an area, the reasons why there is none, or the choice of areas."""
    app_context = current_context()
    area = plain_name(flask.request.args.get("area", ""))[:LONGEST_NAME]
    asked_time = flask.request.args.get("reference_time", "").strip()[:LONGEST_NAME]
    areas: list[AreaSummary] = []
    try:
        areas = area_summaries(app_context.catalogue.snapshot.contents, app_context.windows)
        known = [each.area for each in areas]
        alike = [name for name in known if name.casefold() == area.casefold()]
        if len(alike) == 1:  # ``jfk`` is JFK
            area = alike[0]
        if not area:
            last = last_area()
            if "area" not in flask.request.args and last in known:
                answer = flask.Response(status=302)
                answer.location = index_address(**_query(last, asked_time))
                answer.cache_control.no_store = True
                answer.vary.add("Cookie")
                return keep_preferences(answer)
            not_ready = app_context.catalogue.snapshot.not_ready
            commands = {
                "train": refusal.TRAIN,
                "import_command": refusal.IMPORT,
                "try_again": refusal.TRY_AGAIN,
            }
            page = render("landing.html", areas, not_ready=not_ready, **commands)
            return keep_preferences(answer_with(page))
        page = _forecast_page(app_context, areas, area, asked_time)
    except (errors.RequestError, errors.ObservationStoreError) as error:
        return _refuse(error, app_context, areas, area, asked_time)
    return keep_preferences(answer_with(page), area=area)


def _forecast_page(
    app_context: AppContext, areas: list[AreaSummary], area: str, asked_time: str
) -> str:
    summary = {each.area: each for each in areas}.get(area)
    reference_time = _reference_time(asked_time, summary)
    request = ForecastRequest(area=area, reference_time=reference_time)
    answer = Forecast.model_validate_json(current_responses().get(request, current_trace()).body)
    latest = summary.latest_observation if summary else None
    place = find_place(app_context.catalogue.snapshot.contents, area)
    view = forecast_view(
        answer,
        now=datetime.now(UTC),
        place=(place.latitude, place.longitude) if place else None,
        units=chosen_units(),
        observed=observe(app_context.windows, answer, latest),
        latest=latest,
        asked=bool(asked_time),
        provenance=describe(app_context, answer),
    )
    json_query: dict[str, Any] = {"area": area}
    if reference_time:
        json_query["reference_time"] = write_time(reference_time)
    return render(
        "forecast.html",
        areas,
        area=area,
        asked_start=local_time.wall_clock(
            answer.reference_time, local_time.zone_of(answer.timezone)
        )
        if asked_time
        else "",
        trained_until=local_time.date_name(answer.receipt.train_end_time.date()),
        view=view,
        week_earlier=write_time(answer.reference_time - timedelta(days=7)),
        json_address=flask.url_for("api.predict", **json_query),
        here=_query(area, asked_time),
    )


def _refuse(
    error: errors.RequestError | errors.ObservationStoreError,
    app_context: AppContext,
    areas: list[AreaSummary],
    area: str,
    asked_time: str,
) -> flask.Response:
    """Answer with a refusal: what was asked, the reasons, and what to try instead."""
    summary = {each.area: each for each in areas}.get(area)
    asked_words = asked_time
    suggestions: tuple[refusal.Suggestion, ...] = ()
    if isinstance(error, errors.NoApplicableModelError) and summary and summary.models:
        zone = local_time.zone_of(summary.timezone)
        time = _reference_time(asked_time, summary)
        asked_words = local_time.moment(time, zone) if time else ""
        try:
            suggestions = refusal.suggest(
                app_context, area, asked=time, latest=summary.latest_observation, zone=zone
            )
        except errors.ObservationStoreError as failed:
            error = failed
    declaring = app_context.catalogue.snapshot.contents.declaring.get(area, ())
    status, shown = refusal.refusal_view(error, area, {each.delivery_id for each in declaring})
    page = render(
        "refused.html",
        areas,
        area=area,
        asked_words=asked_words,
        refusal=shown,
        suggestions=suggestions,
    )
    return answer_with(page, status)


def _reference_time(asked_time: str, summary: AreaSummary | None) -> datetime | None:
    if not asked_time:
        return None
    try:
        return local_time.read_reference_time(
            asked_time, local_time.zone_of(summary.timezone if summary else None)
        )
    except ValueError as error:
        raise errors.InvalidRequestError([str(error)]) from None


def _query(area: str, asked_time: str) -> dict[str, str]:
    """Return the query of this address, for links that change one thing of it."""
    return {"area": area} | ({"reference_time": asked_time} if asked_time else {})
