"""Backend for ONNX artifacts, in process, with ONNX Runtime: in every installation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import ONNX, Artifact
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime
from onnxruntime.capi import (  # type: ignore[import-untyped]
    onnxruntime_pybind11_state as ort_errors,
)

from fairweather_app.common.time_limit import current_token
from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend.onnx_file import onnx_problem
from fairweather_app.models_backend.protocol import ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature, Tensor

FATAL_ONLY = 4
_AS_REQUESTED = 1
"""The arena grows by what is requested, not by powers of two."""
_DTYPES = {"float": "float32", "double": "float64"}
_ORT_ERRORS = tuple(
    each
    for each in vars(ort_errors).values()
    if isinstance(each, type) and issubclass(each, Exception)
)
_NOISE = re.compile(r"Load model from .*? failed: *|/onnxruntime_src/.*?\) (?=[A-Z])", re.DOTALL)
_INVALID = (ort_errors.InvalidProtobuf, ort_errors.InvalidGraph, ort_errors.InvalidArgument)


class OnnxBackend(ModelsBackend):
    """Loads ONNX artifacts; one thread a call, so that requests do not compete for cores."""

    format = ONNX

    def describe(self) -> Runtime:
        """Describe the runtime, with the newest opset and IR version, found by trying."""
        max_opset, max_ir_version = newest_supported()
        return Runtime(
            format=ONNX,
            name="onnxruntime",
            version=ort.__version__,
            max_opset=max_opset,
            max_ir_version=max_ir_version,
        )

    def cannot_run(self, artifact: Artifact) -> str | None:
        """Compare the opset and IR version that an artifact needs with the newest here."""
        max_opset, max_ir_version = newest_supported()
        needs = artifact.needs
        if needs is None:
            return None
        here = f"onnxruntime {ort.__version__} runs up to"
        if needs.opset is not None and needs.opset > max_opset:
            return f"needs ONNX opset {needs.opset}, {here} {max_opset}"
        if needs.ir_version is not None and needs.ir_version > max_ir_version:
            return f"needs ONNX IR version {needs.ir_version}, {here} {max_ir_version}"
        return None

    def load(self, delivery: Delivery) -> RuntimeModel:
        """Load the ONNX artifact of a verified delivery."""
        artifact = artifact_of(delivery, ONNX)
        if artifact is None or artifact.path is None:
            raise LoadError(Code.RUNTIME_UNAVAILABLE, "it carries no ONNX artifact")
        path = delivery.path / artifact.path
        problem = onnx_problem(artifact.path, path.read_bytes())
        if problem is not None:
            raise LoadError(Code.CORRUPT, f"{artifact.path} {problem}")
        try:
            session = ort.InferenceSession(
                str(path), _options(), providers=["CPUExecutionProvider"]
            )
        except _INVALID as error:
            raise LoadError(
                Code.CORRUPT, f"{artifact.path} is not an ONNX model: {_words(error)}"
            ) from error
        except _ORT_ERRORS as error:
            raise LoadError(
                Code.RUNTIME_UNAVAILABLE,
                f"onnxruntime {ort.__version__} does not take {artifact.path}: {_words(error)}",
            ) from error
        return RuntimeModel(delivery=delivery, session=_OnnxSession(session))


class _OnnxSession:
    runtime = f"onnxruntime {ort.__version__}"

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.signature = Signature(
            inputs={each.name: _tensor(each) for each in session.get_inputs()},
            outputs={each.name: _tensor(each) for each in session.get_outputs()},
        )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        token = current_token()
        if token is not None:  # onnxruntime reads it before every operation
            token.on_cancel(partial(setattr, options, "terminate", True))  # noqa: FBT003 - its value
        try:
            found = self._session.run(list(outputs), dict(feeds), options)
        except _ORT_ERRORS as error:
            raise PredictionError(f"{self.runtime} failed: {_words(error)}") from error
        return dict(zip(outputs, found, strict=True))


def _tensor(node: Any) -> Tensor:  # noqa: ANN401 - a NodeArg of onnxruntime
    element = str(node.type).removeprefix("tensor(").removesuffix(")")
    sizes = tuple(size if isinstance(size, int) else None for size in node.shape)
    return Tensor(_DTYPES.get(element, element), sizes)


def _words(error: Exception) -> str:
    """Return the error's text without its numbers, paths and source lines."""
    return _NOISE.sub("", str(error).split(" : ", 3)[-1]).strip()


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # an arena of its own costs each small model 0.9 MB, and has no limit: see `limit_memory`
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def limit_memory(size: int) -> None:
    """Let the runs of all models together allocate so many bytes; more fails the run that asks.

    The models' own weights do not count. It holds for sessions that are made from now on.
    """
    arena = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = ort.OrtMemoryInfo("Cpu", arena, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(size, _AS_REQUESTED, -1, -1))


# ------------------------------------------------------------------ what the runtime supports

_OLDEST_OPSET, _OLDEST_IR_VERSION = 13, 8


@cache
def newest_supported() -> tuple[int, int]:
    """Return the newest ONNX opset and IR version of the installed runtime.

    It does not report them, so tiny identity models of rising versions are tried: a few
    milliseconds, once a process.
    """
    opset, ir_version = _OLDEST_OPSET, _OLDEST_IR_VERSION
    while _loads(opset + 1, ir_version):
        opset += 1
    while _loads(opset, ir_version + 1):
        ir_version += 1
    return opset, ir_version


def _loads(opset: int, ir_version: int) -> bool:
    try:
        ort.InferenceSession(_identity(opset, ir_version), _options())
    except _ORT_ERRORS:
        return False
    return True


def _identity(opset: int, ir_version: int) -> bytes:
    """Return an ONNX model of the identity: float32 of any shape, ``x`` to ``y``."""

    def field(number: int, content: bytes | int) -> bytes:
        if isinstance(content, int):
            return bytes([number << 3, content])
        return bytes([number << 3 | 2, len(content)]) + content

    float32 = field(2, field(1, field(1, 1)))
    node = field(1, b"x") + field(2, b"y") + field(4, b"Identity")
    values = field(11, field(1, b"x") + float32) + field(12, field(1, b"y") + float32)
    graph = field(1, node) + field(2, b"identity") + values
    return field(1, ir_version) + field(7, graph) + field(8, field(2, opset))
