"""Examples: golden inputs with the outputs the trainer computed, in ``examples.npz``.

The file is a zip of NumPy arrays, read here by its headers alone, so that the contract needs
no NumPy. It holds ``input/<name>`` and ``output/<name>`` for what the metadata names, quantiles
too, and ``area`` (text), ``reference_time`` (int64, seconds since 1970 UTC) and ``expect`` (text:
``serve`` or the refusal code the window must get). The first axis counts the examples.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from fairweather_interface.errors import in_words, short
from fairweather_interface.metadata import BATCH, ModelMetadata
from fairweather_interface.refusals import Code

EXAMPLES = "examples.npz"
SERVE = "serve"
MINIMUM = 8
"""The fewest examples a delivery holds."""

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # as NumPy itself
_LARGEST = 1 << 29  # bytes of all arrays together, unpacked
_DESCRIPTIONS = {"float32": "<f4", "float64": "<f8", "int32": "<i4", "int64": "<i8"}
_FLOATS = {"<f4": "<f", "<f8": "<d"}


@dataclass(frozen=True, slots=True)
class _Array:
    """An array by its header; ``name`` is the one in the zip, ``start`` where its data begin."""

    name: str
    description: str
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class _Examples:
    """The arrays of an open zip, by name."""

    archive: zipfile.ZipFile
    arrays: dict[str, _Array]

    def data(self, name: str) -> bytes:
        found = self.arrays[name]
        return self.archive.read(found.name)[found.start :]

    def texts(self, name: str) -> list[str]:
        data, found = self.data(name), self.arrays[name]
        width = 4 * int(found.description[2:])
        cells = (data[row * width : (row + 1) * width] for row in range(found.shape[0]))
        return [cell.decode("utf-32-le").rstrip("\0") for cell in cells]

    def rows(self, name: str) -> list[tuple[float, ...]]:
        found = self.arrays[name]
        width = math.prod(found.shape[1:])
        return list(struct.iter_unpack(f"<{width}f", self.data(name)))

    def has_nan(self, name: str) -> bool:
        form = _FLOATS.get(self.arrays[name].description)
        return form is not None and any(
            math.isnan(value) for (value,) in struct.iter_unpack(form, self.data(name))
        )


def example_problems(
    path: Path, metadata: ModelMetadata, *, writing: bool, given: bool = False
) -> tuple[str, ...]:
    """Return what is wrong with a delivery's examples; empty when nothing is.

    ``writing`` also asks for what only a producer owes: codes that we know, a window with a missing
    value for every input that allows some, and quantiles that do not cross. Of those that are
    ``given`` to be run yet, there are windows, areas and reference times alone.
    """
    if not path.is_file():
        return (f"{EXAMPLES}: not found",)
    try:
        with zipfile.ZipFile(path) as archive:
            examples = _Examples(archive, _arrays(archive))
            problems = [*_tensor_problems(examples, metadata, given=given)]
            if not problems:
                problems += _text_problems(examples, metadata, writing=writing, given=given)
            if not problems and writing:
                problems += _missing_problems(examples, metadata)
                problems += [] if given else _crossing_problems(examples, metadata)
    except Exception as error:  # noqa: BLE001 - a damaged zip fails in too many ways to list
        return (
            f"{EXAMPLES}: not a zip of plain NumPy arrays: {str(error) or type(error).__name__}",
        )
    return tuple(f"{EXAMPLES}: {problem}" for problem in problems)


def _tensor_problems(examples: _Examples, metadata: ModelMetadata, *, given: bool) -> Iterator[str]:
    """Yield what is wrong with the names, types and shapes of the arrays."""
    wanted: dict[str, tuple[str | None, tuple[int, ...]]] = {"reference_time": ("<i8", ())}
    for item in metadata.required_inputs if given else metadata.inputs:
        wanted[f"input/{item.name}"] = (_DESCRIPTIONS.get(item.dtype), item.shape[1:])
    for output in () if given else metadata.outputs:
        for name in (output.name, *(item.name for item in metadata.quantiles(output.name))):
            wanted[f"output/{name}"] = ("<f4", output.shape[1:])
    wanted |= {"area": ("<U", ())} | ({} if given else {"expect": ("<U", ())})
    absent = [name for name in wanted if name not in examples.arrays]
    if absent:
        yield f"expected the arrays {', '.join(wanted)}; not found: {', '.join(absent)}"
        return
    if given and (more := examples.arrays.keys() - wanted.keys()):
        yield f"found {in_words(sorted(more))}, expected no more than {', '.join(wanted)}"
    shape = examples.arrays["area"].shape
    count = shape[0] if shape else 0
    if count < MINIMUM:
        yield f"found {count} examples, expected at least {MINIMUM}"
    for name, (description, sizes) in wanted.items():
        found, expected = examples.arrays[name], (count, *sizes)
        if len(found.shape) != len(expected) or any(
            size not in (BATCH, there) for size, there in zip(expected, found.shape, strict=True)
        ):
            yield f"{name}: found shape {list(found.shape)}, expected {list(expected)}"
        elif description is not None and re.sub(r"U\d+", "U", found.description) != description:
            yield f"{name}: found dtype {found.description!r}, expected {description!r}"


def _text_problems(
    examples: _Examples, metadata: ModelMetadata, *, writing: bool, given: bool
) -> Iterator[str]:
    """Yield what is wrong with where the examples are and what they expect."""
    if unknown := sorted(set(examples.texts("area")) - set(metadata.areas)):
        yield f"area: found {short(unknown)}, which the metadata does not declare"
    if given:
        return
    expected = examples.texts("expect")
    if SERVE not in expected:
        yield f"expect: found no example to {SERVE}"
    if writing and (codes := sorted(set(expected) - {SERVE, *Code})):
        yield f"expect: found {short(codes)}, expected {SERVE} or a refusal code"


def _missing_problems(examples: _Examples, metadata: ModelMetadata) -> Iterator[str]:
    """Yield the inputs whose tolerance of missing values no example shows."""
    for item in metadata.required_inputs:
        name = f"input/{item.name}"
        if item.max_missing and not examples.has_nan(name):
            yield (
                f"{name}: up to {item.max_missing:.0%} of a window may be missing, and no "
                "example has a missing value"
            )


def _crossing_problems(examples: _Examples, metadata: ModelMetadata) -> Iterator[str]:
    """Yield the quantiles that fall below one of lower probability, where a window is served."""
    served = [row for row, code in enumerate(examples.texts("expect")) if code == SERVE]
    for output in metadata.outputs:
        names = [f"output/{each.name}" for each in metadata.quantiles(output.name)]
        for lower, upper in pairwise(names):
            below, above = examples.rows(lower), examples.rows(upper)
            crossed = (
                row
                for row in served
                if any(low > high for low, high in zip(below[row], above[row], strict=True))
            )
            if (row := next(crossed, None)) is not None:
                yield (
                    f"{upper}: found values below those of {lower} in example {row + 1}, expected "
                    "none: quantiles do not fall as the probability rises"
                )


def _arrays(archive: zipfile.ZipFile) -> dict[str, _Array]:
    """Read the header of every array, and no more: its data are unpacked on demand."""
    arrays: dict[str, _Array] = {}
    total = 0
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name in arrays:
            raise ValueError(f"found the array {short(name)} twice")
        total += entry.file_size
        if total > _LARGEST:
            raise ValueError(f"found more than {_LARGEST} bytes when unpacked")
        with archive.open(entry) as file:
            arrays[name] = _header(entry.filename, file, entry.file_size)
    return arrays


def _header(name: str, file: IO[bytes], size: int) -> _Array:
    start = file.read(8)
    if start[:6] != _MAGIC or start[6] not in (1, 2):
        raise ValueError(f"{short(name)} is not a NumPy array of format 1 or 2")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"{short(name)} has a header of {length} bytes")
    header = ast.literal_eval(file.read(length).decode("latin-1").strip())
    description, shape = header["descr"], tuple(header["shape"])
    kind = re.fullmatch(r"[<>|=]?([fiubcmMSU])([0-9]{1,9})(\[[0-9a-zA-Z]+\])?", str(description))
    if kind is None:
        raise ValueError(f"{short(name)} holds {short(description)}, expected numbers or text")
    if header["fortran_order"]:
        raise ValueError(f"{short(name)} is stored column by column, expected row by row")
    if not all(type(there) is int and there >= 0 for there in shape):
        raise ValueError(f"{short(name)} has the shape {short(shape)}")
    found = size - 8 - width - length
    expected = math.prod(shape) * int(kind[2]) * (4 if kind[1] == "U" else 1)
    if found != expected:
        raise ValueError(f"{short(name)} holds {found} bytes, expected {expected} by its shape")
    return _Array(name, str(description), shape, 8 + width + length)
