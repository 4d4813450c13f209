"""A fast path for forecasts: from WSGI to the response, past what Flask does for other requests.

A plain request for a forecast is read, answered and recorded here, by the functions that the routes
call. Laws:

- Status, headers and bytes are those that Flask would have sent.
- What is not plain goes to Flask: other addresses and methods, conditional requests, requests from
  pages of other origins, requests that take a compressed answer, bodies of unknown length or
  another type.
- What fails goes to Flask unread, which does all of it again and reports what is wrong: problems
  are written in one place, and only what Flask does is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

from fairweather_app.api.extensions import headers_without_origin
from fairweather_app.api.forecast_response import ForecastResponses
from fairweather_app.api.request_log import HEADER, PREDICT, RequestLog, begin, end
from fairweather_app.api.requests import read_body, read_query
from fairweather_app.api.reverse_proxy import FORWARDED
from fairweather_app.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON = "application/json"
_ELSEWHERE = (
    *("HTTP_IF_NONE_MATCH", "HTTP_ORIGIN"),
    *("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING"),
)
_AS_IT_IS = ("", "identity")


class FastPath:
    """A WSGI application to be put in front of Flask's own."""

    def __init__(
        self,
        flask: WSGIApplication,
        responses: ForecastResponses,
        log: RequestLog,
        settings: Settings,
    ) -> None:
        self.flask = flask
        self._responses = responses
        self._log = log
        self._body_limit = settings.body_limit
        vary = f"{FORWARDED}, Accept-Encoding" if settings.proxies else "Accept-Encoding"
        self._vary = headers_without_origin(settings.cors_origins, vary)

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
        trace = begin(environ.get("HTTP_X_REQUEST_ID"))
        try:
            if body is None:
                query = environ.get("QUERY_STRING", "").encode("latin-1")
                response = self._responses.get(read_query(query), trace)
                headers = [("Cache-Control", "no-cache"), ("ETag", response.etag)]
            else:
                response, headers = self._responses.make(read_body(body), trace), []
        except Exception:  # noqa: BLE001 - Flask meets it again, and reports it
            return self.flask(environ, start)
        finally:
            end()
        self._log.record(trace, route=PREDICT, method=method, path=PREDICT, status=200)
        headers += [("X-Content-Type-Options", "nosniff"), (HEADER, trace.request_id), *self._vary]
        length = str(len(response.body))
        start("200 OK", [("Content-Type", JSON), ("Content-Length", length), *headers])
        return [response.body]

    def _body(self, environ: WSGIEnvironment) -> bytes | None:
        """Read the body and put it back; return None where its length is none that is taken."""
        length = environ.get("CONTENT_LENGTH", "")
        if not length.isdecimal() or int(length) > self._body_limit:
            return None
        body: bytes = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        return body
