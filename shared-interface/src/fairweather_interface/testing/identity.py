"""The smallest model there is, in ONNX, and arrays in NumPy's format, both without libraries.

An identity model of one variable takes about a hundred bytes. The encodings are those of
``onnx.proto3`` (protocol buffers) and of NumPy's ``.npy`` format 1.0.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

_FLOAT, _INT64 = 1, 7
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold, so that bytes repeat


def identity_onnx(
    pairs: Sequence[tuple[str, str]],
    samples: int,
    *,
    unused: Sequence[str] = (),
    shifts: Mapping[str, float] | None = None,
    opset: int = 17,
    ir_version: int = 8,
) -> bytes:
    """Return an ONNX model that hands each input on to an output, unchanged.

    Args:
        pairs: names of input and output, each float32 ``[batch, samples]``.
        shifts: outputs to the number that is added to their input on the way.
        samples: the length of every window.
        unused: names of further inputs, int64 ``[batch]``, which the model takes and ignores.
        opset: the operator set it declares to need.
        ir_version: the IR version it declares.
    """
    shifts = shifts or {}
    nodes = [
        _text(1, source) + _text(1, f"{target}_shift") + _text(2, target) + _text(4, "Add")
        if target in shifts
        else _text(1, source) + _text(2, target) + _text(4, "Identity")
        for source, target in pairs
    ]
    constants = [
        _number(2, _FLOAT) + _text(8, f"{target}_shift") + _message(9, struct.pack("<f", shift))
        for target, shift in shifts.items()
    ]
    sources = dict.fromkeys(source for source, _ in pairs)
    inputs = [_value(source, _FLOAT, samples) for source in sources]
    inputs += [_value(name, _INT64) for name in unused]
    outputs = [_value(target, _FLOAT, samples) for _, target in pairs]
    graph = (
        b"".join(_message(1, node) for node in nodes)
        + _text(2, "identity")
        + b"".join(_message(5, constant) for constant in constants)
        + b"".join(_message(11, value) for value in inputs)
        + b"".join(_message(12, value) for value in outputs)
    )
    operators = _text(1, "") + _number(2, opset)
    return _number(1, ir_version) + _message(7, graph) + _message(8, operators)


def npz(arrays: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> bytes:
    """Return a zip of NumPy arrays, each given as dtype description, shape and raw bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (description, shape, data) in arrays.items():
            header = str({"descr": description, "fortran_order": False, "shape": shape})
            padded = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + "\n"
            text = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode("latin-1")
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), text + data)
    return buffer.getvalue()


def floats(rows: Sequence[Sequence[float]]) -> tuple[str, tuple[int, ...], bytes]:
    """Return rows of numbers as a float32 array of two axes."""
    width = len(rows[0])
    data = b"".join(struct.pack(f"<{width}f", *row) for row in rows)
    return "<f4", (len(rows), width), data


def integers(values: Sequence[int]) -> tuple[str, tuple[int, ...], bytes]:
    """Return numbers as an int64 array of one axis."""
    return "<i8", (len(values),), struct.pack(f"<{len(values)}q", *values)


def texts(values: Sequence[str]) -> tuple[str, tuple[int, ...], bytes]:
    """Return texts as a unicode array of one axis."""
    width = max(map(len, values))
    data = b"".join(value.ljust(width, "\0").encode("utf-32-le") for value in values)
    return f"<U{width}", (len(values),), data


def _value(name: str, element: int, *sizes: int) -> bytes:
    """Return a ValueInfoProto: a tensor whose first axis is the batch."""
    axes = [_message(1, _text(2, "batch")), *(_message(1, _number(1, size)) for size in sizes)]
    tensor = _number(1, element) + _message(2, b"".join(axes))
    return _text(1, name) + _message(2, _message(1, tensor))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())
