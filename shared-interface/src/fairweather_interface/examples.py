"""Examples: golden inputs with the outputs the trainer computed, in ``examples.npz``.

The file is a zip of NumPy arrays, read here by its headers alone, so that the contract needs
no NumPy. It holds ``input/<name>`` and ``output/<name>`` for what the metadata names, and
``area`` (text), ``reference_time`` (int64, seconds since 1970 UTC) and ``expect`` (text:
``serve`` or the refusal code the window must get). The first axis counts the examples.
"""

from __future__ import annotations

import ast
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairweather_interface.metadata import ModelMetadata

EXAMPLES = "examples.npz"
SERVE = "serve"
MINIMUM = 8
"""The fewest examples a delivery holds."""

_MAGIC = b"\x93NUMPY"
_DESCRIPTIONS = {"float32": "<f4", "float64": "<f8", "int32": "<i4", "int64": "<i8"}


@dataclass(frozen=True, slots=True)
class _Array:
    description: str
    shape: tuple[int, ...]
    data: bytes

    def texts(self) -> list[str]:
        width = 4 * int(self.description[2:])
        cells = (self.data[i : i + width] for i in range(0, len(self.data), width))
        return [cell.decode("utf-32-le").rstrip("\0") for cell in cells]


def example_problems(path: Path, metadata: ModelMetadata, *, writing: bool) -> tuple[str, ...]:
    """Return what is wrong with a delivery's examples; empty when nothing is.

    ``writing`` also asks for what only a producer owes: a window with a missing value for every
    input that allows some.
    """
    try:
        arrays = _read(path)
    except FileNotFoundError:
        return (f"{EXAMPLES}: not found",)
    except (OSError, ValueError, zipfile.BadZipFile, KeyError) as error:
        return (f"{EXAMPLES}: found a file that is not a zip of plain NumPy arrays: {error}",)
    problems = [*_tensor_problems(arrays, metadata)]
    if not problems:
        problems += _text_problems(arrays, metadata)
    if not problems and writing:
        problems += _missing_problems(arrays, metadata)
    return tuple(f"{EXAMPLES}: {problem}" for problem in problems)


def _tensor_problems(arrays: dict[str, _Array], metadata: ModelMetadata) -> Iterator[str]:
    """Yield what is wrong with the names, types and shapes of the arrays."""
    wanted: dict[str, tuple[str | None, tuple[int, ...]]] = {"reference_time": ("<i8", ())}
    for item in metadata.inputs:
        wanted[f"input/{item.name}"] = (_DESCRIPTIONS.get(item.dtype), item.shape[1:])
    for output in metadata.outputs:
        wanted[f"output/{output.name}"] = ("<f4", output.shape[1:])
    wanted |= {"area": ("<U", ()), "expect": ("<U", ())}
    absent = [name for name in wanted if name not in arrays]
    if absent:
        yield f"expected the arrays {', '.join(wanted)}; not found: {', '.join(absent)}"
        return
    count = arrays["area"].shape[0] if arrays["area"].shape else 0
    if count < MINIMUM:
        yield f"found {count} examples, expected at least {MINIMUM}"
    for name, (description, shape) in wanted.items():
        found = arrays[name]
        if found.shape != (count, *shape):
            yield f"{name}: found shape {found.shape}, expected {(count, *shape)}"
        elif description is not None and not found.description.startswith(description):
            yield f"{name}: found dtype {found.description!r}, expected {description!r}"


def _text_problems(arrays: dict[str, _Array], metadata: ModelMetadata) -> Iterator[str]:
    """Yield what is wrong with where the examples are and what they expect."""
    strangers = sorted(set(arrays["area"].texts()) - set(metadata.areas))
    if strangers:
        yield f"area: found {', '.join(strangers)}, which the metadata does not declare"
    if SERVE not in arrays["expect"].texts():
        yield f"expect: found no example to {SERVE}"


def _missing_problems(arrays: dict[str, _Array], metadata: ModelMetadata) -> Iterator[str]:
    """Yield the inputs whose tolerance of missing values no example shows."""
    for item in metadata.required_inputs:
        name = f"input/{item.name}"
        if item.max_missing and not _has_nan(arrays[name]):
            yield (
                f"{name}: up to {item.max_missing:.0%} of a window may be missing, and no "
                "example has a missing value"
            )


def _has_nan(found: _Array) -> bool:
    values = array("f")
    values.frombytes(found.data)
    return any(value != value for value in values)  # noqa: PLR0124 - true of NaN alone


def _read(path: Path) -> dict[str, _Array]:
    with zipfile.ZipFile(path) as archive:
        return {
            name.removesuffix(".npy"): _parse(name, archive.read(name))
            for name in archive.namelist()
        }


def _parse(name: str, data: bytes) -> _Array:
    if data[:6] != _MAGIC or data[6] not in (1, 2):
        raise ValueError(f"{name} is not a NumPy array of format 1 or 2")
    width = 2 if data[6] == 1 else 4
    start = 8 + width
    end = start + int.from_bytes(data[8:start], "little")
    try:
        header = ast.literal_eval(data[start:end].decode("latin-1"))
        description, shape = header["descr"], tuple(header["shape"])
    except (SyntaxError, TypeError, KeyError):
        raise ValueError(f"{name} has a header that is not one") from None
    if not isinstance(description, str) or description.lstrip("<>|=")[:1] not in "fiuUb":
        raise ValueError(f"{name} holds {description!r}, expected plain numbers or text")
    if header.get("fortran_order"):
        raise ValueError(f"{name} is stored column by column, expected row by row")
    return _Array(description, shape, data[end:])
