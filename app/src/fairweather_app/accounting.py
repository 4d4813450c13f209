"""What is done around every request: its id, its trail, its numbers, its line in the log."""

from __future__ import annotations

import re
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

from flask import Flask, Response, request

from fairweather_app import trail
from fairweather_app.app_context import AppContext
from fairweather_app.logs import request_log

REQUEST_ID = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_UNKNOWN_ROUTE = "none"
_PREDICT = "/weather/predict"
LOGS_REQUESTS = "FAIRWEATHER_LOGS_REQUESTS"
"""Key of the Flask config: whether each request leaves a line. `create_app` does not set it."""


def account_for_requests(app: Flask, app_context: AppContext) -> None:
    """From now on every request has an id, is counted, and may leave a line in the log.

    A client's ``X-Request-ID`` is kept when it is well-formed, else one is made; it is answered.
    """
    # which files it counts in is decided at import: as late as can be
    from fairweather_app.metrics import CONTENT_TYPE, area_label, count_request, exposition  # noqa: PLC0415

    form = app_context.settings.log_format

    @app.get("/metrics")
    def metrics() -> Response:
        """What Prometheus reads."""
        return Response(exposition(app_context), content_type=CONTENT_TYPE)

    @app.before_request
    def _begin() -> None:
        given = request.headers.get(REQUEST_ID, "")
        trail.begin(given if _WELL_FORMED.fullmatch(given) else uuid4().hex)

    @app.after_request
    def _account(response: Response) -> Response:
        done = trail.current()
        if done is None:  # a handler of its own making answered before any request was begun
            return response
        seconds = perf_counter() - done.started
        route = request.url_rule.rule if request.url_rule else _UNKNOWN_ROUTE
        if route == _PREDICT:
            done.stages["total"] = seconds
        code = done.problem or ""
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            code = code or "error"
        area = area_label(app_context.catalogue.snapshot, done.area)
        count_request(done, route, response.status_code, code, area)
        response.headers[REQUEST_ID] = done.request_id
        if app.config.get(LOGS_REQUESTS):
            request_log(form)(**_line(done, response.status_code, seconds))
        return response

    @app.teardown_request
    def _end(_error: BaseException | None) -> None:
        trail.end()


def _line(done: trail.Trail, status: int, seconds: float) -> dict[str, object]:
    """The fields of a request's line; what a request did not have is left out."""
    fields: dict[str, object] = {
        "request_id": done.request_id,
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round(seconds * 1000, 3),
        "problem": done.problem,
        "area": done.area,
        "delivery_id": done.delivery_id,
        "memo": done.memo,
        "passed_over": dict(done.refusals) or None,
    }
    stages = {f"{name}_ms": round(each * 1000, 3) for name, each in done.stages.items()}
    stages.pop("total_ms", None)
    return {name: value for name, value in (fields | stages).items() if value is not None}
