"""What every document of the contract is made of: records and their rules.

A record reads tolerantly and never repairs. Fields it does not know are kept, so that a
reader can show them; a writer asks :func:`unknown_fields` and refuses any.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from fairweather_interface.durations import ISO_PATTERN, iso_duration, parse_iso_duration
from fairweather_interface.errors import short


@dataclass(frozen=True, slots=True)
class Rule:
    """What the field ledger and the handbook say of a field beside its type.

    Attributes:
        meaning: what the field states, for the handbook; no part of the ledger.
        since: the schema version that brought the field.
        must_obey: a reader that does not know the field must not read the document, where the
            field is present; otherwise it may be ignored without harm.
        unit: the UDUNITS unit of a number, where it has one fixed unit.
        law: a constraint that the type alone does not say.
        newer_law: a schema, and a law that documents of that schema and later keep; older ones
            are read without it.
        deprecated: the schema since which it should not be written, and the one it goes with.
        harmless: why software that does not know the field does no wrong without it, where it may
            be ignored and stands below one that must be obeyed, or is read where a model is chosen.
    """

    meaning: str
    _: KW_ONLY
    since: str
    must_obey: bool = False
    unit: str | None = None
    law: str | None = None
    newer_law: tuple[str, str] | None = None
    deprecated: tuple[str, str] | None = None
    harmless: str | None = None


class Record(BaseModel):
    """A frozen, strict record that keeps the fields it does not know."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        serialize_by_alias=True,  # a field's alias is its name in the document
    )


def unknown_fields(value: object, path: str = "") -> tuple[str, ...]:
    """Return the dotted paths of all fields below ``value`` that its records do not know."""
    return tuple(_unknown(value, path))


def _unknown(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Record):
        stem = f"{path}." if path else ""
        yield from (f"{stem}{name}" for name in value.model_extra or {})
        for name, field in type(value).model_fields.items():
            yield from _unknown(getattr(value, name), f"{stem}{field.alias or name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unknown(item, f"{path}[{key!r}]")
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _unknown(item, f"{path}[{position}]")


def dump_record(record: Record) -> bytes:
    """Return the record as the JSON text we write: fields in order, absent ones left out.

    The same record always gives the same bytes: UTF-8, two spaces, one newline at the end.

    Raises:
        ValueError: free-form data in it cannot be written as JSON, such as a number that is NaN.
    """
    return dump_document(_present(record, record.model_dump(mode="json")))


def dump_document(document: Mapping[str, object]) -> bytes:
    """Return plain JSON data as the text we write, which :func:`dump_record` describes."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _present(value: object, dumped: Any) -> Any:  # noqa: ANN401 - JSON has no better type
    """Return dumped data without absent fields; ``None`` stays where it is data, not a field."""
    if isinstance(value, Record):
        known = {field.alias or name: name for name, field in type(value).model_fields.items()}
        return {
            key: _present(getattr(value, known[key]), item) if key in known else item
            for key, item in dumped.items()
            if item is not None or key not in known
        }
    if isinstance(value, Mapping) and any(isinstance(item, Record) for item in value.values()):
        return {key: _present(value[key], item) for key, item in dumped.items()}
    if isinstance(value, tuple):
        return [_present(item, part) for item, part in zip(value, dumped, strict=True)]
    return dumped


def parse_json(data: bytes | str) -> Any:  # noqa: ANN401 - JSON has no better type
    """Return the data of a JSON text that has one meaning.

    Raises:
        ValueError: it is not UTF-8, not JSON or nested too deeply, a key stands twice in one
            object, or a number is not finite.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    text.encode("utf-8")  # a lone surrogate is no text
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("found lists or objects nested too deeply to read") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"found the key {short(key)} twice in one object")
    return document


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"found the number {short(text)}, expected finite numbers only")
    return number


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?Z")


def _read_time(value: object) -> object:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or _TIME.fullmatch(value) is None:
            raise ValueError(
                f"found {short(value)}, expected a time in UTC such as '2013-12-30T23:00:00Z'"
            )
        return moment.astimezone(UTC)
    if isinstance(value, datetime):
        if value.utcoffset() != timedelta(0):
            raise ValueError(f"found {value.isoformat()!r}, expected a time in UTC")
        return value.astimezone(UTC)
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

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=10000)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0)]
