"""What is done around every request: its id, its trail, its numbers, its line in the log."""

from __future__ import annotations

import random
import re
from http import HTTPStatus
from time import perf_counter

from flask import Flask, Response, request

from fairweather_app import trail
from fairweather_app.app_context import AppContext
from fairweather_app.logs import request_log

REQUEST_ID = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_UNKNOWN_ROUTE = "none"
PREDICT = "/weather/predict"
LOGS_REQUESTS = "FAIRWEATHER_LOGS_REQUESTS"
"""Key of the Flask config: whether each request leaves a line. `create_app` does not set it."""


def begin(given: str | None) -> trail.Trail:
    """Start the trail of a request; a client's well-formed ``X-Request-ID`` is its id."""
    if given and _WELL_FORMED.fullmatch(given):
        return trail.begin(given)
    return trail.begin(f"{random.getrandbits(128):032x}")


class Accounts:
    """Where requests are accounted for when they are done: the numbers, and the log."""

    def __init__(self, app: Flask, app_context: AppContext) -> None:
        # which files it counts in is decided at import: as late as can be
        from fairweather_app.metrics import area_label, count_request  # noqa: PLC0415

        self._config = app.config
        self._context = app_context
        self._label, self._count = area_label, count_request

    def close(self, done: trail.Trail, *, route: str, method: str, path: str, status: int) -> None:
        """Count a request, and write its line where requests are logged."""
        seconds = perf_counter() - done.started
        if route == PREDICT:
            done.stages["total"] = seconds
        code = done.problem or ""
        if status >= HTTPStatus.BAD_REQUEST:
            code = code or "error"
        area = self._label(self._context.catalogue.snapshot, done.area)
        self._count(done, route, status, code, area)
        if self._config.get(LOGS_REQUESTS):
            said = _line(done, method, path, status, seconds)
            request_log(self._context.settings.log_format)(**said)


def account_for_requests(app: Flask, app_context: AppContext) -> Accounts:
    """From now on every request has an id, is counted, and may leave a line in the log.

    A client's ``X-Request-ID`` is kept when it is well-formed, else one is made; it is answered.
    """
    from fairweather_app.metrics import CONTENT_TYPE, exposition  # noqa: PLC0415 - as above

    accounts = Accounts(app, app_context)

    @app.get("/metrics")
    def metrics() -> Response:
        """What Prometheus reads."""
        return Response(exposition(app_context), content_type=CONTENT_TYPE)

    @app.before_request
    def _begin() -> None:
        begun = request.environ.pop(trail.KEY, None)
        if begun is None:
            begin(request.headers.get(REQUEST_ID))
        else:
            trail.resume(begun)

    @app.after_request
    def _account(response: Response) -> Response:
        done = trail.current()
        if not done.request_id:  # a handler of its own making answered before any request was begun
            return response
        accounts.close(
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
        trail.end()

    return accounts


def _line(
    done: trail.Trail, method: str, path: str, status: int, seconds: float
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
