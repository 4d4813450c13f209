"""Answer with the pages about models: the list, one delivery, and the coverage map.

`/models` and `/models/<delivery_id>` have one address for people and programs: clients that prefer
HTML to JSON, as browsers do, get the page, all others the JSON (see `negotiation`).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import flask

from fairweather_app.api.model_listing import list_deliveries, model_detail, summarize
from fairweather_app.api.operation import Operation
from fairweather_app.api.requests import read_models_query
from fairweather_app.api.schemas import ModelsQuery
from fairweather_app.catalogue.entries import State
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.errors import (
    InvalidRequestError,
    ObservationStoreError,
    UnknownDeliveryError,
)
from fairweather_app.forecasting.areas import AreaSummary, area_summaries, defined_areas
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.pins import pins
from fairweather_app.web.forecast.page import LONGEST_AREA
from fairweather_app.web.layout.rendering import answer_with, blueprint, render
from fairweather_app.web.layout.wording import counted, trained_until
from fairweather_app.web.model_pages.coverage import coverage_map
from fairweather_app.web.model_pages.detail import declared_view, season

ON_A_PAGE = 50


def models_page() -> flask.Response:
    """The deliveries: filtered, searched, a page at a time."""
    app_context = current_context()
    contents = app_context.catalogue.snapshot.contents
    given = flask.request.args.items(multi=True)
    pairs = [(name, text) for name, text in given if text.strip()]  # a form sends empty fields
    arguments = dict(pairs)
    try:
        query = read_models_query(pairs)
        limited = query.model_copy(update={"limit": min(query.limit, ON_A_PAGE)})
        listing = list_deliveries(contents, limited)
    except InvalidRequestError as error:
        page = render(
            "notice.html", _areas(app_context), title="This cannot be asked", told=error.problems
        )
        return answer_with(page, 400)
    asked = {name: text for name, text in arguments.items() if name in {"state", "area", "q"}}
    page = render(
        "models.html",
        _areas(app_context),
        rows=[summarize(each) for each in listing.entries],
        season=season,
        trained_until=trained_until,
        listing=listing,
        query=query,
        filters=_filters(contents, query),
        asked=asked,
        next_address=_with(asked, after=listing.next_after) if listing.next_after else "",
        first_address=_with(asked) if query.after else "",
        pins=pins(app_context.selectors.rules, contents),
        problem=app_context.catalogue.snapshot.problem,
        counted=counted,
    )
    return answer_with(page)


def model_page(delivery_id: str) -> flask.Response:
    """One delivery: what it declares, its verdict in this release, and how it did."""
    app_context = current_context()
    entry = app_context.catalogue.snapshot.entries.get(delivery_id)
    card = flask.url_for("api.card", delivery_id=delivery_id)
    try:
        detail = model_detail(app_context, delivery_id, card=card)
    except UnknownDeliveryError:
        page = render(
            "notice.html",
            _areas(app_context),
            title="No such delivery is known",
            told=(
                f"asked for: {delivery_id[:LONGEST_AREA]}",
                "it may have left the store, or not have been looked at yet",
            ),
        )
        return answer_with(page, 404)
    page = render(
        "model.html",
        _areas(app_context),
        detail=detail,
        declared=declared_view(detail),
        kept_back=app_context.selectors.rules.why_nowhere(entry) if entry and entry.live else None,
        trained_until=trained_until(detail.train_end_time) if detail.train_end_time else "",
    )
    return answer_with(page)


@blueprint.get("/coverage")
@Operation(
    name="coverage_page",
    summary="Areas, variables and months: who answers there, and where nobody does.",
    tag="pages",
    answer="text/html",
    means="The page.",
    headers={"Content-Security-Policy": "Content-Security-Policy"},
    parameters=("coverage:q", "coverage:after"),
)
def coverage() -> flask.Response:
    """The coverage map: areas, variables and months, and who answers there.

    Of every known area, but for those that are only observed while that cannot be read.
    """
    app_context = current_context()
    contents = app_context.catalogue.snapshot.contents
    asked = flask.request.args.get("q", "").strip()[:LONGEST_AREA]
    after = flask.request.args.get("after", "")[:LONGEST_AREA]
    observed = _observed(app_context)
    names = sorted(set(contents.declaring).union(defined_areas(), observed or ()))
    chosen = [name for name in names if asked.casefold() in name.casefold()]
    page = render(
        "coverage.html",
        _areas(app_context),
        map=coverage_map(
            app_context.selectors.of(contents),
            chosen,
            month=_month(app_context),
            observed=observed,
            after=after,
        ),
        asked=asked,
        after=after,
        counted=counted,
    )
    return answer_with(page)


def _month(app_context: AppContext) -> int:
    """Return the month that forecasts start in now, by the app's clock."""
    try:
        return app_context.clock("").month
    except ObservationStoreError:
        return datetime.now(UTC).month


def _observed(app_context: AppContext) -> frozenset[str] | None:
    """Return the areas that have observations; None while they cannot be read."""
    try:
        return frozenset(app_context.windows.areas())
    except ObservationStoreError:
        return None


def _areas(app_context: AppContext) -> list[AreaSummary]:
    """Return what the search box offers; nothing while the observations cannot be read."""
    try:
        return area_summaries(app_context.catalogue.snapshot.contents, app_context.windows)
    except ObservationStoreError:
        return []


def _filters(contents: Contents, query: ModelsQuery) -> list[dict[str, Any]]:
    """Return the states to choose from, each with its count and its address."""
    rest = {name: text for name, text in (("area", query.area), ("q", query.q)) if text}
    counts = Counter(entry.state for entry in contents.entries.values())
    every = {
        "name": "all",
        "count": len(contents.entries),
        "address": _with(rest),
        "chosen": query.state is None,
    }
    return [
        every,
        *(
            {
                "name": state,
                "count": counts[state],
                "address": _with(rest, state=state),
                "chosen": query.state == state,
            }
            for state in State
        ),
    ]


def _with(asked: dict[str, str], **more: str) -> str:
    query = urlencode(asked | more)
    address = flask.url_for("api.models")
    return f"{address}?{query}" if query else address
