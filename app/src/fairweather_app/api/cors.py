"""CORS: which pages of other origins may read the answers. Off by default.

Laws:

- Where no origin is let in, nothing is sent.
- Where some are, every answer says ``Vary: Origin``, to requests without an origin too: a cache
  must not give a page the answer to somebody else's question. With ``*`` all answers are alike.
- Credentials are never let in: nothing here is anybody's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Flask, Response
from flask_cors import CORS

ANY = "*"
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
EXPOSED = ("ETag", "Retry-After", "X-Request-ID")
"""Headers of answers that a page of another origin may read, beside those it always may."""
ACCEPTED = ("Content-Type", "If-None-Match", "X-Request-ID")
"""Headers of requests that it may send, beside those it always may."""
REMEMBERED = 600
"""Seconds for which a browser need not ask again what it may send."""


def install_cors(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins read what an app answers; without any, change nothing."""
    if not origins:
        return
    everyone = ANY in origins
    CORS(
        app,
        # patterns, because plain texts with a bracket, as of ::1, are taken for patterns
        origins=ANY if everyone else [re.compile(rf"{re.escape(each)}\Z") for each in origins],
        methods=METHODS,
        expose_headers=EXPOSED,
        allow_headers=ACCEPTED,
        max_age=REMEMBERED,
        send_wildcard=everyone,
        always_send=everyone,
        vary_header=False,
        intercept_exceptions=False,  # every error is an answer already
    )
    if not everyone:

        @app.after_request
        def _vary(answer: Response) -> Response:
            answer.vary.add("Origin")
            return answer


def headers_without_origin(origins: Sequence[str], vary: str) -> list[tuple[str, str]]:
    """Return the CORS and `Vary` headers of answers to requests without an origin."""
    if origins and ANY not in origins:
        return [("Vary", f"{vary}, Origin")]
    exposed = ("Access-Control-Expose-Headers", ", ".join(EXPOSED))
    return [("Vary", vary), *([("Access-Control-Allow-Origin", ANY), exposed] if origins else [])]
