"""Serve a page or JSON from the same address, by the ``Accept`` header.

Clients that prefer HTML to JSON, as browsers do, get the page. All others, ``*/*`` and no
``Accept`` included, get the JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import flask
from flask.typing import RouteCallable

from fairweather_app.web.model_pages.pages import model_page, models_page

PAGES: dict[str, Callable[..., flask.Response]] = {
    "api.models": models_page,
    "api.model": model_page,
}
"""By endpoint of the HTTP interface, the page for people at the same address."""


def offer_pages(app: flask.Flask) -> None:
    """Let the addresses of `PAGES` answer people with their pages."""
    for endpoint, page in PAGES.items():
        app.view_functions[endpoint] = _either(app.view_functions[endpoint], page)


def prefers_page() -> bool:
    """Return whether the client prefers HTML to JSON."""
    accepted = flask.request.accept_mimetypes
    return accepted.quality("text/html") > accepted.quality("application/json")


def _either(data: RouteCallable, page: Callable[..., flask.Response]) -> RouteCallable:
    @wraps(data)
    def answer(**arguments: str) -> flask.Response:
        made = page(**arguments) if prefers_page() else flask.make_response(data(**arguments))
        made.vary.add("Accept")
        return made

    return answer
