"""A short cut for forecasts: from WSGI to the answer, past what Flask does for other requests.

Routing, contexts, hooks and response objects take longer than a forecast that is kept, and as long
as one that is made. So a plain request for a forecast is read, answered and accounted for here, by
the very functions that the routes call. Laws:

- Whoever asks cannot tell: status, headers and bytes are those that Flask would have sent.
- What is not plain goes to Flask: other addresses and methods, conditional requests, requests that
  say which codings they accept, requests from pages of other origins, bodies of unknown length or
  another type, everything while the app drains.
- What fails goes to Flask with its error and its trail, which the route raises at once: problems
  are written in one place, and nothing is tried twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Flask

from fairweather_app import trail
from fairweather_app.accounting import PREDICT, Accounts, begin
from fairweather_app.api.cors import headers_without_origin
from fairweather_app.api.reading import read_body, read_query
from fairweather_app.api.routes import FAILED
from fairweather_app.app_context import AppContext
from fairweather_app.writing import answer, ready_answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON = "application/json"
_ELSEWHERE = (
    *("SCRIPT_NAME", "HTTP_IF_NONE_MATCH", "HTTP_ORIGIN"),
    *("HTTP_TRANSFER_ENCODING", "HTTP_ACCEPT_ENCODING"),
)
SHORT_CUT = "fairweather-short-cut"


class ShortCut:
    """A WSGI application in front of Flask's own. `closed` says whether all goes to Flask now."""

    def __init__(self, flask: WSGIApplication, app_context: AppContext, accounts: Accounts) -> None:
        self.flask = flask
        self.closed: Callable[[], bool] = lambda: False
        self._context = app_context
        self._accounts = accounts
        self._vary = headers_without_origin(app_context.settings.cors_origins, "Accept-Encoding")

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a plain request for a forecast, and give all others to Flask."""
        if environ.get("PATH_INFO") != PREDICT or self.closed():
            return self.flask(environ, start)
        for name in _ELSEWHERE:
            if environ.get(name):
                return self.flask(environ, start)
        method, body = environ["REQUEST_METHOD"], None
        if method == "POST" and environ.get("CONTENT_TYPE") == JSON:
            body = self._body(environ)
        if body is None and method != "GET":
            return self.flask(environ, start)
        done = begin(environ.get("HTTP_X_REQUEST_ID"))
        try:
            content, headers = self._get(environ) if body is None else self._post(body)
        except Exception as error:  # noqa: BLE001 - the route raises it, and Flask tells it
            environ[FAILED] = error
            environ[trail.KEY] = done
            return self.flask(environ, start)
        self._accounts.close(done, route=PREDICT, method=method, path=PREDICT, status=200)
        trail.end()
        headers += [("X-Content-Type-Options", "nosniff"), ("X-Request-ID", done.request_id)]
        headers += self._vary
        start("200 OK", [("Content-Type", JSON), ("Content-Length", str(len(content))), *headers])
        return [content]

    def _get(self, environ: WSGIEnvironment) -> tuple[bytes, list[tuple[str, str]]]:
        asked = read_query(environ.get("QUERY_STRING", "").encode("latin-1"))
        found = ready_answer(self._context, asked)
        return found.body, [("Cache-Control", "no-cache"), ("ETag", found.etag)]

    def _post(self, body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
        return answer(self._context, read_body(body)).body, []

    def _body(self, environ: WSGIEnvironment) -> bytes | None:
        """The whole body, put back for Flask; None where its length is none that is taken."""
        length = environ.get("CONTENT_LENGTH", "")
        if not length.isdecimal() or int(length) > self._context.settings.body_limit:
            return None
        body: bytes = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        return body


def take_short_cut(app: Flask, app_context: AppContext, accounts: Accounts) -> None:
    """Put a short cut in front of an app."""
    short_cut: Any = ShortCut(app.wsgi_app, app_context, accounts)
    app.wsgi_app = short_cut  # type: ignore[method-assign]
    app.extensions[SHORT_CUT] = short_cut
