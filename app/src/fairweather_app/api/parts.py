"""The parts that an operation of the OpenAPI document is made of: parameters, answers, headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openapi_pydantic import (
    Example,
    Header,
    Link,
    MediaType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Response,
    Schema,
)
from openapi_pydantic.util import PydanticSchema
from pydantic import BaseModel

from fairweather_app.api.examples import ANSWERS, problem_example, written
from fairweather_app.api.problems import CODES, CONTENT_TYPE
from fairweather_app.api.schemas import Problem

JSON = "application/json"
HTML = "text/html"
_OF_A_PARAMETER = {
    *("type", "enum", "minimum", "maximum", "minLength", "maxLength"),
    *("pattern", "items", "minItems", "format"),
}

REQUEST_ID = Parameter.model_validate(
    {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Your id of this request, which the answer and the log repeat: up to 128 "
        "letters, digits and ._:/+=@-. One that is no such id is passed over, and one is made.",
        "schema": Schema(type="string"),
        "example": "7f3a-42",
    }
)
IF_NONE_MATCH = Parameter.model_validate(
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of the answer that you kept; 304 says that it still holds.",
        "schema": Schema(type="string"),
        "example": '"cf3dfd88e49789b65c508206d7c5fc00"',
    }
)

HEADERS = {
    "X-Request-ID": Header(
        description="The id of this request: yours, or one that was made.",
        required=True,
        schema=Schema(type="string", pattern=r"^[A-Za-z0-9._:/+=@-]{1,128}$"),
    ),
    "X-Content-Type-Options": Header(
        description="Content is what it is said to be.",
        required=True,
        schema=Schema(type="string", enum=["nosniff"]),
    ),
    "ETag": Header(
        description="Names this answer; ask with it in If-None-Match whether it still holds.",
        required=True,
        schema=Schema(type="string", pattern='^(W/)?".+"$'),
    ),
    "Revalidate": Header(
        description="Whoever keeps the answer has to ask whether it still holds.",
        required=True,
        schema=Schema(type="string", enum=["no-cache"]),
    ),
    "NoStore": Header(
        description="It may be otherwise at the next moment.",
        required=True,
        schema=Schema(type="string", enum=["no-store"]),
    ),
    "Retry-After": Header(
        description="Seconds after which to ask again; where it is absent, asking again soon "
        "does not help.",
        schema=Schema(type="string", pattern=r"^\d+$"),
    ),
    "Content-Security-Policy": Header(
        description="What the page may load; nothing from another host.",
        required=True,
        schema=Schema(type="string"),
    ),
    "Vary": Header(
        description="What else the answer depends on; Origin too, where pages of other origins "
        "are let in.",
        schema=Schema(type="string"),
    ),
}
"""The headers of answers, by their names among the document's components."""


def headers(**others: str) -> dict[str, Header | Reference]:
    """The headers of every answer, and `others`: a header, and its name among the components."""
    names = {name: name for name in ("X-Request-ID", "X-Content-Type-Options", "Vary")}
    names |= {name.replace("_", "-"): component for name, component in others.items()}
    return {
        name: Reference.model_validate({"$ref": f"#/components/headers/{component}"})
        for name, component in names.items()
    }


def content(
    model: type[BaseModel], kind: str = JSON, examples: Mapping[str, BaseModel] | None = None
) -> dict[str, MediaType]:
    """What an answer or a body holds: its model, with examples."""
    if examples is None and model in ANSWERS:
        examples = {"example": ANSWERS[model]}
    shown = {name: Example(value=written(each)) for name, each in (examples or {}).items()}
    return {
        kind: MediaType.model_validate(
            {"schema": PydanticSchema(schema_class=model), "examples": shown or None}
        )
    }


def any_object(example: Mapping[str, Any]) -> dict[str, MediaType]:
    """A JSON object that is described elsewhere."""
    shown = {"example": Example(value=dict(example))}
    return {JSON: MediaType.model_validate({"schema": Schema(type="object"), "examples": shown})}


def text(kind: str) -> dict[str, MediaType]:
    """Content that is no JSON."""
    return {kind: MediaType.model_validate({"schema": Schema(type="string")})}


def problem_response(status: int, codes: Iterable[str], *, page: bool = False) -> Response:
    """What is answered with a status that says no; `page`: or a page, to whoever prefers one."""
    told = sorted(codes)
    found = content(Problem, CONTENT_TYPE, {code: problem_example(code, status) for code in told})
    others = {"Retry_After": "Retry-After"} if status == 503 else {}  # noqa: PLR2004 - HTTP
    return Response(
        description="; ".join(f"{code}: {CODES[code].lower()}" for code in told) + ".",
        # a page is asked for anew, and says so in other words
        headers=headers(**others) if page else headers(Cache_Control="NoStore", **others),
        content=found | (text(HTML) if page else {}),
    )


def operation(
    name: str,
    summary: str,
    answer: Response,
    *,
    tag: str,
    problems: Mapping[int, Sequence[str]] | None = None,
    parameters: Sequence[Parameter] = (),
    body: RequestBody | None = None,
    page: bool = False,
    others: Mapping[str, Response] | None = None,
) -> Operation:
    """One address and method: what it takes, what it answers, how it fails."""
    failing = {500: ("internal-error",), **(problems or {})}
    return Operation(
        operationId=name,
        summary=summary,
        tags=[tag],
        parameters=[*parameters, REQUEST_ID],
        requestBody=body,
        responses={
            "200": answer,
            **(others or {}),
            **{
                str(status): problem_response(status, failing[status], page=page)
                for status in sorted(failing)
            },
        },
    )


def query_parameters(
    model: type[BaseModel], names: Mapping[str, str], examples: Mapping[str, Any] | None = None
) -> list[Parameter]:
    """Parameters of an address from the fields of a model: `names` by field."""
    described = model.model_json_schema()
    found = []
    for field, name in names.items():
        declared = described["properties"][field]
        found.append(
            Parameter.model_validate(
                {
                    "name": name,
                    "in": "query",
                    "description": declared["description"],
                    "required": field in described.get("required", ()),
                    "schema": Schema.model_validate(_in_an_address(declared, described)),
                    "example": (examples or {}).get(name),
                }
            )
        )
    return found


def link(operation_id: str, description: str, **parameters: str) -> Link:
    """Where an answer leads to."""
    return Link(operationId=operation_id, description=description, parameters=dict(parameters))


def _in_an_address(declared: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: in an address nothing is null, it is left out."""
    kinds = [each for each in declared.get("anyOf", ()) if each != {"type": "null"}]
    kept = {name: declared[name] for name in declared if name in _OF_A_PARAMETER}
    kind = kinds[0] if kinds else {}
    if "$ref" in kind:
        kind = described["$defs"][kind["$ref"].rpartition("/")[2]]
    return kept | {name: kind[name] for name in kind if name in _OF_A_PARAMETER}
