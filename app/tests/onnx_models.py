"""Writes ONNX models for tests, sound and hostile: no package that could is installed here.

All take ``temperature`` and give ``temperature_forecast``, float32 [batch, 24], as the tiny
delivery declares it. Numbers are those of the fields in ``onnx.proto``.
"""

from __future__ import annotations

import struct

FLOAT, INT64, BOOL = 1, 7, 9
SOURCE, TARGET = "temperature", "temperature_forecast"
FORMATS = {FLOAT: "<f", INT64: "<q", BOOL: "<?"}


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, element: int, *values: float, sizes: tuple[int, ...] = ()) -> bytes:
    data = b"".join(struct.pack(FORMATS[element], value) for value in values)
    dims = b"".join(field(1, size) for size in sizes)
    return dims + field(2, element) + field(8, name) + field(9, data)


def external_tensor(name: str, location: str) -> bytes:
    entry = field(1, "location") + field(2, location)
    return field(1, 24) + field(2, FLOAT) + field(8, name) + field(13, entry) + field(14, 1)


def node(
    operator: str,
    inputs: str,
    output: str,
    attribute: bytes = b"",
    *,
    domain: str = "",
) -> bytes:
    """Return a node of named inputs, separated by spaces; ``-`` is one that is left out."""
    names = [name.replace("-", "") for name in inputs.split()]
    return (
        b"".join(field(1, name) for name in names)
        + field(2, output)
        + field(4, operator)
        + (field(5, attribute) if attribute else b"")
        + (field(7, domain) if domain else b"")
    )


def value(name: str, element: int, *sizes: int | str) -> bytes:
    dims = [field(1, field(2 if isinstance(size, str) else 1, size)) for size in sizes]
    return field(1, name) + field(2, field(1, field(1, element) + field(2, b"".join(dims))))


def graph(nodes: list[bytes], tensors: list[bytes], inputs: list[bytes], output: bytes) -> bytes:
    return (
        b"".join(field(1, each) for each in nodes)
        + field(2, "graph")
        + b"".join(field(5, each) for each in tensors)
        + b"".join(field(11, each) for each in inputs)
        + field(12, output)
    )


def model(
    *nodes: bytes,
    tensors: tuple[bytes, ...] = (),
    steps: int | str = 24,
    domains: tuple[str, ...] = ("",),
    more: bytes = b"",
) -> bytes:
    """Return a model of these nodes; `more` are further fields of the model itself."""
    found = graph(
        [*nodes],
        [*tensors],
        [value(SOURCE, FLOAT, "batch", 24)],
        value(TARGET, FLOAT, "rows", steps),
    )
    versions = b"".join(field(8, field(1, domain) + field(2, 17)) for domain in domains)
    return field(1, 8) + field(7, found) + versions + more


def subgraph(name: str, body: bytes) -> bytes:
    """Return an attribute that holds a graph."""
    return field(1, name) + field(6, body) + field(20, 5)


def body(*nodes: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
    """Return the body of a loop that goes on, and hands its value on."""
    going = node("Identity", "going", "goes")
    inputs = [value("turn", INT64), value("going", BOOL), value("x", FLOAT, "b", "s")]
    found = graph([going, *nodes], [*tensors], inputs, value("goes", BOOL))
    return found + field(12, value("y", FLOAT, "b", "s"))


IDENTITY = node("Identity", SOURCE, TARGET)
HANDED_ON = node("Identity", "x", "y")


def endless_loop() -> bytes:
    loop = node("Loop", f"- true {SOURCE}", TARGET, subgraph("body", body(HANDED_ON)))
    return model(loop, tensors=(tensor("true", BOOL, 1),))


def hungry(gigabytes: int) -> bytes:
    """Return the identity, by way of so many gigabytes of zeros."""
    return model(
        node("ConstantOfShape", "size", "zeros"),
        node("ReduceMax", "zeros", "zero", field(1, "keepdims") + field(3, 0) + field(20, 2)),
        node("Add", f"{SOURCE} zero", TARGET),
        tensors=(tensor("size", INT64, gigabytes << 28, sizes=(1,)),),
    )


def heavy(megabytes: int) -> bytes:
    """Return the identity, plus one of so many megabytes of zeros."""
    count = megabytes << 18
    weights = field(1, count) + field(2, FLOAT) + field(8, "zeros") + field(9, bytes(4 * count))
    return model(
        node("Shape", SOURCE, "shape"),
        node("Gather", "shape first", "rows"),
        node("Gather", "zeros rows", "zero"),
        node("Add", f"{SOURCE} zero", TARGET),
        tensors=(weights, tensor("first", INT64, 0)),
    )


def short_when_alone() -> bytes:
    """Return the identity for several rows, and the first 5 steps of a single one."""
    return model(
        node("Shape", SOURCE, "shape"),
        node("Gather", "shape first", "rows"),
        node("Equal", "rows one", "alone"),
        node("Where", "alone few all", "ends"),
        node("Slice", f"{SOURCE} starts ends", TARGET),
        tensors=(
            tensor("first", INT64, 0),
            tensor("one", INT64, 1),
            tensor("few", INT64, 1, 5, sizes=(2,)),
            tensor("all", INT64, 99, 24, sizes=(2,)),
            tensor("starts", INT64, 0, 0, sizes=(2,)),
        ),
        steps="steps",
    )


def unlike_its_examples(kind: str) -> bytes:
    """Return the identity for windows as warm as examples; colder ones, below 5 on average, differ.

    They loop for ever (``endless``), take 4 GB (``hungry``), or come out ``short`` or ``long``.
    """
    scalar = field(1, "keepdims") + field(3, 0) + field(20, 2)
    whole = field(1, "to") + field(3, INT64) + field(20, 2)
    cold = (
        node("ReduceMean", SOURCE, "mean", scalar),
        node("Less", "mean five", "cold"),
        node("Cast", "cold", "once", whole),
    )
    tensors = (tensor("five", FLOAT, 5), tensor("one", INT64, 1, sizes=(1,)))
    if kind == "endless":
        loop = node("Loop", f"- cold {SOURCE}", TARGET, subgraph("body", body(HANDED_ON)))
        return model(*cold, loop, tensors=tensors)
    if kind == "hungry":
        size = tensor("size", INT64, 1 << 30, sizes=(1,))
        nodes = [
            node("Mul", "once size", "much"),
            node("Add", "much one", "some"),
            node("ConstantOfShape", "some", "zeros"),
            node("ReduceMax", "zeros", "zero", scalar),
            node("Add", f"{SOURCE} zero", TARGET),
        ]
        return model(*cold, *nodes, tensors=(*tensors, size))
    if kind == "short":
        few = tensor("few", INT64, 1, 5, sizes=(2,))
        every = tensor("all", INT64, 99, 24, sizes=(2,))
        nodes = [
            node("Where", "cold few all", "ends"),
            node("Slice", f"{SOURCE} starts ends", TARGET),
        ]
        starts = tensor("starts", INT64, 0, 0, sizes=(2,))
        return model(*cold, *nodes, tensors=(*tensors, few, every, starts), steps="steps")
    nodes = [
        node("Add", "once one", "times"),
        node("Concat", "one times", "tiles", field(1, "axis") + field(3, 0) + field(20, 2)),
        node("Tile", f"{SOURCE} tiles", TARGET),
    ]
    return model(*cold, *nodes, tensors=tensors, steps="steps")
