"""CORS: which pages of other origins may read the answers. None may, unless the operator says so.

A layer around the whole app, so that forecasts on their short cut get it too. Laws:

- Where no origin is let in, the layer is not there and nothing is sent.
- Where some are, every answer says ``Vary: Origin``, to requests without an origin too: a cache
  must not give a page the answer to somebody else's question. With ``*`` all answers are alike.
- Credentials are never let in: nothing here is anybody's own.
- What a method or an address can is Flask's to say: a preflight is answered with what it allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ANY = "*"
EXPOSED = ("ETag", "Retry-After", "X-Request-ID")
"""Headers of answers that a page of another origin may read, beside those it always may."""
ACCEPTED = ("Content-Type", "If-None-Match", "X-Request-ID")
"""Headers of requests that it may send, beside those it always may."""
REMEMBERED = 600
"""Seconds for which a browser need not ask again what it may send."""


class Cors:
    """A WSGI application around another one, which lets pages of some origins read its answers."""

    def __init__(self, inner: WSGIApplication, origins: Sequence[str]) -> None:
        self._inner = inner
        self._any = ANY in origins
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer as the inner application does, and say who may read it."""
        origin = environ.get("HTTP_ORIGIN")
        let_in = self._any or origin in self._origins
        preflight = (
            let_in
            and environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )

        def start_too(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:  # noqa: ANN401 - as WSGI has it
            said = Headers(headers)
            if not self._any:
                vary = said.get("Vary")
                said["Vary"] = f"{vary}, Origin" if vary else "Origin"
            if let_in:
                said["Access-Control-Allow-Origin"] = ANY if self._any else str(origin)
                said["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
            if preflight:
                said["Access-Control-Allow-Methods"] = said.get("Allow", "")
                said["Access-Control-Allow-Headers"] = ", ".join(ACCEPTED)
                said["Access-Control-Max-Age"] = str(REMEMBERED)
            return start(status, said.to_wsgi_list(), *rest)

        return self._inner(environ, start_too)


def let_in(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins read what an app answers; without any, change nothing."""
    if origins:
        layer: Any = Cors(app.wsgi_app, origins)
        app.wsgi_app = layer  # type: ignore[method-assign]
