"""The OpenAPI 3.1 document, made of the very models that requests and answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import metadata as packages

from fairweather_interface.software import Software
from openapi_pydantic import (
    Components,
    Info,
    Link,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    Schema,
    Tag,
)
from openapi_pydantic.util import construct_open_api_with_schema_class
from pydantic import BaseModel

from fairweather_app.api.examples import DELIVERY_ID, REQUESTS
from fairweather_app.api.parts import (
    HEADERS,
    HTML,
    IF_NONE_MATCH,
    any_object,
    content,
    headers,
    link,
    operation,
    problem_response,
    query_parameters,
    text,
)
from fairweather_app.api.problems import STATUSES
from fairweather_app.api.schemas import (
    Areas,
    Forecast,
    Health,
    ModelDetail,
    Models,
    ModelsQuery,
    PredictRequest,
    Readiness,
)

OPENAPI = "3.1.1"
TITLE = "fairweather"
QUERY = {"area": "area", "variables": "variable", "reference_time": "reference_time"}
"""The parameters of a forecast in an address, by field of `PredictRequest`."""

_FORECASTS, _MODELS, _OPERATING, _PAGES = "forecasts", "models", "operating", "pages"
_CANNOT_FORECAST: dict[int, tuple[str, ...]] = {
    404: ("unknown-area",),
    422: ("no-applicable-model",),
    503: ("observations-missing", "observations-unavailable", "not-ready"),
}
_DESCRIPTION = """\
Weather forecasts from delivered models, or the reasons why not.

Answers are JSON and times UTC. Every answer that is no success is a problem (RFC 9457); its `type`
ends with a stable code. Every address that takes GET takes HEAD and OPTIONS too; another method is
answered with `method-not-allowed`, another address with `not-found`. `/models` and
`/models/{delivery_id}` answer with a page whoever prefers `text/html`, as browsers do.
"""


@cache
def openapi_document() -> str:
    """The document as JSON."""
    document = OpenAPI(
        openapi=OPENAPI,
        info=Info(title=TITLE, version=_version(), description=_DESCRIPTION),
        tags=[
            Tag(name=_FORECASTS, description="What the weather will be."),
            Tag(name=_MODELS, description="Who says so, and who may not."),
            Tag(name=_OPERATING, description="For those who run the app."),
            Tag(name=_PAGES, description="For people; all HTML."),
        ],
        paths={
            "/weather/predict": PathItem(get=_predict_from_query(), post=_predict_from_body()),
            "/areas": PathItem(get=_areas()),
            "/models": PathItem(get=_list_models()),
            "/models/{delivery_id}": PathItem(get=_model()),
            "/models/{delivery_id}/card/": PathItem(get=_card()),
            "/software": _told("get_software", "What this release supports.", Software),
            "/healthz": _told("is_up", "The process is up.", Health),
            "/readyz": _told(
                "is_ready", "A verified delivery is loaded.", Readiness, problem="not-ready"
            ),
            "/metrics": PathItem(get=_metrics()),
            "/openapi.json": PathItem(get=_this()),
            "/": PathItem(get=_forecast_page()),
            "/coverage": PathItem(get=_coverage_page()),
            "/docs": PathItem(get=_page("docs_page", "This document, to be read and tried.")),
        },
        components=Components(
            headers=dict(HEADERS),
            responses={
                code: problem_response(STATUSES[code][0], (code,))
                for code in ("not-found", "method-not-allowed")
            },
        ),
    )
    complete = construct_open_api_with_schema_class(document)
    return complete.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def _version() -> str:
    return packages.version("fairweather-app")


def _answer(model: type[BaseModel], description: str) -> Response:
    return Response(description=description, headers=headers(), content=content(model))


def _told(
    name: str, summary: str, model: type[BaseModel], *, problem: str | None = None
) -> PathItem:
    problems = {} if problem is None else {STATUSES[problem][0]: (problem,)}
    answer = _answer(model, summary)
    return PathItem(get=operation(name, summary, answer, tag=_OPERATING, problems=problems))


def _predict_from_query() -> Operation:
    kept = headers(ETag="ETag", Cache_Control="Revalidate")
    examples = {
        "area": "JFK",
        "variable": ["temperature"],
        "reference_time": "2013-12-20T00:00:00Z",
    }
    return operation(
        "predict",
        "Forecast an area from the app's own observations.",
        Response(
            description="The forecast.",
            headers=kept,
            content=content(Forecast),
            links={"model": _to_the_model("$response.body#/receipt/delivery_id")},
        ),
        tag=_FORECASTS,
        problems={400: ("invalid-request",), **_CANNOT_FORECAST},
        parameters=[*query_parameters(PredictRequest, QUERY, examples), IF_NONE_MATCH],
        others={"304": Response(description="What you kept still holds.", headers=kept)},
    )


def _predict_from_body() -> Operation:
    return operation(
        "predict_from_observations",
        "Forecast an area, from the observations in the body where there are any.",
        Response(
            description="The forecast.",
            headers=headers(),
            content=content(Forecast),
            links={"model": _to_the_model("$response.body#/receipt/delivery_id")},
        ),
        tag=_FORECASTS,
        problems={
            **_CANNOT_FORECAST,
            400: ("invalid-request",),
            413: ("body-too-large",),
            415: ("unsupported-media-type",),
            422: ("no-applicable-model", "invalid-request"),
        },
        body=RequestBody(required=True, content=content(PredictRequest, examples=REQUESTS)),
    )


def _areas() -> Operation:
    return operation(
        "list_areas",
        "Every area the app knows of.",
        Response(
            description="The areas, whether or not a model serves them.",
            headers=headers(),
            content=content(Areas),
            links={
                "forecast": link(
                    "predict", "A forecast for the first.", area="$response.body#/areas/0/area"
                )
            },
        ),
        tag=_FORECASTS,
        problems={503: ("observations-unavailable",)},
    )


def _list_models() -> Operation:
    names = {name: name for name in ModelsQuery.model_fields}
    examples = {
        "state": "live",
        "area": "JFK",
        "q": "coast team",
        "limit": 100,
        "after": DELIVERY_ID,
    }
    return operation(
        "list_models",
        "Deliveries with their states, a page at a time.",
        Response(
            description="Deliveries by id; next is where there are more.",
            headers=headers(),
            content=content(Models) | text(HTML),
            links={"model": _to_the_model("$response.body#/models/0/delivery_id")},
        ),
        tag=_MODELS,
        problems={400: ("invalid-request",)},
        parameters=query_parameters(ModelsQuery, names, examples),
        page=True,
    )


def _model() -> Operation:
    return operation(
        "get_model",
        "One delivery, with all that it declares.",
        Response(
            description="The delivery.",
            headers=headers(),
            content=content(ModelDetail) | text(HTML),
        ),
        tag=_MODELS,
        problems={404: ("unknown-delivery", "not-found")},
        parameters=[_delivery_id()],
        page=True,
    )


def _card() -> Operation:
    return operation(
        "get_model_card",
        "The model card, to be read by people.",
        _html("The card."),
        tag=_MODELS,
        problems={404: ("unknown-delivery", "not-found")},
        parameters=[_delivery_id()],
    )


def _metrics() -> Operation:
    answer = Response(
        description="Numbers for Prometheus.", headers=headers(), content=text("text/plain")
    )
    return operation("get_metrics", "What Prometheus reads.", answer, tag=_OPERATING)


def _this() -> Operation:
    begins = {"openapi": OPENAPI, "info": {"title": TITLE, "version": _version()}, "paths": {}}
    answer = Response(description="This document.", headers=headers(), content=any_object(begins))
    return operation("get_openapi", "This interface, as OpenAPI 3.1.", answer, tag=_OPERATING)


def _page(name: str, summary: str, parameters: Sequence[Parameter] = ()) -> Operation:
    return operation(name, summary, _html("The page."), tag=_PAGES, parameters=parameters)


def _html(description: str) -> Response:
    policy = headers(Content_Security_Policy="Content-Security-Policy")
    return Response(description=description, headers=policy, content=text(HTML))


def _forecast_page() -> Operation:
    return operation(
        "forecast_page",
        "The week for an area, or the choice of areas.",
        _html("The page."),
        tag=_PAGES,
        parameters=[
            _said(
                "area", "The area; without it, the one that was read last, or the choice.", "JFK"
            ),
            _said(
                "reference_time", "When to start, in local time or with a zone.", "2013-12-20T08:00"
            ),
            _said("units", "C or F.", "F"),
        ],
        others={
            "302": Response(description="To the area that was read last.", headers=headers()),
            "400": _html("It cannot be read."),
            "404": _html("Nobody knows the area."),
            "422": _html("No model may answer, and why; or it cannot be asked."),
            "503": _html("Observations are missing or cannot be read, or nothing is ready yet."),
        },
    )


def _coverage_page() -> Operation:
    return _page(
        "coverage_page",
        "Areas, variables and months: who answers there, and where nobody does.",
        [
            _said("q", "Only areas whose name holds this.", "FK"),
            _said("after", "The last area of the page before.", "EWR"),
        ],
    )


def _said(name: str, description: str, example: str) -> Parameter:
    """A parameter of a page: any text, of which the page makes what it can."""
    return Parameter.model_validate(
        {
            "name": name,
            "in": "query",
            "description": description,
            "schema": Schema(type="string"),
            "example": example,
        }
    )


def _delivery_id() -> Parameter:
    return Parameter.model_validate(
        {
            "name": "delivery_id",
            "in": "path",
            "required": True,
            "description": "As receipts and /models tell it.",
            "schema": Schema(type="string", pattern="^[^/]+$"),
            "example": DELIVERY_ID,
        }
    )


def _to_the_model(where: str) -> Link:
    return link("get_model", "Who answered, or may.", delivery_id=where)
