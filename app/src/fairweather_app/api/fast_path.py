"""A short cut for forecasts: from WSGI to the answer, past what Flask does for other requests.

Routing, contexts, hooks and response objects take longer than a forecast that is kept, and as long
as one that is made. So a plain request for a forecast is read, answered and accounted for here, by
the functions that the routes call. Laws:

- A client cannot tell: status, headers and bytes are those that Flask would have sent.
- What is not plain goes to Flask: other addresses and methods, conditional requests, requests from
  pages of other origins, requests that take a compressed answer, bodies of unknown length or
  another type.
- What fails goes to Flask unread, which does all of it again and says what is wrong: problems are
  written in one place, and only what Flask does is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Flask

from fairweather_app.api.cors import headers_without_origin
from fairweather_app.api.forecast_response import answer, ready_answer
from fairweather_app.api.request_log import PREDICT, Account, begin
from fairweather_app.api.requests import read_body, read_query
from fairweather_app.common import request_trace
from fairweather_app.forecasting.context import AppContext

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON = "application/json"
_ELSEWHERE = ("SCRIPT_NAME", "HTTP_IF_NONE_MATCH", "HTTP_ORIGIN", "HTTP_TRANSFER_ENCODING")
_AS_IT_IS = ("", "identity")


class ShortCut:
    """A WSGI application in front of Flask's own."""

    def __init__(self, flask: WSGIApplication, app_context: AppContext, account: Account) -> None:
        self.flask = flask
        self._context = app_context
        self._account = account
        self._vary = headers_without_origin(app_context.settings.cors_origins, "Accept-Encoding")

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a plain request for a forecast, and give all others to Flask."""
        if environ.get("PATH_INFO") != PREDICT or any(map(environ.get, _ELSEWHERE)):
            return self.flask(environ, start)
        method, body = environ["REQUEST_METHOD"], None
        if method == "POST" and environ.get("CONTENT_TYPE") == JSON:
            body = self._body(environ)
        encoding = environ.get("HTTP_ACCEPT_ENCODING", "")
        if (body is None and method != "GET") or encoding not in _AS_IT_IS:
            return self.flask(environ, start)
        done = begin(environ.get("HTTP_X_REQUEST_ID"))
        try:
            if body is None:
                query = environ.get("QUERY_STRING", "").encode("latin-1")
                made = ready_answer(self._context, read_query(query))
                headers = [("Cache-Control", "no-cache"), ("ETag", made.etag)]
            else:
                made, headers = answer(self._context, read_body(body)), []
        except Exception:  # noqa: BLE001 - Flask meets it again, and says what it is
            request_trace.end()
            return self.flask(environ, start)
        self._account(done, route=PREDICT, method=method, path=PREDICT, status=200)
        request_trace.end()
        headers += [("X-Content-Type-Options", "nosniff"), ("X-Request-ID", done.request_id)]
        headers += self._vary
        length = str(len(made.body))
        start("200 OK", [("Content-Type", JSON), ("Content-Length", length), *headers])
        return [made.body]

    def _body(self, environ: WSGIEnvironment) -> bytes | None:
        """Read the body and put it back; return None where its length is none that is taken."""
        length = environ.get("CONTENT_LENGTH", "")
        if not length.isdecimal() or int(length) > self._context.settings.body_limit:
            return None
        body: bytes = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        return body


def take_short_cut(app: Flask, app_context: AppContext, account: Account) -> None:
    """Put a short cut in front of an app."""
    short_cut: Any = ShortCut(app.wsgi_app, app_context, account)
    app.wsgi_app = short_cut  # type: ignore[method-assign]
