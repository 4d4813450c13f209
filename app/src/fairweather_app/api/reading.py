"""Reading a request: strictly, and fast where it is right.

The body of a forecast from explicit observations is mostly numbers. It is parsed by orjson and
validated as it is; only what that does not accept is read the long way, which finds out what to
say. Both accept exactly the same.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from fairweather_app.api.schemas import PredictRequest
from fairweather_app.errors import InvalidRequestError


def read_request(body: bytes, *, invalid: Literal[400, 422]) -> PredictRequest:
    """What is asked for.

    Raises:
        InvalidRequestError: the body is no JSON or gives a key twice (400), or says what cannot
            be asked (`invalid`); `problems` lists everything.
    """
    with suppress(ValueError):  # of which pydantic's and orjson's errors are kinds
        document = orjson.loads(body)
        if _says_it_once(body, document):
            return PredictRequest.model_validate(document)
    with suppress(ValueError, RecursionError):  # what is no JSON is told below
        json.loads(body, object_pairs_hook=_only_once, parse_int=float)
    try:
        return PredictRequest.model_validate_json(body)
    except ValidationError as error:
        broken = any(each["type"] == "json_invalid" for each in error.errors())
        raise InvalidRequestError(
            [_sentence(dict(each)) for each in error.errors()],
            status=400 if broken else invalid,
        ) from None


def _says_it_once(body: bytes, document: object) -> bool:
    """Whether no key of a parsed body was given twice, found without parsing it again.

    A parser drops what was given first. Every string has at least two quotation marks, so a body
    that has no more of them than the strings that were parsed need has lost none.
    """
    return body.count(b'"') == 2 * _strings(document)


def _strings(value: object) -> int:
    """How many strings a parsed document holds, keys included.

    A list that starts with none is taken to hold none; if it does, more marks are found.
    """
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return len(value) + sum(map(_strings, value.values()))
    if isinstance(value, list) and value and isinstance(value[0], str | list | dict):
        return sum(map(_strings, value))
    return 0


def _only_once(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object with a key given twice: one of the two values would be lost in silence."""
    keys = Counter(key for key, _ in pairs)
    repeated = [f"{key!r}: given more than once" for key, count in keys.items() if count > 1]
    if repeated:
        raise InvalidRequestError(repeated, status=400)


def _sentence(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
