"""Problems: every answer that is not a success, as ``application/problem+json`` (RFC 9457).

An operator reads the log, a client reads the problem: neither ever sees a stack trace of the
other's making.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from fairweather_app import trail
from fairweather_app.api.schemas import Problem, first_refusals
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

CONTENT_TYPE = "application/problem+json"

CODES = {
    "unknown-area": "Nobody knows this area",
    "unknown-delivery": "No such delivery is known",
    "no-applicable-model": "No model declares itself fit for this request",
    "observations-missing": "Observations to start from are missing",
    "observations-unavailable": "The observation database cannot be used",
    "invalid-request": "The request is not valid",
    "not-ready": "No verified delivery is loaded yet",
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address does not take this method",
    "body-too-large": "The request body is too large",
    "unsupported-media-type": "The request body is not JSON",
    "internal-error": "The app failed on this request",
}
"""Every code a problem can have, with its title."""

STATUSES = {
    "unknown-area": (404,),
    "unknown-delivery": (404,),
    "no-applicable-model": (422,),
    "observations-missing": (503,),
    "observations-unavailable": (503,),
    "invalid-request": (400, 422),
    "not-ready": (503,),
    "not-found": (404,),
    "method-not-allowed": (405,),
    "body-too-large": (413,),
    "unsupported-media-type": (415,),
    "internal-error": (500,),
}
"""The HTTP statuses that come with each code."""

_BY_STATUS = {
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body-too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal-error",
}

logger = logging.getLogger(__name__)


def problem(
    code: str,
    status: int,
    detail: str,
    *,
    problems: tuple[str, ...] | None = None,
    areas: tuple[str, ...] | None = None,
    error: NoApplicableModelError | None = None,
) -> Response:
    """Build the answer of one problem."""
    trail.current().problem = code
    content = Problem(
        type=f"/problems/{code}",
        title=CODES[code],
        status=status,
        detail=detail,
        problems=None if problems is None else list(problems),
        areas=None if areas is None else list(areas),
        refused=None if error is None else first_refusals(error.refused),
        refused_counts=None if error is None else error.refused_counts,
    )
    answer = Response(content.model_dump_json(), status=status, content_type=CONTENT_TYPE)
    answer.headers["Cache-Control"] = "no-store"  # it may be otherwise at the next moment
    return answer


def register_problems(app: Flask) -> None:
    """Turn everything that is raised while a request is answered into a problem."""
    app.register_error_handler(NotReadyError, _not_ready)
    app.register_error_handler(UnknownAreaError, _unknown_area)
    app.register_error_handler(UnknownDeliveryError, _unknown_delivery)
    app.register_error_handler(ObservationsMissingError, _observations_missing)
    app.register_error_handler(NoApplicableModelError, _no_applicable_model)
    app.register_error_handler(InvalidRequestError, _invalid_request)
    app.register_error_handler(ObservationStoreError, _observations_unavailable)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _internal_error)


def _not_ready(error: NotReadyError) -> Response:
    return _again_later(problem("not-ready", HTTPStatus.SERVICE_UNAVAILABLE, str(error)))


def _unknown_area(error: UnknownAreaError) -> Response:
    return problem("unknown-area", HTTPStatus.NOT_FOUND, str(error), areas=error.known)


def _unknown_delivery(error: UnknownDeliveryError) -> Response:
    return problem("unknown-delivery", HTTPStatus.NOT_FOUND, str(error))


def _observations_missing(error: ObservationsMissingError) -> Response:
    return problem("observations-missing", HTTPStatus.SERVICE_UNAVAILABLE, str(error), error=error)


def _no_applicable_model(error: NoApplicableModelError) -> Response:
    return problem("no-applicable-model", HTTPStatus.UNPROCESSABLE_ENTITY, str(error), error=error)


def _invalid_request(error: InvalidRequestError) -> Response:
    return problem("invalid-request", error.status, str(error), problems=error.problems)


def _observations_unavailable(error: ObservationStoreError) -> Response:
    logger.error("%s", error)
    answer = problem(
        "observations-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the observation database cannot be used at the moment; the operator's log says why",
    )
    return _again_later(answer)


def _again_later(answer: Response) -> Response:
    """Say when to ask again: what stands in the way may be gone soon, and by itself."""
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _of_http(error: HTTPException) -> Response:
    """Redirects pass; everything else that HTTP itself refuses becomes a problem."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status=status, headers=error.get_headers())
    code = _BY_STATUS.get(HTTPStatus(status), "invalid-request")
    answer = problem(code, status, error.description or CODES[code])
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            answer.headers[name] = value
    return answer


def _internal_error(error: Exception) -> Response:
    logger.error("the app failed on a request", exc_info=error)
    return problem(
        "internal-error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the app failed on this request; the operator's log says where",
    )
