"""Problems: every answer that is not a success, as ``application/problem+json`` (RFC 9457).

An operator reads the log, a client reads the problem and never a stack trace. Each code is one row
of `PROBLEMS`: the handlers, the OpenAPI document and the handbook's tables follow it.
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
        code: what programs decide by.
        title: the code in words.
        statuses: the HTTP statuses that come with it.
        error: what is raised for it; None where HTTP itself refuses.
        public: what clients are told; where it is absent, the error's own words. What is not fit
            for them is in the log.
        retry: whether it may be gone soon, and by itself.
        remedy: what a client does about it.
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
        """Return a problem of this kind with one of its statuses."""
        return Problem(type=f"/problems/{self.code}", title=self.title, status=status, **members)

    def example(self, status: int) -> Problem:
        """Return a problem of this kind as it may be answered."""
        detail = self.public or HTTPStatus(status).description or self.title
        return self.body(status, **{"detail": detail, **self.shown})


def _shown(detail: str, **refused: str) -> dict[str, Any]:
    """Return the example of a problem that one delivery refuses."""
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
            title="Nobody knows this area",
            statuses=(404,),
            error=UnknownAreaError,
            remedy="`areas` has the names there are",
            shown={
                "detail": "nobody knows the area 'Atlantis'; the areas there are: EWR, JFK",
                "areas": ["EWR", "JFK"],
            },
        ),
        ProblemKind(
            code="unknown-delivery",
            title="No such delivery is known",
            statuses=(404,),
            error=UnknownDeliveryError,
            shown={"detail": str(UnknownDeliveryError(_OTHER_ID))},
        ),
        ProblemKind(
            code="no-applicable-model",
            title="No model declares itself fit for this request",
            statuses=(422,),
            error=NoApplicableModelError,
            remedy="`refused` and `refused_counts` say why. Do not ask again; ask for another "
            "start or area, and never take a nearby area instead",
            shown=_shown(
                "no model may answer for JFK; refused: 1 with out-of-season",
                delivery_id=_OTHER_ID,
                model_type="SummerHumidityPredictor",
                code="out-of-season",
                reason="it may be asked for June, July and August, and not for December",
            ),
        ),
        ProblemKind(
            code="observations-missing",
            title="Observations to start from are missing",
            statuses=(503,),
            error=ObservationsMissingError,
            remedy="wait for observations, or bring your own",
            shown=_shown(
                "observations for JFK are missing: temperature of JFK lacks 168 of 720 values",
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
            public="the observation database cannot be used at the moment; the operator's log "
            "says why",
            retry=True,
            remedy="ask again after `Retry-After` seconds",
        ),
        ProblemKind(
            code="invalid-request",
            title="The request is not valid",
            statuses=(400, 422),
            error=InvalidRequestError,
            remedy="`problems` lists everything that is wrong; asking again does not help",
            shown={"detail": "area: Field required", "problems": ["area: Field required"]},
        ),
        ProblemKind(
            code="not-ready",
            title="No verified delivery is loaded yet",
            statuses=(503,),
            error=NotReadyError,
            retry=True,
            remedy="ask again after `Retry-After` seconds",
            shown={"detail": "the store has not been looked at yet"},
        ),
        ProblemKind("not-found", "There is nothing at this address", (404,)),
        ProblemKind("method-not-allowed", "This address does not take this method", (405,)),
        ProblemKind("body-too-large", "The request body is too large", (413,)),
        ProblemKind("unsupported-media-type", "The request body is not JSON", (415,)),
        ProblemKind(
            code=INTERNAL_ERROR,
            title="The app failed on this request",
            statuses=(500,),
            error=Exception,
            public="the app failed on this request; the operator's log says where",
            remedy="tell the operator the `X-Request-ID` of the answer; the log has it",
        ),
    )
}
"""Every problem there is, by its code."""

_OF_HTTP = {each.statuses[0]: each for each in PROBLEMS.values() if each.error in {None, Exception}}


def register_problems(app: Flask) -> None:
    """Turn everything that is raised while a request is answered into a problem."""
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
    """Redirects pass; everything else that HTTP itself refuses becomes a problem."""
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
    answer.headers["Cache-Control"] = "no-store"  # it may be otherwise at the next moment
    if kind.retry:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer
