"""What an ONNX file may hold: decided from its bytes, before any runtime reads them.

A file that passes names nothing outside itself and runs only operators of ONNX. Refused are
external data of any tensor, operators of other domains, functions, training, ONNX Runtime's own
format, and more nodes, tensors or nested graphs than a forecast needs. So is what protobuf's
readers do not all read alike, and what is no protobuf.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

DOMAINS = ("ai.onnx", "ai.onnx.ml")
MOST = {"node": 50_000, "tensor": 50_000, "graph": 1000}
DEEPEST = 16
"""So many graphs may lie within each other."""

_INSIDE = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "opset": {1: "domain"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute", 7: "domain"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external data", 14: "data location"},
}
"""The fields of each message that matter, by number, as ``onnx.proto`` has them."""
_FORBIDDEN = {
    "training": "it holds training, which no forecast needs",
    "function": "it holds functions of its own; expected operators of ONNX alone",
    "external data": "a tensor of it lies in another file; expected all data in the file itself",
}
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
_NUMBERS = re.compile(rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f])*", re.DOTALL)
"""The floats and integers of an attribute: trees hold a million, each a field of its own."""


class _RefusedError(Exception):
    """The file holds what is not run; the text states it, and what is expected."""


def onnx_problem(path: str, content: bytes) -> str | None:
    """Return why the file of a path is not run, whatever runtime there is; None when it may be."""
    if path.endswith(".ort") or content[4:8] == b"ORTM":
        return "is in the format of ONNX Runtime itself, expected ONNX"
    try:
        _walk(content, 0, len(content), "model", 0, Counter())
    except _RefusedError as error:
        return f"is not run here: {error}"
    except (LookupError, ValueError):
        return "is not an ONNX model: it is no well-formed protobuf"
    return None


def _walk(  # noqa: PLR0917 - called for every message
    content: bytes, start: int, end: int, kind: str, depth: int, counts: Counter[str]
) -> None:
    """Look at one message, and at all within it."""
    counts[kind] += 1
    if counts[kind] > MOST.get(kind, counts[kind]):
        raise _RefusedError(f"it holds more than {MOST[kind]} {kind}s")
    depth += kind == "graph"
    if depth > DEEPEST:
        raise _RefusedError(f"more than {DEEPEST} graphs of it lie within each other")
    inside = _INSIDE[kind]
    for number, begin, stop in _fields(content, start, end, trees=kind == "attribute"):
        field = inside.get(number)
        if field is None:
            continue
        if field in _FORBIDDEN:
            raise _RefusedError(_FORBIDDEN[field])
        if field == "data location":
            if content[begin:stop] != b"\0":
                raise _RefusedError(_FORBIDDEN["external data"])
        elif field == "domain":
            domain = content[begin:stop].decode(errors="backslashreplace")
            if domain not in ("", *DOMAINS):
                expected = " and ".join(DOMAINS)
                raise _RefusedError(f"it uses operators of {domain!r:.80}, expected of {expected}")
        else:
            _walk(content, begin, stop, field, depth, counts)


def _fields(content: bytes, at: int, end: int, *, trees: bool) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each field of a message, and where its content begins and ends."""
    while at < end:
        if trees and (numbers := _NUMBERS.match(content, at, end)) and numbers.end() > at:
            at = numbers.end()
            continue
        tag, at = _varint(content, at, most=5)
        number, wire = tag >> 3, tag & 7
        begin = at
        if wire == _LENGTH:
            length, begin = _varint(content, at, most=5)
            at = begin + length
        elif wire == _VARINT:
            _, at = _varint(content, at, most=10)
        else:
            at += _FIXED[wire]
        if at > end or not number or tag >> 32:
            raise ValueError(tag)
        yield number, begin, at


def _varint(content: bytes, at: int, *, most: int) -> tuple[int, int]:
    """Read an integer of at most so many bytes; return it, and where it ends."""
    value = 0
    for shift in range(0, 7 * most, 7):
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the bit that says that more follow
            return value, at
    raise ValueError(value)
