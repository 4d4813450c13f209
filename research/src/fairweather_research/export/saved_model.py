"""The SavedModel, and the same model as ONNX where it proves to be the same.

The SavedModel comes out identical, byte for byte, from every fresh process with the same settings.
``fingerprint.pb`` holds a random identifier and is not kept. The ONNX file is converted from the
exported SavedModel by tf2onnx's own command, in a process of its own: whatever goes wrong there is
reported in a sentence. Its bytes may differ from run to run; its outputs are what is checked.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkServerContext
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.export.artifacts import (
    IR_VERSION,
    ONNX_FILE,
    OPSET,
    SAVED_MODEL_FOLDER,
    TOLERANCE,
    OnnxReport,
    differences,
)
from fairweather_research.export.graph import ForecastGraph

SIGNATURE_KEY = "model_signature"

_CONVERSION_SECONDS = 300
_FORK = multiprocessing.get_context("fork")


def serialize_model(graph: ForecastGraph, folder: Path) -> Path:
    """Export the graph under the signature ``model_signature`` to ``folder / "model"``.

    Must be the process's first export: a second one in the same process gives other bytes.
    """
    path = folder / SAVED_MODEL_FOLDER
    tf.saved_model.save(graph, str(path), signatures={SIGNATURE_KEY: graph.forecast})
    (path / "fingerprint.pb").unlink()
    shutil.rmtree(path / "assets", ignore_errors=True)  # always empty
    return path


def load_signature(path: Path) -> Any:  # noqa: ANN401 - tensors have no types
    """Load the delivered bytes as a function: keyword tensors in, a mapping of tensors out."""
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures[SIGNATURE_KEY]
    signature.owner = loaded  # a signature does not keep its variables alive
    return signature


class Conversion:
    """A conversion to ONNX in a process of its own; ``finish`` waits for it.

    Make it before TensorFlow runs an operation: it is forked, because a new interpreter would
    import TensorFlow for longer than the conversion takes. As a context manager it leaves neither
    a process nor a log behind, whatever happens.
    """

    def __init__(self, context: ForkContext | ForkServerContext = _FORK) -> None:
        self._log = tempfile.NamedTemporaryFile("r", encoding="utf-8")  # noqa: SIM115 - see __exit__
        self._path = Path()
        receiver, self._sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_convert, args=(receiver, self._log.name))
        self._process.start()
        receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._sender.close()
        self._log.close()

    def start(self, folder: Path) -> None:
        """Convert ``folder / "model"`` to ``folder / "model.onnx"``."""
        self._path = folder / ONNX_FILE
        self._sender.send(str(folder))

    def finish(
        self,
        inputs: Mapping[str, npt.NDArray[Any]],
        expected: Mapping[str, npt.NDArray[np.float32]],
    ) -> OnnxReport:
        """Keep the file where it gives the ``expected`` outputs for ``inputs``, else remove it."""
        omitted = (
            self._failure() or _excess(self._path) or _disagreement(self._path, inputs, expected)
        )
        if omitted is not None:
            self._path.unlink(missing_ok=True)
            return OnnxReport(omitted=omitted)
        return OnnxReport(opset=OPSET, ir_version=IR_VERSION)

    def _failure(self) -> str | None:
        self._process.join(_CONVERSION_SECONDS)
        code = self._process.exitcode
        if code is None:
            return f"tf2onnx did not finish within {_CONVERSION_SECONDS} seconds"
        if code == 0 and self._path.is_file():
            return None
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        return f"tf2onnx ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"


def _convert(receiver: Connection, log: str) -> None:
    """Run the command of tf2onnx on the folder that comes, and print to ``log``."""
    folder = receiver.recv()
    with Path(log).open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.chdir(folder)
    sys.argv = [
        "tf2onnx.convert",
        *("--saved-model", SAVED_MODEL_FOLDER),  # it stands in the file: no folder of ours
        *("--tag", "serve", "--signature_def", SIGNATURE_KEY),
        *("--opset", str(OPSET), "--output", ONNX_FILE),
    ]
    tf2onnx = importlib.import_module("tf2onnx.convert")
    tf2onnx.main()


def _excess(path: Path) -> str | None:
    """Return what the model is or needs of a runtime beyond what is promised, if anything."""
    import onnx  # noqa: PLC0415 - only here, and slow

    from fairweather_research.export.onnx_graph import data_problems  # noqa: PLC0415

    model = onnx.load(str(path), load_external_data=False)
    for problem in data_problems(model):
        return f"the converted model {problem}"
    opset = next(item.version for item in model.opset_import if item.domain in {"", "ai.onnx"})
    if (opset, model.ir_version) == (OPSET, IR_VERSION):
        return None
    return (
        f"the converted model needs opset {opset} and IR version {model.ir_version}, "
        f"expected {OPSET} and {IR_VERSION}"
    )


def _disagreement(
    path: Path,
    inputs: Mapping[str, npt.NDArray[Any]],
    expected: Mapping[str, npt.NDArray[np.float32]],
) -> str | None:
    """Return how ONNX Runtime's outputs differ from the SavedModel's, if they do."""
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - only here, and ships no types

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        wanted = {item.name for item in session.get_inputs()}
        if wanted != set(inputs):
            return f"the converted model wants the inputs {sorted(wanted)}, not {sorted(inputs)}"
        found = dict(zip(expected, session.run(list(expected), dict(inputs)), strict=True))
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common base
        return f"ONNX Runtime {onnxruntime.__version__} cannot run it: {error}"[:500]
    absolute, relative = TOLERANCE
    for name, difference in differences(found, expected):
        return (
            f"{name} differs from the SavedModel by up to {difference:g} on the "
            f"examples, more than the tolerance of {absolute:g} + {relative:g} * |value|"
        )
    return None
