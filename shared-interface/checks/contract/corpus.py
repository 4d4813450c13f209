"""Write documents from a field ledger: good ones, and ones that break a rule on purpose.

From each document that a contract's own testing kit builds come variations, one or a few fields at
a time: absent, null, on both sides of every bound, of another type, in another form, in another
order, with names of other scripts, and with the values of other fields, which meets the laws
between them. The choice is pseudo-random and always the same.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rules import Ledger

Document = dict[str, Any]
Place = tuple[object, ...]

_BOUND = re.compile(r"^(?:each )?(length)?(>=|<=|>|<)(-?[\d.e+-]+)$")
_FORMS: Mapping[str, tuple[object, ...]] = {
    "time": (
        "2014-01-01T00:00:00+00:00", "2014-01-01T00:00:00", "2014-01-01T02:00:00+02:00",
        "2014-01-01T00:00:00.500000Z", "2014-01-01", "2014-02-30T00:00:00Z", 1388534400,
    ),
    "duration": (
        "PT1H", "P1D", "P1W", "P2W", "PT90M", "P1DT12H", "PT0S", "-PT1H", "PT1.5H", "P1M", "1 day",
        "PT24H", 3600,
    ),
    "string": (
        "", "x", "x" * 200, "x" * 201, "Zürich ירושלים", "_x", "a:b", "a b", " padded ", "x-1", 5,
        "UTC", "EST", "Etc/GMT+5", "Asia/Jerusalem", "asia/jerusalem", "Mars/Base", "float64",
        "float16", "int64", "int32", "horizon", "onnx", "1.0",
        "0.99", "1.99", "../x", "card/x", "degC", "K",
    ),
    "integer": (0, 1, -1, 12, 13, 2**40, 3.0, 0.5, "3", True),
    "number": (
        0, 1, -1, 3, 0.5, -0.5, 88.3, 0.1234567890123456789, 100.00000000000001, 1e300, "3", True,
    ),
    "boolean": (True, False, 1, "true"),
    "words": (
        "1 hour", "2 hours", "90 minutes", "1 day", "30 days", "2 weeks", "1 week", "PT1H", "1h",
        "0 hours", "-1 hour", "1.5 hours", "1 month", 3600,
    ),
    "object": ({},),
}  # fmt: skip
"""What is tried in place of a value, by the type that a ledger gives it."""


def variations(
    base: Document, ledger: Ledger, *, seed: int, some: int, tried: set[str] | None = None
) -> Iterator[Document]:
    """Return documents near one: with each single change of a field, and ``some`` with several.

    A single change that is in ``tried`` already is left out; the others are added to it.
    """
    rng = random.Random(seed)  # noqa: S311 - the same choice in every run is what is wanted
    tried = set() if tried is None else tried
    changes = []
    for path, place, value in _changes(base, ledger):
        changes.append((place, value))
        if (change := f"{path} {value!r}") not in tried:
            tried.add(change)
            yield _changed(base, [(place, value)])
    for _ in range(some if changes else 0):
        yield _changed(base, rng.sample(changes, k=min(len(changes), rng.randint(2, 3))))


def _changes(base: Document, ledger: Ledger) -> Iterator[tuple[str, Place, object]]:
    """Return every single change: its path, its place, and what is put there (``...``: nothing)."""
    by_type: dict[str, list[object]] = {}
    for path, row in ledger.rows.items():
        by_type.setdefault(row["type"], []).extend(value for _, value in _at(base, path))
    for path, row in ledger.rows.items():
        for place, here in list(_at(base, path))[:1]:
            for value in (..., None, *_values(row), *by_type[row["type"]][:3]):
                yield path, place, value
            for below, value in _reshaped(place, here):
                yield path, below, value
    yield "", ("a_field_of_nobody",), 1


def _values(row: Mapping[str, str]) -> list[object]:
    kind = row["type"].removeprefix("list of ").removeprefix("map of ")
    values = list(_FORMS.get(kind, ("x", 1, [], {})))
    for constraint in row["constraints"].split("; "):
        found = _BOUND.match(constraint)
        if found is None:
            continue
        length, _, limit = found.groups()
        if length and kind == "string":
            values += ["y" * max(0, int(limit) + step) for step in (-1, 0, 1)]
        elif not length:
            number = float(limit)
            values += [number, number - 1e-9, number + 1e-9, number - 1, number + 1]
            values += [int(number), int(number) - 1, int(number) + 1]
    if row["type"].startswith("list of "):
        return [[], "x", *([value] for value in values)]
    if row["type"].startswith("map of "):
        return [{}, [], *({"x": value} for value in values)]
    return values


def _reshaped(place: Place, value: object) -> Iterator[tuple[Place, object]]:
    """Return lists and maps in another order, longer, shorter, and with a field of nobody."""
    if isinstance(value, list) and value:
        yield place, value[::-1]
        yield place, value[:-1]
        yield place, [*value, value[0]]
    if isinstance(value, dict) and value:
        yield place, dict(reversed(value.items()))
        yield (*place, "a_field_of_nobody"), "x"
        first = next(iter(value.values()))
        for name in ("Be'er Sheva", "חיפה", "_x", "3", "with blank ", "x" * 200, "x" * 201):
            yield place, {**value, name: first}


def _at(value: Any, path: str, place: Place = ()) -> Iterator[tuple[Place, object]]:  # noqa: ANN401
    """Return every place in a document that a path of the ledger leads to, absent ones too."""
    step, _, rest = path.partition(".")
    name = step.rstrip("[]{}")
    if not isinstance(value, dict):
        return
    if not rest:
        yield (*place, name), value.get(name)
        return
    below: list[tuple[Place, Any]] = [((*place, name), value.get(name))]
    marks = step[len(name) :]
    for mark in (marks[index : index + 2] for index in range(0, len(marks), 2)):
        below = [
            ((*where, key), item)
            for where, group in below
            for key, item in (
                enumerate(group) if mark == "[]" and isinstance(group, list)
                else group.items() if mark == "{}" and isinstance(group, dict)
                else ()
            )
        ]  # fmt: skip
    for where, item in below:
        yield from _at(item, rest, where)


def without(document: Document, path: str) -> Document:
    """Return a document without what a path of the ledger leads to."""
    return _changed(document, [(place, ...) for place, _ in _at(document, path)])


def is_said(document: Document, path: str) -> bool:
    """Return whether a path leads to a value everywhere that it leads to."""
    return all(value is not None for _, value in _at(document, path))


def _get(document: Document, place: Place) -> Any:  # noqa: ANN401 - JSON has no better type
    value: Any = document
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _changed(base: Document, changes: list[tuple[Place, object]]) -> Document:
    document = copy.deepcopy(base)
    for place, value in changes:
        last: Any = place[-1]
        holder: Any = _get(document, place[:-1])
        if not isinstance(holder, dict | list):
            continue  # an earlier change took it away
        if value is ...:
            if isinstance(holder, dict):
                holder.pop(last, None)
        elif isinstance(holder, dict) or last in range(len(holder)):
            holder[last] = copy.deepcopy(value)
    return document


def smaller(document: Document) -> Iterator[Document]:
    """Return every document that lacks one thing of this one, the largest things first."""
    places = sorted(_places(document), key=lambda place: len(str(_get(document, place))))
    for place in reversed(places):
        less = copy.deepcopy(document)
        del _get(less, place[:-1])[place[-1]]
        yield less


def _places(value: object, place: Place = ()) -> Iterator[Place]:
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))


_OTHER_ROWS: Mapping[str, tuple[str, ...]] = {
    "manifest": ("delivery_id string", "files{}.sha256 string", "files{}.size integer"),
    "software": (
        "name string", "version string", "readable_schemas.oldest string",
        "readable_schemas.newest string", "runtimes[].format string", "runtimes[].name string",
        "runtimes[].version string", "runtimes[].max_opset integer",
        "runtimes[].max_ir_version integer", "roles list of string",
        "variables map of string", "longest_period duration", "shortest_sample_rate duration",
    ),
    "definitions": (
        "application.area string", "application.areas{}.latitude number",
        "application.areas{}.longitude number", "application.areas{}.timezone string",
        "training.required_inputs[].temperature.period words",
        "training.required_inputs[].temperature.sample_rate words",
        "training.required_inputs[].temperature.area string",
    ),
}  # fmt: skip

OTHERS: Mapping[str, Ledger] = {
    name: Ledger(
        version="0.0",
        rows={
            row.partition(" ")[0]: {"type": row.partition(" ")[2], "constraints": "-"}
            for row in rows
        },
    )
    for name, rows in _OTHER_ROWS.items()
}
"""Documents that have no ledger of their own, as far as variations of them need one."""
