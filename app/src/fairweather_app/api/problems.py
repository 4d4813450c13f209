"""Problems: every answer that is not a success, as ``application/problem+json`` (RFC 9457).

An operator reads the log, a client the problem, which never holds a stack trace. `PROBLEMS` has one
row a code: the handlers, the OpenAPI document and the table in ``docs/http-api.md`` follow it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from fairweather_app import errors
from fairweather_app.api.request_log import current_trace
from fairweather_app.api.requests import check_query
from fairweather_app.api.schemas import MOST_AREAS, Problem
from fairweather_app.refusals import MOST_REFUSALS, RefusedDelivery

CONTENT_TYPE = "application/problem+json"
INTERNAL_ERROR = "internal-error"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """All problems of one code.

    Attributes:
        error: an example of the exceptions that become it; None where HTTP itself refuses.
        public: the detail for clients; where it is absent, the text of the exception. The log has
            what is not fit for clients.
        retry: whether it may pass by itself: soon, or when observations are due.
        remedy: what a client can do.
    """

    code: str
    title: str
    statuses: tuple[int, ...]
    error: Exception | None = None
    public: str | None = None
    retry: bool = False
    remedy: str | None = None

    def problem(self, status: int, detail: str, error: Exception | None = None) -> Problem:
        """Make a problem of this kind, with what an exception holds beside its text."""
        members: dict[str, Any] = {}
        match error:
            case errors.InvalidRequestError():
                members = {"problems": list(error.problems)}
            case errors.UnknownAreaError():
                members = {"areas": list(error.known[:MOST_AREAS])}
            case errors.NoApplicableModelError():
                members = {
                    "refused": error.refused[:MOST_REFUSALS],
                    "refused_counts": error.refused.counts,
                }
        kind = f"/problems/{self.code}"
        return Problem(type=kind, title=self.title, status=status, detail=detail, **members)

    def example(self, status: int) -> Problem:
        """Make an example of this kind."""
        detail = self.public or str(self.error or HTTPStatus(status).description or self.title)
        return self.problem(status, detail, self.error)


_OTHER_ID = "5ddd8ae1-30ab-4427-baec-efcbb1c829ee"
_OUT_OF_SEASON = RefusedDelivery(
    delivery_id=_OTHER_ID,
    model_type="SummerHumidityPredictor",
    code="out-of-season",
    reason="valid in June, July and August, not in December",
)
_UNOBSERVED = RefusedDelivery(
    delivery_id="2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11",
    model_type="WinterPredictor",
    code="observations-missing",
    reason="temperature of JFK lacks 168 of 720 values",
)
_STALE = replace(
    _UNOBSERVED,
    code="observations-stale",
    reason="newest temperature 11 h before the start; the model is fit for 3 h",
)

PROBLEMS = {
    each.code: each
    for each in (
        ProblemKind(
            code="unknown-area",
            title="Unknown area",
            statuses=(404,),
            error=errors.UnknownAreaError("Atlantis", known=["EWR", "JFK"]),
            remedy="`areas` lists the known names",
        ),
        ProblemKind(
            "unknown-delivery", "Unknown delivery", (404,), errors.UnknownDeliveryError(_OTHER_ID)
        ),
        ProblemKind(
            code="no-applicable-model",
            title="No model can be used for this request",
            statuses=(422,),
            error=errors.NoApplicableModelError("JFK", refused=[_OUT_OF_SEASON]),
            remedy="`refused` and `refused_counts` give the reasons. Do not retry; request another "
            "start or area, and never use a nearby area instead",
        ),
        ProblemKind(
            code="observations-missing",
            title="Observations to start from are missing",
            statuses=(503,),
            error=errors.ObservationsMissingError("JFK", refused=[_UNOBSERVED], retry_after=3600),
            retry=True,
            remedy="retry after `Retry-After` seconds, when the next observation is due, or send "
            "your own",
        ),
        ProblemKind(
            code="observations-stale",
            title="Observations to start from are too old",
            statuses=(503,),
            error=errors.ObservationsStaleError("JFK", refused=[_STALE], retry_after=3600),
            retry=True,
            remedy="retry after `Retry-After` seconds, when the next observation is due, or send "
            "your own",
        ),
        ProblemKind(
            code="observations-unavailable",
            title="The observation database cannot be used",
            statuses=(503,),
            error=errors.ObservationStoreError(),
            public="The observation database cannot be used at the moment. The operator's log has "
            "the reason.",
            retry=True,
            remedy="retry after `Retry-After` seconds",
        ),
        ProblemKind(
            code="invalid-request",
            title="The request is not valid",
            statuses=(400, 422),
            error=errors.InvalidRequestError(["area: Field required"]),
            remedy="`problems` lists everything that is wrong; a retry does not help",
        ),
        ProblemKind(
            code="not-ready",
            title="No verified delivery is loaded yet",
            statuses=(503,),
            error=errors.NotReadyError("the store has not been looked at yet"),
            retry=True,
            remedy="retry after `Retry-After` seconds",
        ),
        ProblemKind(
            code="overloaded",
            title="Too many requests at once",
            statuses=(503,),
            public="The server waits for the bodies of as many requests as it can.",
            retry=True,
            remedy="send the whole body at once, and retry after `Retry-After` seconds",
        ),
        ProblemKind(
            code="body-timeout",
            title="The request body did not arrive in time",
            statuses=(408,),
            public="The server has stopped waiting for the rest of the request body.",
            retry=True,
            remedy="send the whole body at once",
        ),
        ProblemKind("not-found", "Not found", (404,)),
        ProblemKind("method-not-allowed", "Method not allowed", (405,)),
        ProblemKind("body-too-large", "The request body is too large", (413,)),
        ProblemKind("unsupported-media-type", "The request body is not JSON", (415,)),
        ProblemKind(
            code=INTERNAL_ERROR,
            title="Internal error",
            statuses=(500,),
            error=Exception(),
            public="The app failed on this request. The operator's log has the reason.",
            remedy="give the operator the `X-Request-ID` of the answer; the log has it",
        ),
    )
}
"""All problems by code."""

_OF_HTTP = {
    kind.statuses[0]: kind
    for kind in PROBLEMS.values()
    if kind.error is None or kind.code == INTERNAL_ERROR
}


def register_problems(app: Flask) -> None:
    """Turn every exception of a request into a problem."""
    for kind in PROBLEMS.values():
        if kind.error is not None:
            app.register_error_handler(type(kind.error), partial(_answer, kind))
    app.register_error_handler(HTTPException, _answer_http)
    app.before_request(lambda: check_query(request.query_string))


def _answer(kind: ProblemKind, error: Exception) -> Response:
    if kind.public is not None:
        unforeseen = kind.code == INTERNAL_ERROR
        event = "the app failed on a request" if unforeseen else error
        logger.error("%s", event, exc_info=error if unforeseen else None)
    status = error.status if isinstance(error, errors.InvalidRequestError) else kind.statuses[0]
    answer = _respond(kind, kind.problem(status, kind.public or str(error), error))
    if isinstance(error, errors.AwaitingObservationsError):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _answer_http(error: HTTPException) -> Response:
    """Turn what HTTP itself refuses into a problem; redirects pass."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status=status, headers=error.get_headers())
    kind = _OF_HTTP.get(status, PROBLEMS["invalid-request"])
    answer = _respond(kind, kind.problem(status, error.description or kind.title))
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            answer.headers[name] = value
    return answer


def _respond(kind: ProblemKind, problem: Problem) -> Response:
    current_trace().problem = kind.code
    content = problem.model_dump_json()
    answer = Response(content, status=problem.status, content_type=CONTENT_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    if kind.retry:
        answer.headers["Retry-After"] = str(errors.RETRY_SECONDS)
    return answer
