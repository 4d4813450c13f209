"""Per-request bookkeeping: request id, trace, metrics and the line in the access log."""

from __future__ import annotations

import random
import re
from http import HTTPStatus
from time import perf_counter
from typing import cast

from flask import Flask, Response, g, request

from fairweather_app.common.logging import REQUEST_ID, request_log
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.forecasting.context import AppContext
from fairweather_app.text import cut

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
PREDICT = "/weather/predict"
LOGS_REQUESTS = "FAIRWEATHER_LOGS_REQUESTS"
"""Key of the Flask config: whether each request leaves a line. `create_app` does not set it."""


def begin(given: str | None) -> RequestTrace:
    """Start the trace of a request; a client's well-formed ``X-Request-ID`` is its id."""
    if not (given and _WELL_FORMED.fullmatch(given)):
        given = f"{random.getrandbits(128):032x}"
    REQUEST_ID.set(given)
    return RequestTrace(given)


def end() -> None:
    """Leave the request: no line that is logged from now on carries its id."""
    REQUEST_ID.set("")


def current_trace() -> RequestTrace:
    """Return the trace of the request that Flask answers now."""
    return cast("RequestTrace", g.setdefault("trace", RequestTrace()))


class RequestLog:
    """Counts requests that are done, and writes their lines where requests are logged."""

    def __init__(self, app: Flask, app_context: AppContext) -> None:
        # which files it counts in is decided at import: as late as can be
        from fairweather_app.api import metrics  # noqa: PLC0415

        self._metrics = metrics
        self._config = app.config
        self._context = app_context

    def record(
        self, trace: RequestTrace, *, route: str, method: str, path: str, status: int
    ) -> None:
        """Count a request and write its line, without what it did not have; to be called once."""
        seconds = perf_counter() - trace.started
        if route == PREDICT:
            trace.stages["total"] = seconds
        code = trace.problem or ("error" if status >= HTTPStatus.BAD_REQUEST else "")
        area = self._metrics.area_label(self._context.catalogue.snapshot, trace.area)
        self._metrics.count_request(trace, route, status, code, area)
        if not self._config.get(LOGS_REQUESTS):
            return
        fields: dict[str, object] = {
            "request_id": trace.request_id,
            "method": method,
            "path": cut(path),
            "status": status,
            "ms": round(seconds * 1000, 3),
            "problem": trace.problem,
            "area": trace.area,
            "delivery_id": trace.delivery_id,
            "memo": trace.cache,
            "passed_over": dict(trace.refusals) or None,
        }
        for name in trace.stages.keys() - {"total"}:
            fields[f"{name}_ms"] = round(trace.stages[name] * 1000, 3)
        given = {name: value for name, value in fields.items() if value is not None}
        request_log(self._context.settings.log_format)(**given)


def install_request_log(app: Flask, app_context: AppContext) -> RequestLog:
    """Give every request an id, its own if well-formed, count it and, where asked for, log it."""
    log = RequestLog(app, app_context)

    @app.before_request
    def _begin() -> None:
        g.trace = begin(request.headers.get(HEADER))

    @app.after_request
    def _record(response: Response) -> Response:
        trace = current_trace()
        if not trace.request_id:  # a handler of its own making answered before the request began
            return response
        log.record(
            trace,
            route=request.url_rule.rule if request.url_rule else "none",
            method=request.method,
            path=request.path,
            status=response.status_code,
        )
        response.headers[HEADER] = trace.request_id
        return response

    app.teardown_request(lambda _error: end())
    return log
