"""The Flask extensions: answers are compressed, and pages of other origins may read them (CORS).

Laws:

- Pages, static text files and JSON of `LEAST` bytes or more are compressed, whatever their status:
  a refusal is as long as a forecast. Each compressed form has an ``ETag`` of its own, the answer's
  with ``:br`` or ``:gzip`` added. Every answer says ``Vary: Accept-Encoding``. An answer holds no
  secret beside what its address says, so its compressed length discloses none.
- CORS is off by default, and then nothing is sent. Where origins are let in, every answer says
  ``Vary: Origin``, to requests without an origin too: a cache must not give a page the answer to
  somebody else's question. With ``*`` all answers are alike.
- Credentials are never let in: nothing here is anybody's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from flask import Flask, Response, request
from flask_compress import Compress
from flask_cors import CORS

CODINGS = ("br", "gzip")
"""What is offered; the first where a client accepts both alike."""
LEAST = 1000
"""Bytes: what is shorter fits into one packet as it is."""
KINDS = (
    *("text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml"),
    *("application/json", "application/problem+json"),
)

ANY = "*"
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
EXPOSED = ("ETag", "Retry-After", "X-Request-ID")
"""Headers of answers that a page of another origin may read, beside those it always may."""
ACCEPTED = ("Content-Type", "If-None-Match", "X-Request-ID")
"""Headers of requests that it may send, beside those it always may."""
REMEMBERED = 600
"""Seconds for which a browser need not ask again what it may send."""


def compress_answers(app: Flask) -> None:
    """Compress the answers of an app; call it after all that counts them by their status."""
    app.config.update(
        COMPRESS_ALGORITHM=CODINGS,
        COMPRESS_BR_LEVEL=5,  # 17 ms for the chart library, and 11 % more than the slowest level
        COMPRESS_MIMETYPES=KINDS,
        COMPRESS_MIN_SIZE=LEAST,
        COMPRESS_REGISTER=False,
        COMPRESS_STREAMS=False,
    )
    compress = Compress(app)

    @app.after_request
    def _compress(answer: Response) -> Response:
        if not answer.is_streamed:
            answer.content_length = len(answer.get_data())  # 0 where there is no body
        accepted = request.accept_encodings.best_match((*CODINGS, "identity"), "identity")
        request.environ["HTTP_ACCEPT_ENCODING"] = accepted  # it would take "gzip;q=0" for a wish
        status = answer.status
        refused = answer.status_code >= HTTPStatus.BAD_REQUEST
        if refused:  # Flask-Compress passes over all but successes
            answer.status_code = HTTPStatus.OK
        answer = compress.after_request(answer)
        if refused:
            answer.status = status
        return answer


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
