"""What is done around every request: its id, its trail, its numbers, its line in the log."""

from __future__ import annotations

import random
import re
from http import HTTPStatus
from time import perf_counter
from typing import Protocol

from flask import Flask, Response, request

from fairweather_app.api.operation import Operation
from fairweather_app.common import request_trace
from fairweather_app.common.logging import request_log
from fairweather_app.forecasting.context import AppContext

REQUEST_ID = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_UNKNOWN_ROUTE = "none"
PREDICT = "/weather/predict"
LOGS_REQUESTS = "FAIRWEATHER_LOGS_REQUESTS"
"""Key of the Flask config: whether each request leaves a line. `create_app` does not set it."""


def begin(given: str | None) -> request_trace.Trail:
    """Start the trail of a request; a client's well-formed ``X-Request-ID`` is its id."""
    if given and _WELL_FORMED.fullmatch(given):
        return request_trace.begin(given)
    return request_trace.begin(f"{random.getrandbits(128):032x}")


class Account(Protocol):
    """Counts a request that is done, and writes its line where requests are logged."""

    def __call__(
        self, done: request_trace.Trail, *, route: str, method: str, path: str, status: int
    ) -> None:
        """Do so, once for each request."""


def account_for_requests(app: Flask, app_context: AppContext) -> Account:
    """Give every request an id, count it and, where that is asked for, write its line in the log.

    A client's ``X-Request-ID`` is kept when it is well-formed, else one is made; it is answered.
    What answers requests before Flask does has to call what is returned.
    """
    # which files it counts in is decided at import: as late as can be
    from fairweather_app.api.metrics import (  # noqa: PLC0415
        CONTENT_TYPE,
        area_label,
        count_request,
        exposition,
    )

    def account(
        done: request_trace.Trail, *, route: str, method: str, path: str, status: int
    ) -> None:
        seconds = perf_counter() - done.started
        if route == PREDICT:
            done.stages["total"] = seconds
        code = done.problem or ""
        if status >= HTTPStatus.BAD_REQUEST:
            code = code or "error"
        area = area_label(app_context.catalogue.snapshot, done.area)
        count_request(done, route, status, code, area)
        if app.config.get(LOGS_REQUESTS):
            fields = _line(done, method, path, status, seconds)
            request_log(app_context.settings.log_format)(**fields)

    @app.get("/metrics")
    @Operation(
        name="get_metrics",
        summary="What Prometheus reads.",
        tag="operating",
        answer="text/plain",
        means="Numbers for Prometheus.",
    )
    def metrics() -> Response:
        """What Prometheus reads."""
        return Response(exposition(app_context), content_type=CONTENT_TYPE)

    @app.before_request
    def _begin() -> None:
        begin(request.headers.get(REQUEST_ID))

    @app.after_request
    def _account(response: Response) -> Response:
        done = request_trace.current()
        if not done.request_id:  # a handler of its own making answered before any request was begun
            return response
        account(
            done,
            route=request.url_rule.rule if request.url_rule else _UNKNOWN_ROUTE,
            method=request.method,
            path=request.path,
            status=response.status_code,
        )
        response.headers[REQUEST_ID] = done.request_id
        return response

    @app.teardown_request
    def _end(_error: BaseException | None) -> None:
        request_trace.end()

    return account


def _line(
    done: request_trace.Trail, method: str, path: str, status: int, seconds: float
) -> dict[str, object]:
    """The fields of a request's line; what a request did not have is left out."""
    fields: dict[str, object] = {
        "request_id": done.request_id,
        "method": method,
        "path": path,
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
