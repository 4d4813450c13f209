"""The page of the HTTP interface: its OpenAPI document, to be read and tried, without a network.

Swagger UI comes from the wheel of ``flask-swagger-ui``. The page around it is our own: theirs holds
a script in the page, which our Content-Security-Policy lets nobody run.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import flask
from werkzeug.exceptions import NotFound

from fairweather_app.web.pages import blueprint
from fairweather_app.web.rendering import answer_with, render

LIBRARY = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
"""The files of the library that the page needs, with what they are."""


@blueprint.get("/docs")
def docs() -> flask.Response:
    """The interface as a page; `/openapi.json` is the same for programs."""
    return answer_with(render("api.html", addresses={name: _address(name) for name in LIBRARY}))


@blueprint.get("/docs/<name>")
def docs_file(name: str) -> flask.Response:
    """One of the library's files, packed where that is accepted."""
    if name not in LIBRARY:
        raise NotFound
    packed = flask.request.accept_encodings.quality("gzip") > 0
    content = _packed(name) if packed else _file(name).read_bytes()
    answer = flask.Response(content, content_type=LIBRARY[name])
    answer.vary.add("Accept-Encoding")
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(f"{_release()}-gzip" if packed else _release())
    answer.cache_control.no_cache = True
    if flask.request.args.get("v") == _release():
        answer.cache_control.no_cache = None
        answer.cache_control.public = True
        answer.cache_control.max_age = 31_536_000
        answer.cache_control.immutable = True
    answer.make_conditional(flask.request)
    return answer


def _address(name: str) -> str:
    return flask.url_for("page.docs_file", name=name, v=_release())


@cache
def _release() -> str:
    return (_folder() / "VERSION").read_text(encoding="utf-8").strip()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_file(name).read_bytes(), mtime=0)


def _file(name: str) -> Path:
    return _folder() / name


@cache
def _folder() -> Path:
    """Where the files lie; found without importing what would make an app of its own of them."""
    found = find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise RuntimeError("found no flask-swagger-ui; pip install 'fairweather-app' brings it")
    return Path(found.origin).parent / "dist"
