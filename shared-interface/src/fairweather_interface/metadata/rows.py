"""The rows of the field ledger, taken from the records themselves, and what follows from them."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import JsonValue
from pydantic.fields import FieldInfo

from fairweather_interface.metadata.record import Record, Rule
from fairweather_interface.versions import SchemaVersion

_LEAVES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time",
    timedelta: "duration",
    JsonValue: "json",
}
_BOUNDS = {
    "ge": ">=",
    "gt": ">",
    "le": "<=",
    "lt": "<",
    "min_length": "length>=",
    "max_length": "length<=",
    "pattern": "~",
}
HEADER = "path | type | required | default | constraints | unit | since | unknown to a reader"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One field of a schema, as the ledger states it; ``meaning`` is the handbook's alone."""

    path: str
    type: str
    required: bool
    default: str
    constraints: tuple[str, ...]
    unit: str | None
    since: str
    must_obey: bool
    meaning: str

    def __str__(self) -> str:
        return " | ".join(
            (
                self.path,
                self.type,
                "required" if self.required else "optional",
                self.default,
                "; ".join(self.constraints) or "-",
                self.unit or "-",
                self.since,
                "must-obey" if self.must_obey else "may-ignore",
            )
        )


def rows(record: type[Record], prefix: str = "") -> tuple[Row, ...]:
    """Return the rows of a record and of all records below it, sorted by path."""
    return tuple(sorted(_rows(record, prefix), key=lambda row: row.path))


def min_reader_of(document: Mapping[str, Any], ledger: tuple[Row, ...]) -> str:
    """Return the oldest schema whose readers know every must-obey field the document holds.

    ``document`` is plain JSON data; a field that is absent or null demands nothing.
    """
    versions = sorted({row.since for row in ledger}, key=SchemaVersion.parse)
    for version in reversed(versions):  # the newest demand decides; most documents have none
        rows_of_it = (row for row in ledger if row.must_obey and row.since == version)
        if any(_holds(document, row.path) for row in rows_of_it):
            return version
    return versions[0]


def newer_fields(
    document: Mapping[str, Any], ledger: tuple[Row, ...], schema: str
) -> tuple[str, ...]:
    """Return the paths of the document's fields that are newer than ``schema``, outermost only."""
    found: list[str] = []
    for row in ledger:  # sorted: a field precedes what lies below it
        inside = any(row.path.startswith((f"{path}.", f"{path}[", f"{path}{{")) for path in found)
        newer = SchemaVersion.parse(row.since) > SchemaVersion.parse(schema)
        if newer and not inside and _holds(document, row.path):
            found.append(row.path)
    return tuple(found)


def _rows(record: type[Record], prefix: str) -> Iterator[Row]:
    for name, field in record.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        rule = next((item for item in field.metadata if isinstance(item, Rule)), None)
        if rule is None:
            raise TypeError(f"{record.__name__}.{name} has no Rule, so the ledger cannot list it")
        shape = _describe(field.annotation, tuple(field.metadata))
        yield Row(
            path=path,
            type=shape.kind,
            required=field.is_required(),
            default="-" if field.is_required() else json.dumps(field.get_default()),
            constraints=(*shape.constraints, *((rule.law,) if rule.law else ())),
            unit=rule.unit,
            since=rule.since,
            must_obey=rule.must_obey,
            meaning=rule.meaning,
        )
        if shape.record is not None:
            yield from _rows(shape.record, f"{path}{shape.suffix}.")


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: str
    constraints: tuple[str, ...] = ()
    record: type[Record] | None = None
    suffix: str = ""


def _describe(annotation: Any, metadata: tuple[object, ...]) -> _Shape:  # noqa: ANN401 - a type
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    constraints = _constraints(metadata)
    if origin is typing.Annotated:
        inner = _describe(arguments[0], arguments[1:])
        return _Shape(inner.kind, constraints + inner.constraints, inner.record, inner.suffix)
    if origin in (typing.Union, types.UnionType):
        (present,) = (item for item in arguments if item is not type(None))
        inner = _describe(present, ())
        return _Shape(inner.kind, constraints + inner.constraints, inner.record, inner.suffix)
    if origin is tuple and arguments[-1] is not Ellipsis:
        parts = ", ".join(_describe(item, ()).kind for item in arguments)
        return _Shape(f"[{parts}]", constraints)
    if origin is tuple or origin is Mapping:
        kind, item = ("list", arguments[0]) if origin is tuple else ("map", arguments[1])
        inner = _describe(item, ())
        each = tuple(f"each {constraint}" for constraint in inner.constraints)
        suffix = ("[]" if kind == "list" else "{}") + inner.suffix
        return _Shape(f"{kind} of {inner.kind}", constraints + each, inner.record, suffix)
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return _Shape("object", constraints, annotation)
    return _Shape(_LEAVES[annotation], constraints)


def _constraints(metadata: tuple[object, ...]) -> tuple[str, ...]:
    flat: list[object] = []
    for item in metadata:
        flat.extend(item.metadata if isinstance(item, FieldInfo) else [item])
    return tuple(
        sorted(
            f"{sign}{bound}"
            for item in flat
            for attribute, sign in _BOUNDS.items()
            if (bound := getattr(item, attribute, None)) is not None
        )
    )


def _holds(value: Any, path: str) -> bool:  # noqa: ANN401 - JSON has no better type
    """Return whether a ledger path leads to at least one value in plain JSON data."""
    step, _, rest = path.partition(".")
    name = step.rstrip("[]{}")
    if not isinstance(value, Mapping) or value.get(name) is None:
        return False
    below = [value[name]]
    if rest:
        for mark in (step[len(name) :][i : i + 2] for i in range(0, len(step) - len(name), 2)):
            below = [item for group in below for item in _items(group, mark)]
        return any(_holds(item, rest) for item in below)
    return True


def _items(group: Any, mark: str) -> Iterable[Any]:  # noqa: ANN401 - JSON has no better type
    if mark == "[]":
        return group if isinstance(group, list) else ()
    return group.values() if isinstance(group, Mapping) else ()
