"""The OpenAPI 3.1 document, made of the very models that requests and answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import metadata as packages
from typing import Any

from fairweather_interface.software import Software
from openapi_pydantic import (
    Info,
    MediaType,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    Schema,
)
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from fairweather_app.api.schemas import (
    Areas,
    Forecast,
    Health,
    ModelDetail,
    Models,
    ModelsQuery,
    PredictRequest,
    Problem,
    Readiness,
)

_OF_A_PARAMETER = {"type", "enum", "minimum", "maximum"}
_PROBLEMS = {
    "400": "invalid-request: the request cannot be read.",
    "404": "unknown-area (the answer lists the areas there are), unknown-delivery or not-found.",
    "405": "method-not-allowed.",
    "413": "body-too-large.",
    "415": "unsupported-media-type.",
    "422": "no-applicable-model, with the refusals; or invalid-request.",
    "503": "observations-missing, observations-unavailable or not-ready.",
}


@cache
def openapi_document() -> str:
    """The document as JSON."""
    document = OpenAPI(
        openapi="3.1.1",
        info=Info(
            title="fairweather",
            version=packages.version("fairweather-app"),
            description="Weather forecasts from delivered models, or the reasons why not.",
        ),
        paths={
            "/weather/predict": PathItem(get=_predict_from_query(), post=_predict_from_body()),
            "/areas": _page("list_areas", "Every area the app knows of.", Areas, "503"),
            "/models": PathItem(get=_list_models()),
            "/models/{delivery_id}": PathItem(
                get=_operation(
                    "get_model", "One delivery.", ModelDetail, "404", parameters=[_delivery_id()]
                )
            ),
            "/models/{delivery_id}/card/": PathItem(get=_card()),
            "/software": _page("get_software", "What this release supports.", Software),
            "/healthz": _page("is_up", "The process is up.", Health),
            "/readyz": _page("is_ready", "A verified delivery is loaded.", Readiness, "503"),
        },
    )
    complete = construct_open_api_with_schema_class(document)
    return complete.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def _content(model: type[BaseModel], kind: str = "application/json") -> dict[str, MediaType]:
    return {kind: MediaType(schema=PydanticSchema(schema_class=model))}


def _operation(
    name: str,
    summary: str,
    answer: type[BaseModel],
    *problems: str,
    parameters: Sequence[Parameter] = (),
    body: RequestBody | None = None,
) -> Operation:
    responses = {"200": Response(description=summary, content=_content(answer))}
    for status in problems:
        responses[status] = Response(
            description=_PROBLEMS[status], content=_content(Problem, "application/problem+json")
        )
    return Operation(
        operationId=name,
        summary=summary,
        parameters=list(parameters) or None,
        requestBody=body,
        responses=dict(responses),
    )


def _page(name: str, summary: str, answer: type[BaseModel], *problems: str) -> PathItem:
    return PathItem(get=_operation(name, summary, answer, *problems))


def _parameter(name: str, description: str, schema: Schema, *, required: bool) -> Parameter:
    return Parameter.model_validate(
        {
            "name": name,
            "in": "query",
            "description": description,
            "required": required,
            "schema": schema,
        }
    )


def _predict_from_query() -> Operation:
    text = Schema(type="string", minLength=1)
    return _operation(
        "predict",
        "Forecast an area from the app's own observations.",
        Forecast,
        *("400", "404", "422", "503"),
        parameters=[
            _parameter("area", "The area the forecast is for.", text, required=True),
            _parameter(
                "variable",
                "What is wanted; may be repeated. Everything there is, if absent.",
                Schema(type="array", items=text, minItems=1),
                required=False,
            ),
            _parameter(
                "reference_time",
                "When the forecast starts, with its zone; the app's clock tells, if absent.",
                Schema(type="string", schema_format="date-time"),
                required=False,
            ),
        ],
    )


def _predict_from_body() -> Operation:
    return _operation(
        "predict_from_observations",
        "Forecast an area, from the observations in the body where there are any.",
        Forecast,
        *("400", "404", "413", "415", "422", "503"),
        body=RequestBody(required=True, content=_content(PredictRequest)),
    )


def _list_models() -> Operation:
    declared = ModelsQuery.model_json_schema()["properties"]
    return _operation(
        "list_models",
        "Deliveries with their states, a page at a time.",
        Models,
        "400",
        parameters=[
            _parameter(
                name,
                declared[name]["description"],
                Schema.model_validate(_without_null(declared[name])),
                required=False,
            )
            for name in declared
        ],
    )


def _without_null(declared: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: in an address nothing is null, it is left out."""
    kinds = [each for each in declared.get("anyOf", ()) if each != {"type": "null"}]
    kept = {name: declared[name] for name in declared if name in _OF_A_PARAMETER}
    return kept | (kinds[0] if kinds else {})


def _delivery_id() -> Parameter:
    return Parameter.model_validate(
        {
            "name": "delivery_id",
            "in": "path",
            "required": True,
            "schema": Schema(type="string"),
        }
    )


def _card() -> Operation:
    return Operation(
        operationId="get_model_card",
        summary="The model card, to be read by people.",
        parameters=[_delivery_id()],
        responses={
            "200": Response(
                description="The card.",
                content={"text/html": MediaType(schema=Schema(type="string"))},
            ),
            "404": Response(
                description=_PROBLEMS["404"],
                content=_content(Problem, "application/problem+json"),
            ),
        },
    )
