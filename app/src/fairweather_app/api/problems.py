"""Problems: every answer that is not a success, as ``application/problem+json`` (RFC 9457).

An operator reads the log, a client the problem, which never holds a stack trace. `PROBLEMS` has one
row a code: the handlers, the OpenAPI document and the table in ``docs/http-api.md`` follow it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from fairweather_app.api.request_log import current_trace
from fairweather_app.api.schemas import Problem
from fairweather_app.errors import (
    RETRY_SECONDS,
    InvalidRequestError,
    NoApplicableModelError,
    NotReadyError,
    ObservationsMissingError,
    ObservationStoreError,
    UnknownAreaError,
    UnknownDeliveryError,
)
from fairweather_app.refusals import MOST_REFUSALS, RefusedDelivery, count_refusals

CONTENT_TYPE = "application/problem+json"
INTERNAL_ERROR = "internal-error"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """All problems of one code.

    Attributes:
        code: for programs.
        title: the code in words.
        statuses: its HTTP statuses.
        error: the exception that becomes it; None where HTTP itself refuses.
        public: the detail for clients; where it is absent, the text of the exception. The log has
            what is not fit for clients.
        retry: whether it may pass soon, and by itself.
        remedy: what a client can do.
        shown: members of the example, its `detail` among them.
    """

    code: str
    title: str
    statuses: tuple[int, ...]
    error: type[Exception] | None = None
    public: str | None = None
    retry: bool = False
    remedy: str | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)

    def body(self, status: int, **members: Any) -> Problem:  # noqa: ANN401 - as Problem takes them
        """Make a problem of this kind with one of its statuses."""
        return Problem(type=f"/problems/{self.code}", title=self.title, status=status, **members)

    def example(self, status: int) -> Problem:
        """Make an example of this kind."""
        detail = self.public or HTTPStatus(status).description or self.title
        return self.body(status, **{"detail": detail, **self.shown})


def _shown(detail: str, **refused: str) -> dict[str, Any]:
    """Return the example of a problem with one refusal."""
    all_refused = [RefusedDelivery(**refused)]
    return {
        "detail": detail,
        "refused": all_refused,
        "refused_counts": count_refusals(all_refused),
    }


_OTHER_ID = "5ddd8ae1-30ab-4427-baec-efcbb1c829ee"

PROBLEMS = {
    each.code: each
    for each in (
        ProblemKind(
            code="unknown-area",
            title="Unknown area",
            statuses=(404,),
            error=UnknownAreaError,
            remedy="`areas` lists the known names",
            shown={
                "detail": str(UnknownAreaError("Atlantis", known=["EWR", "JFK"])),
                "areas": ["EWR", "JFK"],
            },
        ),
        ProblemKind(
            code="unknown-delivery",
            title="Unknown delivery",
            statuses=(404,),
            error=UnknownDeliveryError,
            shown={"detail": str(UnknownDeliveryError(_OTHER_ID))},
        ),
        ProblemKind(
            code="no-applicable-model",
            title="No model can be used for this request",
            statuses=(422,),
            error=NoApplicableModelError,
            remedy="`refused` and `refused_counts` give the reasons. Do not retry; request another "
            "start or area, and never use a nearby area instead",
            shown=_shown(
                "No model can be used for JFK (1 refused: out-of-season).",
                delivery_id=_OTHER_ID,
                model_type="SummerHumidityPredictor",
                code="out-of-season",
                reason="valid in June, July and August, not in December",
            ),
        ),
        ProblemKind(
            code="observations-missing",
            title="Observations to start from are missing",
            statuses=(503,),
            error=ObservationsMissingError,
            remedy="wait for observations, or send your own",
            shown=_shown(
                "Observations for JFK are missing: temperature of JFK lacks 168 of 720 values.",
                delivery_id="2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11",
                model_type="WinterPredictor",
                code="observations-missing",
                reason="temperature of JFK lacks 168 of 720 values",
            ),
        ),
        ProblemKind(
            code="observations-unavailable",
            title="The observation database cannot be used",
            statuses=(503,),
            error=ObservationStoreError,
            public="The observation database cannot be used at the moment. The operator's log has "
            "the reason.",
            retry=True,
            remedy="retry after `Retry-After` seconds",
        ),
        ProblemKind(
            code="invalid-request",
            title="The request is not valid",
            statuses=(400, 422),
            error=InvalidRequestError,
            remedy="`problems` lists everything that is wrong; a retry does not help",
            shown={"detail": "area: Field required", "problems": ["area: Field required"]},
        ),
        ProblemKind(
            code="not-ready",
            title="No verified delivery is loaded yet",
            statuses=(503,),
            error=NotReadyError,
            retry=True,
            remedy="retry after `Retry-After` seconds",
            shown={"detail": "the store has not been looked at yet"},
        ),
        ProblemKind("not-found", "Not found", (404,)),
        ProblemKind("method-not-allowed", "Method not allowed", (405,)),
        ProblemKind("body-too-large", "The request body is too large", (413,)),
        ProblemKind("unsupported-media-type", "The request body is not JSON", (415,)),
        ProblemKind(
            code=INTERNAL_ERROR,
            title="Internal error",
            statuses=(500,),
            error=Exception,
            public="The app failed on this request. The operator's log has the reason.",
            remedy="give the operator the `X-Request-ID` of the answer; the log has it",
        ),
    )
}
"""All problems by code."""

_OF_HTTP = {each.statuses[0]: each for each in PROBLEMS.values() if each.error in {None, Exception}}


def register_problems(app: Flask) -> None:
    """Turn every exception of a request into a problem."""
    for kind in PROBLEMS.values():
        if kind.error is not None:
            app.register_error_handler(kind.error, partial(_answer, kind))
    app.register_error_handler(HTTPException, _answer_http)


def _answer(kind: ProblemKind, error: Exception) -> Response:
    if kind.public is not None:
        unforeseen = kind.code == INTERNAL_ERROR
        event = "the app failed on a request" if unforeseen else error
        logger.error("%s", event, exc_info=error if unforeseen else None)
    status, members = kind.statuses[0], dict[str, Any]()
    match error:
        case InvalidRequestError():
            status, members = error.status, {"problems": list(error.problems)}
        case UnknownAreaError():
            members = {"areas": list(error.known)}
        case NoApplicableModelError():
            members = {
                "refused": error.refused[:MOST_REFUSALS],
                "refused_counts": error.refused_counts,
            }
    return _respond(kind, status, detail=kind.public or str(error), **members)


def _answer_http(error: HTTPException) -> Response:
    """Turn what HTTP itself refuses into a problem; redirects pass."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status=status, headers=error.get_headers())
    kind = _OF_HTTP.get(status, PROBLEMS["invalid-request"])
    answer = _respond(kind, status, detail=error.description or kind.title)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            answer.headers[name] = value
    return answer


def _respond(kind: ProblemKind, status: int, **members: Any) -> Response:  # noqa: ANN401 - likewise
    current_trace().problem = kind.code
    content = kind.body(status, **members).model_dump_json()
    answer = Response(content, status=status, content_type=CONTENT_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    if kind.retry:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer
