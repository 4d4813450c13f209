"""Read requests, strictly: for a forecast, from a query or a JSON body; and for deliveries.

What cannot be asked is an `InvalidRequestError`, which lists everything that is wrong: 400 where it
is in the address or the body cannot be parsed, else 422.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import parse_qs

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import UnsupportedMediaType

from fairweather_app.api.schemas import LargePredictRequest, ModelsQuery, PredictRequest
from fairweather_app.errors import InvalidRequestError
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.text import cut

QUERY = ("area", "variable", "reference_time")
MOST_PARAMETERS = 100
LARGE = 32_768
"""Bytes; of a larger body not every wrong value is looked for."""
MOST_TEXTS = 5000
"""Names and texts in a body, and lists and objects: some 500 are the most that can be right."""
IDENTITY = "identity"
_CODINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How bodies begin that are compressed."""


class UnsupportedCodingError(UnsupportedMediaType):
    """A body is compressed; the answer has an ``Accept-Encoding`` that allows none."""

    def __init__(self, coding: str) -> None:
        super().__init__(f"found a body in {cut(coding)}; expected JSON that is not compressed")

    def get_headers(self, *_: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as werkzeug calls it
        """Add what is accepted."""
        return [*super().get_headers(), ("Accept-Encoding", IDENTITY)]


def check_query(query: bytes) -> None:
    """Refuse a query of more parameters than any address takes, before they are looked at."""
    if query.count(b"&") >= MOST_PARAMETERS:
        problem = f"found more than {MOST_PARAMETERS} parameters: ask in several requests"
        raise InvalidRequestError([problem], status=400)


def read_query(query: bytes) -> ForecastRequest:
    """Read a request for a forecast from the query of an address."""
    check_query(query)
    given = parse_qs(query.decode(errors="replace"), keep_blank_values=True)
    problems = [
        f"{name}: not a parameter; expected {', '.join(QUERY)}"
        for name in given
        if name not in QUERY
    ]
    problems += [
        f"{name}: given more than once"
        for name in ("area", "reference_time")
        if len(given.get(name, ())) > 1
    ]
    if problems:
        raise InvalidRequestError(problems, status=400)
    values: dict[str, object] = {name: found[0] for name, found in given.items()}
    if "variable" in given:
        del values["variable"]
        values["variables"] = given["variable"]
    try:
        return _request(PredictRequest.model_validate(values))
    except ValidationError as error:
        raise _invalid(error, 400) from None


def read_body(body: bytes) -> ForecastRequest:
    """Read a request for a forecast from a JSON body, in which no key may be given twice.

    One that is compressed, or is no UTF-8, is `UnsupportedMediaType`.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    _refuse_encoding(body[:4])
    quotes = body.count(b'"')
    if quotes > 2 * MOST_TEXTS:
        problem = f"found {quotes // 2} names and texts; expected at most {MOST_TEXTS}: numbers"
        raise InvalidRequestError([f"{problem} are written without quotes"])
    if (nested := body.count(b"[") + body.count(b"{")) > MOST_TEXTS:
        problem = f"found {nested} lists and objects; expected at most {MOST_TEXTS}"
        raise InvalidRequestError([problem], status=400)
    schema = PredictRequest if len(body) <= LARGE else LargePredictRequest
    try:
        found = schema.model_validate_json(body)
    except ValidationError as error:
        _refuse_repeated(body)
        broken = any(each["type"] == "json_invalid" for each in _details(error))
        raise _invalid(error, 400 if broken else 422) from None
    strings = (
        len(found.model_fields_set)
        + 1  # the area
        + len(found.variables or ())
        + (found.reference_time is not None)
        + len(found.observations or ())
    )
    if quotes != 2 * strings:  # with no more than these it gives no key twice
        _refuse_repeated(body)
    return _request(found)


def _request(found: PredictRequest) -> ForecastRequest:
    return ForecastRequest(
        area=found.area,
        variables=None if found.variables is None else tuple(found.variables),
        reference_time=found.reference_time,
        observations=found.observations,
    )


def _refuse_repeated(body: bytes) -> None:
    """Refuse a body that gives a key twice: one of the two values would be lost in silence."""

    def check(pairs: list[tuple[str, object]]) -> None:
        keys = Counter(key for key, _ in pairs)
        repeated = [f"{key!r}: given more than once" for key, count in keys.items() if count > 1]
        if repeated:
            raise InvalidRequestError(repeated, status=400)

    with suppress(ValueError, RecursionError):  # what is no JSON is refused as such
        json.loads(body, object_pairs_hook=check, parse_int=float)


def _refuse_encoding(start: bytes) -> None:
    for magic, coding in _CODINGS.items():
        if start.startswith(magic):
            raise UnsupportedCodingError(coding)
    if b"\0" in start or start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnsupportedMediaType("found a body in UTF-16 or UTF-32; expected JSON in UTF-8")


def _details(error: ValidationError) -> list[ErrorDetails]:
    """Return what is wrong, without the values found: they may be as long as the request."""
    return error.errors(include_url=False, include_context=False, include_input=False)


def _invalid(error: ValidationError, status: Literal[400, 422]) -> InvalidRequestError:
    problems = []
    for each in _details(error):
        where = ".".join(map(str, each["loc"]))
        message = each["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {message}" if where else message)
    return InvalidRequestError(problems, status=status)


def read_models_query(arguments: Iterable[tuple[str, str]]) -> ModelsQuery:
    """Read what is asked of ``/models``."""
    pairs = list(arguments)
    counts = Counter(name for name, _ in pairs)
    problems = [f"{name}: given more than once" for name, count in counts.items() if count > 1]
    found = None
    try:
        found = ModelsQuery.model_validate(dict(pairs))
    except ValidationError as error:
        for each in error.errors():
            wrong = f"found {cut(each['input'])!r}; {each['msg'].removeprefix('Value error, ')}"
            if each["type"] == "extra_forbidden":
                wrong = f"not a parameter; expected {', '.join(ModelsQuery.model_fields)}"
            problems.append(f"{each['loc'][0]}: {wrong.replace('Input should be', 'expected', 1)}")
    if found is None or problems:
        raise InvalidRequestError(problems, status=400)
    return found
