"""The rows of the field ledger, taken from the records themselves, and what follows from them."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any

from pydantic import AliasChoices, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from fairweather_interface.metadata.record import Record, Rule
from fairweather_interface.versions import SchemaVersion

_LEAVES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time",
    date: "date",
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
    "multiple_of": "multiple of ",
}
_NULL = type(None)
_LEDGERS = resources.files("fairweather_interface") / "ledgers"
HEADER = "path | type | required | default | constraints | unit | since | unknown to a reader"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One field of a schema, as the ledger states it.

    The last three are no part of it: ``meaning`` is the handbook's, ``harmless`` is why a reader
    may ignore the field where that is in doubt, ``home`` are its record and its name there.
    """

    path: str
    type: str
    required: bool
    default: str
    constraints: tuple[str, ...]
    unit: str | None
    since: str
    must_obey: bool
    meaning: str
    harmless: str | None = None
    home: tuple[Any, str] | None = None

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
        if any(holds(document, row.path) for row in rows_of_it):
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
        if newer and not inside and holds(document, row.path, flag=row.default == "false"):
            found.append(row.path)
    return tuple(found)


def _rows(record: type[Record], prefix: str) -> Iterator[Row]:
    for name, field in record.model_fields.items():
        rule = next((item for item in field.metadata if isinstance(item, Rule)), None)
        if rule is None:
            raise TypeError(f"{record.__name__}.{name} has no Rule, so the ledger cannot list it")
        own = field.serialization_alias or field.alias or name
        path = f"{prefix}{own}"
        shape = _described(own, field)
        yield Row(
            path=path,
            type=shape.kind,
            required=field.is_required(),
            default="-" if field.is_required() else _default(field),
            constraints=(*shape.constraints, *_laws(rule)),
            unit=rule.unit,
            since=rule.since,
            must_obey=rule.must_obey,
            meaning=rule.meaning,
            harmless=rule.harmless,
            home=(record, name),
        )
        for mark, below in shape.records:
            yield from _rows(below, f"{path}{mark}.")
    for name in record.model_computed_fields:
        yield Row(
            path=f"{prefix}{name}", type=f"cannot say computed field {name}: use a property",
            required=False, default="null", constraints=(), unit=None, since="0.1",
            must_obey=False, meaning="", home=(record, name),
        )  # fmt: skip


def _default(field: FieldInfo) -> str:
    return json.dumps(
        to_jsonable_python(field.get_default(call_default_factory=True), fallback=str)
    )


def _laws(rule: Rule) -> Iterator[str]:
    if rule.law:
        yield rule.law
    if rule.newer_law:
        yield "from {}: {}".format(*rule.newer_law)
    if rule.deprecated:
        yield "deprecated since {}, goes with {}".format(*rule.deprecated)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a ledger states of a type; ``records`` are those below, each with its mark."""

    kind: str
    constraints: tuple[str, ...] = ()
    records: tuple[tuple[str, type[Record]], ...] = ()


def _described(own: str, field: FieldInfo) -> _Shape:
    """Return the shape of a field, with what is unusual: null, and other names it is read by."""
    shape = _describe(field.annotation, tuple(field.metadata))
    said: list[str] = []
    nullable = _NULL in typing.get_args(field.annotation)
    if nullable != (not field.is_required() and field.get_default() is None):
        said.append("null allowed" if nullable else "null not allowed")
    read = field.validation_alias
    names = read.choices if isinstance(read, AliasChoices) else [read]
    said += [f"also read as {each}" for each in names if each not in (None, own)]
    if field.exclude:
        return _cannot("a field that is not written", "a property")
    if isinstance(field.discriminator, str):
        said.append(f"kind by {field.discriminator}")
    return _Shape(shape.kind, (*shape.constraints, *said), shape.records)


def _cannot(what: object, instead: str) -> _Shape:
    """Return the shape of what a ledger has no words for; the check of the contract refuses it."""
    text = re.sub(r"\s*\|\s*", " or ", " ".join(str(what).split()))
    return _Shape(f"cannot say {text[:80]}: use {instead}")


def _describe(annotation: Any, metadata: tuple[object, ...]) -> _Shape:  # noqa: ANN401, C901, PLR0911 - a type; a case each
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    constraints = _constraints(metadata)
    if origin is typing.Annotated:
        inner = _describe(arguments[0], arguments[1:])
        return _Shape(inner.kind, constraints + inner.constraints, inner.records)
    if origin in (typing.Union, types.UnionType):
        inner = _either([item for item in arguments if item is not _NULL])
        return _Shape(inner.kind, constraints + inner.constraints, inner.records)
    if origin is typing.Literal or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        values = arguments or tuple(item.value for item in annotation)
        if not all(isinstance(value, str) for value in values):
            return _cannot(annotation, "values that are strings")
        return _Shape("string", (*constraints, f"one of {', '.join(sorted(values))}"))
    if origin is tuple and arguments[-1] is not Ellipsis:
        shapes = [_describe(item, ()) for item in arguments]
        each = tuple(f"item {place} {constraint}" for place, shape in enumerate(shapes, 1)
                     for constraint in shape.constraints)  # fmt: skip
        if any(shape.records for shape in shapes):
            return _cannot(annotation, "a record with a field for each")
        return _Shape(f"[{', '.join(shape.kind for shape in shapes)}]", constraints + each)
    if origin is tuple or origin is Mapping:
        kind, item = ("list", arguments[0]) if origin is tuple else ("map", arguments[1])
        inner = _describe(item, ())
        each = tuple(f"each {constraint}" for constraint in inner.constraints)
        if origin is Mapping:
            key = _describe(arguments[0], ())
            if key.kind != "string":
                return _cannot(f"map by {key.kind}", "names that are strings")
            each += tuple(f"key {constraint}" for constraint in key.constraints)
        sign = "[]" if kind == "list" else "{}"
        below = tuple((sign + mark, record) for mark, record in inner.records)
        if inner.kind.startswith("cannot say"):
            return inner
        return _Shape(f"{kind} of {inner.kind}", constraints + each, below)
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return _Shape("object", constraints, (("", annotation),))
    if annotation in _LEAVES:
        return _Shape(_LEAVES[annotation], constraints)
    return _cannot(annotation, "tuple[X, ...], Mapping[str, X], a Record or a plain type")


def _either(kinds: list[Any]) -> _Shape:
    """Return the shape of a union of records, each with its own value of one closed field."""
    if len(kinds) == 1:
        return _describe(kinds[0], ())
    if all(isinstance(kind, type) and issubclass(kind, Record) for kind in kinds):
        for name in kinds[0].model_fields:
            told = [typing.get_args(kind.model_fields[name].annotation)
                    for kind in kinds if name in kind.model_fields]  # fmt: skip
            values = [value for each in told for value in each]
            if len(told) == len(kinds) and all(told) and len({*values}) == len(values):
                marks = [f"<{name}={value}>" for (value, *_) in told]
                return _Shape("object", (), tuple(zip(marks, kinds, strict=True)))
    return _cannot(kinds, "records with a Literal field of another value each, or two fields")


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


RESERVED: Mapping[str, str] = {
    path: reason
    for line in (_LEDGERS / "reserved.txt").read_text(encoding="utf-8").splitlines()
    for path, _, reason in [line.partition(" | ")]
    if not line.startswith("#")
}
"""Names of removed fields, each with the schema that removed it and what took its place.

They are never used again, and never dropped from here.
"""


@cache
def released_rows(schema: str) -> tuple[Row, ...]:
    """Return the rows of a released schema as its ledger has them: path, since and duty alone."""
    file = _LEDGERS / f"{schema}.txt"
    cells = [line.split(" | ") for line in file.read_text(encoding="utf-8").splitlines()[2:]]
    return tuple(
        Row(path=path, type=kind, required=needed == "required", default=default, constraints=(),
            unit=None, since=since, must_obey=duty == "must-obey", meaning="")
        for path, kind, needed, default, *_, since, duty in cells
    )  # fmt: skip


def holds(value: Any, path: str, *, flag: bool = False) -> bool:  # noqa: ANN401 - JSON has no better type
    """Return whether a ledger path leads to at least one value in plain JSON data.

    A ``flag`` that is false is no value: it states what its absence does.
    """
    step, _, rest = path.partition(".")
    name, marks = _STEP.fullmatch(step).groups()  # type: ignore[union-attr]  # any step fits
    if not isinstance(value, Mapping) or value.get(name) is None:
        return False
    if flag and not rest and value[name] is False:
        return False
    below = [value[name]]
    if rest:
        for mark in _MARK.findall(marks):
            below = [item for group in below for item in _items(group, mark)]
        return any(holds(item, rest, flag=flag) for item in below)
    return True


_MARK = re.compile(r"\[\]|\{\}|<.*?>")
_STEP = re.compile(r"([^\[{<]*)(.*)")


def _items(group: Any, mark: str) -> Iterable[Any]:  # noqa: ANN401 - JSON has no better type
    if mark == "[]":
        return group if isinstance(group, list) else ()
    if mark[0] == "<":  # a kind of record, told by a field of its own
        name, _, value = mark[1:-1].partition("=")
        return (group,) if isinstance(group, Mapping) and group.get(name) == value else ()
    return group.values() if isinstance(group, Mapping) else ()
