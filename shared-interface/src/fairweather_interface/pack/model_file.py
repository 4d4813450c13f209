"""The ONNX file of a model: what a runtime must offer for it, and what no delivery may hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from fairweather_interface.errors import PackError, in_words, short
from fairweather_interface.manifest import read_document

_LARGEST = 1 << 29  # bytes of a model
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """The bytes of a model, and the newest operator set and IR version that they need."""

    data: bytes
    opset: int
    ir_version: int


def read_model(path: Path) -> ModelFile:
    """Return a model whose weights and operators are all its own; nothing of it is run.

    Raises:
        PackError: it is no ONNX file, is too large, has weights in other files, or operators that
            ONNX does not define.
    """
    try:
        data = read_document(path.resolve(), _LARGEST)
        model = onnx.ModelProto.FromString(data)
    except (OSError, ValueError) as error:
        raise PackError(f"found no model at {path}: {error}") from None
    except DecodeError:
        model = onnx.ModelProto()
    opset = max((each.version for each in model.opset_import if not each.domain), default=0)
    if not (opset and model.ir_version and model.graph.node):
        raise PackError(f"found no ONNX model in {path}, expected an .onnx file")
    parts = tuple(_below(model))
    tensors = (part for part in parts if isinstance(part, onnx.TensorProto))
    if elsewhere := [short(each.name) for each in tensors if each.external_data]:
        raise PackError(
            f"found weights outside of {path}, of {in_words(elsewhere, 3)}, expected them in it: "
            "onnx.save(onnx.load(path), path_of_one_file) writes them so"
        )
    nodes = (part for part in parts if isinstance(part, onnx.NodeProto))
    if foreign := sorted({f"{x.domain}.{x.op_type}" for x in nodes if x.domain not in _DOMAINS}):
        raise PackError(
            f"found the operators {in_words(foreign, 5)} in {path}, expected those of ai.onnx and "
            "ai.onnx.ml: export without custom operators, and with local functions inlined"
        )
    return ModelFile(data=data, opset=opset, ir_version=model.ir_version)


def _below(message: Message) -> Iterator[Any]:
    """Yield every message inside of one, at any depth; numbers and texts are not looked at."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                yield part
                yield from _below(part)
