"""Describe a page in one place, and register it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps

import flask
from flask.typing import RouteCallable

from fairweather_app.api.operation import Operation

CSP = "Content-Security-Policy"

describe_page = partial(
    Operation, tag="pages", answer="text/html", means="The page.", headers={CSP: CSP}
)
"""Makes the `Operation` of the view of a page that has an address of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page for people, made by a view from the arguments of the address.

    Attributes:
        endpoint: ``page.<name>``; or, of a page that shares the address of a JSON answer, the
            endpoint of that answer.
        rule: the address; empty where it is shared.
        title: the link to it in the foot of all pages; empty where none leads there.
        query: the query of that link.
    """

    endpoint: str
    view: Callable[..., flask.Response]
    rule: str = ""
    title: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def register(self, app: flask.Flask, blueprint: flask.Blueprint) -> None:
        """Add the page's route, or let the address of its JSON answer give the page as well."""
        if self.rule:
            name = self.endpoint.removeprefix(f"{blueprint.name}.")
            blueprint.add_url_rule(self.rule, name, self.view)
        else:
            data = app.view_functions[self.endpoint]
            app.view_functions[self.endpoint] = _negotiate(data, self.view)


def _negotiate(data: RouteCallable, page: Callable[..., flask.Response]) -> RouteCallable:
    """Return a view that gives the page to clients that prefer HTML to JSON, as browsers do.

    All others, ``*/*`` and no ``Accept`` included, get the JSON.
    """

    @wraps(data)
    def view(**arguments: str) -> flask.Response:
        accepted = flask.request.accept_mimetypes
        if accepted.quality("text/html") > accepted.quality("application/json"):
            answer = page(**arguments)
        else:
            answer = flask.make_response(data(**arguments))
        answer.vary.add("Accept")
        return answer

    return view
