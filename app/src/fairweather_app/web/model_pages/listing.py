"""List the models as a page: filtered, searched, a page at a time."""

from __future__ import annotations

from collections import Counter

import flask

from fairweather_app.api.model_listing import models_page
from fairweather_app.api.requests import read_models_query
from fairweather_app.catalogue.entries import State
from fairweather_app.errors import InvalidRequestError
from fairweather_app.forecasting.context import current_context
from fairweather_app.web.layout.local_time import date_name
from fairweather_app.web.layout.rendering import answer_with, render
from fairweather_app.web.model_pages.detail import season

ON_A_PAGE = 50


def show_models() -> flask.Response:
    """Return the page of the deliveries that a query asks for."""
    app_context = current_context()
    given = flask.request.args.items(multi=True)
    pairs = [(name, text) for name, text in given if text.strip()]  # a form sends empty fields
    try:
        query = read_models_query(pairs)
    except InvalidRequestError as error:
        page = render("notice.html", title="That request is not valid", lines=error.problems)
        return answer_with(page, 400)
    entries = app_context.catalogue.snapshot.entries
    page = render(
        "models.html",
        found=models_page(app_context, query, most=ON_A_PAGE),
        season=season,
        date_name=date_name,
        query=query,
        states=Counter(each.state for each in entries.values()),
        all_states=tuple(State),
        asked={"state": query.state, "area": query.area, "q": query.q},
    )
    return answer_with(page)
