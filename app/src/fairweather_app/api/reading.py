"""Reading a request: strictly, and fast where it is right.

The body of a forecast from explicit observations is mostly numbers. It is parsed by orjson, its
numbers become arrays at once, and what is around them is validated as it is; only what that does
not accept is read the long way, which finds out what to say. Both accept exactly the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qsl

import numpy as np
import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from fairweather_app.api.schemas import PredictRequest
from fairweather_app.errors import InvalidRequestError
from fairweather_app.observations.archive import Values

QUERY = ("area", "variable", "reference_time")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a request asks for.

    `observations` are float64 series of shape (values,) by input name, NaN where missing.
    """

    area: str
    variables: tuple[str, ...] | None
    reference_time: datetime | None
    observations: Mapping[str, Values] | None


def read_request(body: bytes, *, invalid: Literal[400, 422]) -> Asked:
    """What is asked for.

    Raises:
        InvalidRequestError: the body is no JSON or gives a key twice (400), or says what cannot
            be asked (`invalid`); `problems` lists everything.
    """
    with suppress(ValueError, TypeError):  # of which pydantic's and orjson's errors are kinds
        document = orjson.loads(body)
        if _says_it_once(body, document):
            return _read(body, document)
    with suppress(ValueError, RecursionError):  # what is no JSON is told below
        json.loads(body, object_pairs_hook=_only_once, parse_int=float)
    try:
        request = PredictRequest.model_validate_json(body)
    except ValidationError as error:
        broken = any(each["type"] == "json_invalid" for each in error.errors())
        raise InvalidRequestError(
            [_sentence(each) for each in error.errors()],
            status=400 if broken else invalid,
        ) from None
    return _asked(request, request.observations)


@lru_cache(maxsize=1024)
def read_query(query: bytes) -> Asked:
    """What a query asks for; the same query is read once.

    Raises:
        InvalidRequestError: it asks for what cannot be asked; `problems` lists everything.
    """
    arguments = MultiDict(parse_qsl(query.decode(errors="replace"), keep_blank_values=True))
    unknown = [name for name in arguments if name not in QUERY]
    repeated = [name for name in ("area", "reference_time") if len(arguments.getlist(name)) > 1]
    problems = [f"{name}: not a parameter; expected {', '.join(QUERY)}" for name in unknown]
    problems += [f"{name}: given more than once" for name in repeated]
    if problems:
        raise InvalidRequestError(problems, status=400)
    asked: dict[str, Any] = {
        name: arguments[name] for name in ("area", "reference_time") if name in arguments
    }
    if "variable" in arguments:
        asked["variables"] = arguments.getlist("variable")
    return read_request(json.dumps(asked).encode(), invalid=400)


def _read(body: bytes, document: Any) -> Asked:  # noqa: ANN401 - any JSON
    """Read a parsed body in which every key was given once.

    Raises:
        ValueError, TypeError: it has to be read the long way.
    """
    given = document.get("observations") if isinstance(document, dict) else None
    if not isinstance(given, dict):
        return _asked(PredictRequest.model_validate(document), None)
    # an array takes a truth value for a number, and text that looks like one; text is counted
    if b"true" in body or b"false" in body or _strings(given) != len(given):
        return _asked(PredictRequest.model_validate(document), given)
    around = {name: value for name, value in document.items() if value is not given}
    if "variables" in around:
        return _asked(PredictRequest.model_validate(around), given)
    return _asked(_validated(tuple(around.items())), given)


@lru_cache(maxsize=1024)
def _validated(around: tuple[tuple[str, Any], ...]) -> PredictRequest:
    """Validate what stands around observations, names and values; it often repeats.

    Raises:
        ValueError, TypeError: it is not valid.
    """
    return PredictRequest.model_validate(dict(around))


def _asked(request: PredictRequest, given: Mapping[str, Any] | None) -> Asked:
    """What a valid request asks for.

    Raises:
        ValueError, TypeError: what was given are no series of numbers.
    """
    series = None
    if given is not None:
        series = {name: np.array(values, np.float64) for name, values in given.items()}
        if any(each.ndim != 1 for each in series.values()):
            raise TypeError("expected a list of numbers for each input")
    variables = None if request.variables is None else tuple(request.variables)
    return Asked(request.area, variables, request.reference_time, series)


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


def _sentence(error: ErrorDetails) -> str:
    where, message = told_of(error)
    return f"{where}: {message}" if where else message


def told_of(error: ErrorDetails) -> tuple[str, str]:
    """Where something is wrong, and what, of an error of pydantic's that a caller may read."""
    where = ".".join(str(part) for part in error["loc"])
    return where, error["msg"].removeprefix("Value error, ")
