"""Show the OpenAPI document as a page, to be read and tried without a network.

Swagger UI comes from the wheel of ``flask-swagger-ui``. The page around it is our own: theirs holds
an inline script, which our Content-Security-Policy forbids.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import flask
from werkzeug.exceptions import NotFound

from fairweather_app.web.layout.assets import digest, send_text
from fairweather_app.web.layout.page import describe_page
from fairweather_app.web.layout.rendering import answer_with, render

LIBRARY = ("swagger-ui-bundle.js", "swagger-ui.css")
"""The files of the library that the page needs."""


@describe_page()
def docs_page() -> flask.Response:
    """Show this document, to read and try."""
    addresses = {
        name: flask.url_for("page.docs_file", name=name, v=digest(_folder() / name))
        for name in LIBRARY
    }
    return answer_with(render("api.html", addresses=addresses))


def send_library(name: str) -> flask.Response:
    """Return one of the library's files."""
    if name not in LIBRARY:
        raise NotFound
    return send_text(_folder() / name)


@cache
def _folder() -> Path:
    """Find the library's files without importing it: its module makes a Flask app."""
    found = find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise RuntimeError("found no flask-swagger-ui; pip install 'fairweather-app' brings it")
    return Path(found.origin).parent / "dist"
