"""Packing: a page is sent compressed to whoever accepts that. Flask itself compresses nothing.

The page's files were packed when the wheel was built (see `assets`); what is made on request is
packed here, with gzip, at a level that costs a millisecond. A page holds no secret beside what its
address says, so its length tells nobody anything.
"""

from __future__ import annotations

import gzip

import flask

LEVEL = 5
WORTH_IT = 1000
"""Bytes: what is shorter travels in one packet anyway."""


def pack(answer: flask.Response) -> flask.Response:
    """Pack an HTML answer, unless it is short, packed already or not wanted so."""
    if answer.mimetype != "text/html":
        return answer
    answer.vary.add("Accept-Encoding")
    accepted = flask.request.accept_encodings.quality("gzip") > 0
    if not accepted or "Content-Encoding" in answer.headers:
        return answer
    content = answer.get_data()
    if len(content) >= WORTH_IT:
        answer.set_data(gzip.compress(content, LEVEL, mtime=0))
        answer.headers["Content-Encoding"] = "gzip"
    return answer
