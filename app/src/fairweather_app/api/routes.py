"""The addresses of the HTTP interface, and what each answers."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import PurePosixPath

import flask
from fairweather_interface.delivery import CARD
from fairweather_interface.software import Software, dump_software
from flask import Blueprint, Response, request
from pydantic import BaseModel
from werkzeug.exceptions import NotFound, RequestEntityTooLarge, UnsupportedMediaType

from fairweather_app.api import schemas
from fairweather_app.api.extensions import CODINGS
from fairweather_app.api.forecast_response import current_responses
from fairweather_app.api.model_listing import model_detail, models_page, store_report
from fairweather_app.api.operation import Operation
from fairweather_app.api.request_log import current_trace
from fairweather_app.api.requests import (
    IDENTITY,
    QUERY,
    UnsupportedCodingError,
    read_body,
    read_models_query,
    read_query,
)
from fairweather_app.errors import NotReadyError
from fairweather_app.forecasting.areas import area_summaries
from fairweather_app.forecasting.context import current_context
from fairweather_app.models_backend.software import describe_software
from fairweather_app.text import cut

CARD_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"

CARD_TYPES = {".html": "text/html", ".json": "application/json", ".png": "image/png"}
"""No script or style: with our origin they would be ours to a page. Anything else is only bytes."""

LARGEST_CARD = 16 << 20
"""Bytes of a file that is read for an answer."""

CARD_FOLDER = CARD.split("/", maxsplit=1)[0]

CANNOT_FORECAST = (
    *("unknown-area", "no-applicable-model", "not-ready"),
    *("observations-missing", "observations-stale", "observations-unavailable"),
)

UNFINISHED = ("body-timeout", "overloaded")

_FIELDS = {"variable": "variables"}
"""Parameters that are called otherwise than the field of `PredictRequest`."""

api = Blueprint("api", __name__)


def _to_the_model(delivery_id: str) -> dict[str, object]:
    return {
        "operationId": "get_model",
        "description": "Who answered, or may.",
        "parameters": {"delivery_id": delivery_id},
    }


@api.after_app_request
def _forbid_sniffing(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


@api.get("/weather/predict")
@Operation(
    tag="forecasts",
    answer=schemas.Forecast,
    means="The forecast.",
    query=(schemas.PredictRequest, {each: _FIELDS.get(each, each) for each in QUERY}),
    parameters=("If-None-Match",),
    headers={"ETag": "ETag", "Cache-Control": "Revalidate"},
    also={304: "What you kept still holds."},
    links={"model": _to_the_model("$response.body#/receipt/delivery_id")},
    problems=CANNOT_FORECAST,
    invalid=(400,),
)
def predict() -> Response:
    """Forecast an area from the app's own observations.

    The answer may be another one as soon as an observation or a delivery arrives, so a client that
    keeps it has to revalidate it: with its ``ETag`` that is 304 without a body.
    """
    found = current_responses().get(read_query(request.query_string), current_trace())
    headers = {"Cache-Control": "no-cache", "ETag": found.etag}
    if "HTTP_IF_NONE_MATCH" in request.environ:
        tag = found.etag.strip('"')
        for form in (tag, *(f"{tag}:{coding}" for coding in CODINGS)):  # compressed or not
            if request.if_none_match.contains_weak(form):
                headers["ETag"] = f'"{form}"'
                return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.body, content_type="application/json", headers=headers)


@api.post("/weather/predict")
@Operation(
    tag="forecasts",
    answer=schemas.Forecast,
    means="The forecast.",
    body=schemas.PredictRequest,
    links={"model": _to_the_model("$response.body#/receipt/delivery_id")},
    problems=(*CANNOT_FORECAST, "body-too-large", "unsupported-media-type", *UNFINISHED),
    invalid=(400, 422),
)
def predict_from_observations() -> Response:
    """Forecast an area, from the observations in the body where there are any."""
    coding = request.headers.get("Content-Encoding", IDENTITY)
    if coding.lower() != IDENTITY:
        raise UnsupportedCodingError(coding)
    if not request.is_json:
        found = cut(request.content_type or "no content type")
        raise UnsupportedMediaType(f"found {found}; expected application/json")
    body = request.get_data(cache=False)
    if len(body) > current_context().settings.body_limit:  # a body of unknown length is cut
        raise RequestEntityTooLarge
    asked = read_body(body)
    made = current_responses().make(asked, current_trace())
    return Response(made.body, content_type="application/json")


@api.get("/areas")
@Operation(
    tag="forecasts",
    answer=schemas.Areas,
    means="The areas, whether or not a model serves them.",
    links={
        "forecast": {
            "operationId": "predict",
            "description": "A forecast for the first.",
            "parameters": {"area": "$response.body#/areas/0/area"},
        }
    },
    problems=("observations-unavailable",),
)
def list_areas() -> Response:
    """List every area the app knows of, and what there is for it."""
    context = current_context()
    return _json(
        schemas.Areas(areas=area_summaries(context.catalogue.snapshot.contents, context.windows))
    )


@api.get("/models")
@Operation(
    tag="models",
    answer=schemas.Models,
    means="Deliveries by id; next is where there are more.",
    page=True,
    query=(schemas.ModelsQuery, {each: each for each in schemas.ModelsQuery.model_fields}),
    links={"model": _to_the_model("$response.body#/models/0/delivery_id")},
    invalid=(400,),
)
def list_models() -> Response:
    """List the deliveries the app knows of, each with its state and the reason for it."""
    query = read_models_query(request.args.items(multi=True))
    return _json(models_page(current_context(), query))


@api.get("/models/<delivery_id>")
@Operation(
    tag="models",
    answer=schemas.ModelDetail,
    means="The delivery.",
    page=True,
    problems=("unknown-delivery", "not-found"),
)
def get_model(delivery_id: str) -> Response:
    """Describe one delivery, with its metadata, unknown fields included."""
    return _json(model_detail(current_context(), delivery_id))


@api.get("/models/<delivery_id>/card/")
@api.get("/models/<delivery_id>/card/<path:name>")
@Operation(
    tag="models",
    answer="text/html",
    means="The card.",
    headers={"Content-Security-Policy": "Content-Security-Policy"},
    problems=("unknown-delivery", "not-found"),
)
def get_model_card(delivery_id: str, name: str = "index.html") -> Response:
    """Show the model card.

    In a sandbox, because who can write to the store can write cards; and only files that the
    manifest of a verified delivery lists.
    """
    catalogue = current_context().catalogue
    delivery = catalogue.delivery(catalogue.snapshot.entry(delivery_id))
    path = f"{CARD_FOLDER}/{name}"
    listed = None if delivery is None else delivery.manifest.files.get(path)
    if delivery is None or listed is None:
        raise NotFound(f"delivery {delivery_id} has no file {path}")
    if listed.size > LARGEST_CARD:
        raise NotFound(f"{path} is larger than {LARGEST_CARD >> 20} MB: open it in the store")
    try:
        content = (delivery.path / path).read_bytes()
    except OSError:
        raise NotFound(f"the app's copy of {path} is gone; it comes back with a restart") from None
    kind = CARD_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
    answer = Response(content, mimetype=kind)
    answer.headers["Content-Security-Policy"] = CARD_POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@api.get("/software")
@Operation(tag="operating", answer=Software, means="What this release supports.")
def get_software() -> Response:
    """Return what this release supports: its software manifest."""
    content = dump_software(describe_software(current_context().catalogue.backends))
    return Response(content, mimetype="application/json")


@api.get("/healthz")
@Operation(tag="operating", answer=schemas.Health, means="The process is up.")
def is_up() -> Response:
    """Report that the process is up."""
    return _json(schemas.Health())


@api.get("/readyz")
@Operation(
    tag="operating",
    answer=schemas.Readiness,
    means="A verified delivery is loaded.",
    problems=("not-ready",),
)
def is_ready() -> Response:
    """Report that at least one verified delivery is loaded."""
    snapshot = current_context().catalogue.snapshot
    if snapshot.live:
        at = snapshot.checked_at
        answer = schemas.Readiness(
            status="degraded" if snapshot.problem else "ready",
            live=len(snapshot.live),
            store=store_report(snapshot),
            look_age_seconds=None if at is None else (datetime.now(UTC) - at).total_seconds(),
        )
        return _json(answer)
    none = f"none of {len(snapshot.entries)} deliveries is live; /models says why"
    raise NotReadyError(snapshot.not_ready or none)


@api.get("/openapi.json")
@Operation(tag="operating", answer="application/json", means="This document.")
def get_openapi() -> Response:
    """Return this interface, as OpenAPI 3.1."""
    from fairweather_app.api.openapi import openapi_document  # noqa: PLC0415 - few ask for it

    document = openapi_document(flask.current_app, request.script_root)
    return Response(document, mimetype="application/json")


@api.get("/metrics")
@Operation(tag="operating", answer="text/plain", means="Numbers for Prometheus.")
def get_metrics() -> Response:
    """Return what Prometheus reads."""
    from fairweather_app.api import metrics  # noqa: PLC0415 - see `request_log`

    return Response(metrics.exposition(current_context()), content_type=metrics.CONTENT_TYPE)


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), mimetype="application/json")
