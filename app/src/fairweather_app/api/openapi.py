"""The OpenAPI 3.1 document, made of the routes and of the very models that go over the wire.

What stands beside a route (`operation`) names models, problems and parameters; here they become
schemas, examples and headers. What is the same everywhere, and the examples, are data:
``document.json`` and ``examples.json``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from importlib import metadata as packages
from pathlib import Path
from typing import Any

from flask import Flask
from openapi_pydantic import OpenAPI
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from fairweather_app.api.operation import Operation, operation_of
from fairweather_app.api.problems import CONTENT_TYPE, INTERNAL_ERROR, PROBLEMS
from fairweather_app.api.schemas import Problem

JSON = "application/json"
HTML = "text/html"
_OF_EVERY_ANSWER = ("X-Request-ID", "X-Content-Type-Options", "Vary")
_OF_EVERY_ADDRESS = ("not-found", "method-not-allowed")
_OF_A_PARAMETER = {
    *("type", "enum", "minimum", "maximum", "minLength", "maxLength"),
    *("pattern", "items", "minItems", "format"),
}


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return found


_EXAMPLES = _read("examples.json")


def _example(name: str) -> Any:  # noqa: ANN401 - JSON
    """Return the example of a model or, by its name, of a parameter."""
    try:
        return (_EXAMPLES | _EXAMPLES["parameters"])[name]
    except KeyError:
        raise KeyError(f"found no example of {name}: add it to api/examples.json") from None


@lru_cache(maxsize=4)
def openapi_document(app: Flask, prefix: str = "") -> str:
    """Return the OpenAPI document of an app below a path prefix, as JSON."""
    document = _read("document.json")
    if prefix:
        document["servers"] = [{"url": prefix}]
    tags = [each["name"] for each in document["tags"]]
    paths: dict[str, dict[str, Any]] = {}
    described = [
        (rule, view, operation)
        for rule in app.url_map.iter_rules()
        for view in [app.view_functions[rule.endpoint]]
        if (operation := operation_of(view)) is not None and "<path:" not in rule.rule
    ]
    for rule, view, operation in sorted(described, key=lambda each: tags.index(each[2].tag)):
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        path = paths.setdefault(re.sub(r"<(\w+)>", r"{\1}", rule.rule), {})
        path[method.lower()] = {
            "operationId": view.__name__,
            "summary": (view.__doc__ or "").partition("\n")[0],
            "tags": [operation.tag],
            **_operation(operation, rule.arguments, document["parameters"]),
        }
    del document["parameters"]
    document["info"]["version"] = packages.version("fairweather-app")
    document["paths"] = paths
    document["components"]["responses"] = {
        code: _problem(PROBLEMS[code].statuses[0], [code]) for code in _OF_EVERY_ADDRESS
    }
    complete = construct_open_api_with_schema_class(OpenAPI.model_validate(document))
    return complete.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def _operation(
    operation: Operation, arguments: Iterable[str], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe requests and responses; `arguments` are in the path, `parameters` known by name."""
    failing: dict[int, list[str]] = defaultdict(list)
    for code in (*operation.problems, INTERNAL_ERROR):
        for status in PROBLEMS[code].statuses:
            failing[status].append(code)
    for status in operation.invalid:
        failing[status].append("invalid-request")
    responses = {
        200: _success(operation, operation.means),
        **{status: _other(operation, status, means) for status, means in operation.also.items()},
        **{each: _problem(each, failing[each], page=operation.page) for each in sorted(failing)},
    }
    named = (*arguments, *operation.parameters, "X-Request-ID")
    made = {
        "parameters": [*_query(operation), *(parameters[name] for name in named)],
        "responses": {str(status): response for status, response in responses.items()},
    }
    if operation.body is not None:
        content = _content(operation.body, _example(operation.body.__name__))
        made["requestBody"] = {"required": True, "content": content}
    return made


def _success(operation: Operation, means: str) -> dict[str, Any]:
    content = _text(HTML) if operation.page else {}
    if operation.answer == JSON:  # an object that is described elsewhere
        example = {"example": {"value": _example("object")}}
        content |= {JSON: {"schema": {"type": "object"}, "examples": example}}
    elif isinstance(operation.answer, str):
        content |= _text(operation.answer)
    else:
        content |= _content(operation.answer, {"example": _example(operation.answer.__name__)})
    return {
        "description": means,
        "headers": _headers(operation.headers),
        "content": content,
        "links": operation.links or None,
    }


def _other(operation: Operation, status: int, means: str) -> dict[str, Any]:
    """Describe an answer of another status that is no problem, or an error page."""
    if status >= HTTPStatus.BAD_REQUEST:
        return _success(operation, means)
    kept = operation.headers if status == HTTPStatus.NOT_MODIFIED else {}
    return {"description": means, "headers": _headers(kept)}


def _problem(status: int, codes: Iterable[str], *, page: bool = False) -> dict[str, Any]:
    """Describe the problems of a status; with `page`, also the page that browsers get."""
    kinds = [PROBLEMS[code] for code in sorted(codes)]
    # a page is asked for anew, and says so in other words
    more = {} if page else {"Cache-Control": "NoStore"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        more["Retry-After"] = "Retry-After"
    examples = {each.code: each.example(status).model_dump(mode="json") for each in kinds}
    return {
        "description": "\n".join(
            f"- `{each.code}`. {each.title}{f': {each.remedy}' if each.remedy else ''}."
            for each in kinds
        ),
        "headers": _headers(more),
        "content": _content(Problem, examples, CONTENT_TYPE) | (_text(HTML) if page else {}),
    }


def _headers(more: Mapping[str, str]) -> dict[str, Any]:
    """Return the headers of every answer and `more`, each by its name among the components."""
    names = dict(zip(_OF_EVERY_ANSWER, _OF_EVERY_ANSWER, strict=True)) | dict(more)
    return {name: {"$ref": f"#/components/headers/{names[name]}"} for name in names}


def _content(
    model: type[BaseModel], examples: Mapping[str, Any], kind: str = JSON
) -> dict[str, Any]:
    shown = {name: {"value": example} for name, example in examples.items()}
    return {kind: {"schema": PydanticSchema(schema_class=model), "examples": shown}}


def _text(kind: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}}}


def _query(operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters of an address that are fields of a model."""
    if operation.query is None:
        return []
    model, fields = operation.query
    described = model.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "description": described["properties"][field]["description"],
            "required": field in described.get("required", ()),
            "schema": _of_a_parameter(described["properties"][field], described),
            "example": _example(name),
        }
        for name, field in fields.items()
    ]


def _of_a_parameter(declared: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema: in an address nothing is null, it is left out."""
    kinds = [each for each in declared.get("anyOf", ()) if each != {"type": "null"}]
    whole = declared | (kinds[0] if kinds else {})
    if "$ref" in whole:
        whole |= described["$defs"][whole["$ref"].rpartition("/")[2]]
    return {name: whole[name] for name in whole if name in _OF_A_PARAMETER}
