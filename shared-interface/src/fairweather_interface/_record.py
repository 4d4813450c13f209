"""What every document of the contract is made of: records and their rules.

A record reads tolerantly and never repairs. Fields it does not know are kept, so that a
reader can show them; whoever *writes* asks :func:`unknown_fields` and refuses any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NoReturn

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from fairweather_interface.durations import ISO_PATTERN, iso_duration, parse_iso_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What the field ledger says of a field beside its type.

    Attributes:
        since: the schema version that brought the field.
        must_obey: a reader that does not know the field must not read the document, where the
            field is present; otherwise it may be ignored without harm.
        unit: the UDUNITS unit of a number, where it has one fixed unit.
        law: a constraint that the type alone does not say.
    """

    since: str
    must_obey: bool = False
    unit: str | None = None
    law: str | None = None


class Record(BaseModel):
    """A frozen, strict record that keeps the fields it does not know."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


def unknown_fields(value: object, path: str = "") -> tuple[str, ...]:
    """Return the dotted paths of all fields below ``value`` that its records do not know."""
    return tuple(_unknown(value, path))


def _unknown(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Record):
        stem = f"{path}." if path else ""
        yield from (f"{stem}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{stem}{name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unknown(item, f"{path}[{key!r}]")
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _unknown(item, f"{path}[{position}]")


def dump_record(record: Record) -> bytes:
    """Return the record as the JSON text we write: fields in order, absent ones left out.

    The same record always gives the same bytes: UTF-8, two spaces, one newline at the end.
    """
    document = {name: value for name, value in _plain(record).items() if value is not None}
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _plain(record: Record) -> dict[str, Any]:
    """Return the record as plain data; ``None`` stays where it is data and not a field."""
    plain: dict[str, Any] = record.model_dump(mode="json")

    def drop(value: object, dumped: Any) -> Any:  # noqa: ANN401 - JSON has no better type
        if isinstance(value, Record):
            fields = {name: drop(getattr(value, name), item) for name, item in dumped.items()}
            return {name: item for name, item in fields.items() if item is not None}
        if isinstance(value, Mapping) and any(isinstance(item, Record) for item in value.values()):
            return {key: drop(value[key], item) for key, item in dumped.items()}
        if isinstance(value, tuple):
            return [drop(item, part) for item, part in zip(value, dumped, strict=True)]
        return dumped

    result: dict[str, Any] = drop(record, plain)
    return result


class NotOneMeaningError(ValueError):
    """A JSON text says something twice, or says a number that is not one."""


def parse_json(data: bytes | str) -> Any:  # noqa: ANN401 - JSON has no better type
    """Return the data of a JSON text that has one meaning.

    Raises:
        NotOneMeaningError: a key stands twice in one object, or a number is NaN or infinite.
        ValueError: the text is not UTF-8 or not JSON; the message says where.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise NotOneMeaningError(f"found the key {key!r} twice in one object")
        return dict(pairs)

    def no_constant(name: str) -> NoReturn:
        raise NotOneMeaningError(f"found the number {name}, expected finite numbers only")

    text = data if isinstance(data, str) else data.decode("utf-8")
    return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)


def problems_of(error: ValidationError, root: str = "") -> tuple[str, ...]:
    """Return each problem of a validation as ``path: what is expected, found what``."""
    found = []
    for part in error.errors(include_url=False):
        path = root
        for step in part["loc"]:
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
        message = part["msg"].removeprefix("Value error, ")
        if part["type"] == "missing":
            found.append(f"{path}: not found, expected a value")
        elif part["type"] == "value_error":
            found.append(f"{path}: {message}" if path else message)
        else:
            found.append(f"{path}: {message}; found {_short(part['input'])}")
    return tuple(found)


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _read_time(value: object) -> object:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or "T" not in value or not value.endswith("Z"):
            raise ValueError(
                f"found {value!r}, expected a time in UTC such as '2013-12-30T23:00:00Z'"
            )
        return moment.astimezone(UTC)
    if isinstance(value, datetime) and value.utcoffset() != timedelta(0):
        raise ValueError(f"found {value.isoformat()!r}, expected a time in UTC")
    return value


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_duration(value: object) -> object:
    if isinstance(value, str):
        return parse_iso_duration(value)
    if isinstance(value, timedelta):
        iso_duration(value)  # raises for what the contract cannot say
    return value


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_write_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$"}),
]
"""A moment in UTC; in JSON ``2013-12-30T23:00:00Z`` and no other zone."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(iso_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": ISO_PATTERN}),
]
"""A positive length of time in whole seconds; in JSON ``P30D`` or ``PT1H``."""
