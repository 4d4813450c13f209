"""Compress what is answered, with brotli or gzip, for clients that accept it.

Pages, static text files and JSON of `LEAST` bytes or more are compressed, whatever their status: a
refusal is as long as a forecast. Each compressed form has an ``ETag`` of its own, the answer's with
``:br`` or ``:gzip`` added. Every answer says ``Vary: Accept-Encoding``. An answer holds no secret
beside what its address says, so its compressed length discloses none.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request
from flask_compress import Compress

CODINGS = ("br", "gzip")
"""What is offered; the first where a client accepts both alike."""
LEAST = 1000
"""Bytes: what is shorter fits into one packet as it is."""
KINDS = (
    *("text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml"),
    *("application/json", "application/problem+json"),
)


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
