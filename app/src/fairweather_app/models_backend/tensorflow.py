"""Backend for TensorFlow SavedModels, in process: needs the extra ``[tensorflow]`` and a setting.

A SavedModel is a program: everyone who can write to the store can run code here. TensorFlow is
imported when the first SavedModel is loaded, which takes seconds and hundreds of megabytes. It
would hang after a fork, so a session refuses to run in another process than the one that loaded it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, Sequence
from importlib import metadata as packages
from typing import Any

import numpy.typing as npt
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import SAVED_MODEL, Artifact
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime
from packaging.version import Version

from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend.protocol import ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Arrays, Signature, Tensor

SIGNATURE_NAME = "model_signature"


class TensorFlowBackend(ModelsBackend):
    """Loads SavedModels that carry the signature ``model_signature``; one thread a call."""

    format = SAVED_MODEL

    def describe(self) -> Runtime:
        """Describe the runtime without importing TensorFlow."""
        return Runtime(
            format=SAVED_MODEL, name="tensorflow", version=packages.version("tensorflow")
        )

    def cannot_run(self, artifact: Artifact) -> str | None:
        """Compare the TensorFlow version that an artifact needs with the installed one."""
        needed = artifact.needs.tensorflow if artifact.needs else None
        if needed is None:
            return None
        here = packages.version("tensorflow")
        newer = Version(needed).release[:2] > Version(here).release[:2]
        return f"needs TensorFlow {needed}, here is {here}" if newer else None

    def load(self, delivery: Delivery) -> RuntimeModel:
        """Load the SavedModel of a verified delivery."""
        artifact = artifact_of(delivery, SAVED_MODEL)
        if artifact is None or artifact.path is None:
            raise LoadError(Code.RUNTIME_UNAVAILABLE, "it carries no SavedModel")
        tensorflow = _import_tensorflow()
        try:
            loaded = tensorflow.saved_model.load(str(delivery.path / artifact.path))
        except Exception as error:  # TensorFlow raises what its file formats raise
            raise LoadError(
                Code.CORRUPT, f"{artifact.path} is not a SavedModel: {error}"
            ) from error
        if SIGNATURE_NAME not in loaded.signatures:
            found = ", ".join(loaded.signatures) or "none"
            raise LoadError(
                Code.CORRUPT, f"{artifact.path} has no signature {SIGNATURE_NAME!r}; found {found}"
            )
        return RuntimeModel(delivery=delivery, session=_TensorFlowSession(tensorflow, loaded))


class _TensorFlowSession:
    def __init__(self, tensorflow: Any, loaded: Any) -> None:  # noqa: ANN401 - no types there
        self.runtime = f"tensorflow {tensorflow.__version__}"
        self._tensorflow = tensorflow
        self._loaded = loaded  # owns the variables that the function uses
        self._function = loaded.signatures[SIGNATURE_NAME]
        self._process = os.getpid()
        _, inputs = self._function.structured_input_signature
        self.signature = Signature(
            inputs={name: _tensor(each) for name, each in inputs.items()},
            outputs={
                name: _tensor(each) for name, each in self._function.structured_outputs.items()
            },
        )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        if os.getpid() != self._process:
            raise PredictionError(
                f"{self.runtime} was loaded by process {self._process} and does not survive the "
                f"fork to {os.getpid()}: start the app in each worker, without preloading"
            )
        tensors = {name: self._tensorflow.constant(each) for name, each in feeds.items()}
        try:
            found = self._function(**tensors)
        except self._tensorflow.errors.OpError as error:
            raise PredictionError(f"{self.runtime} failed: {error.message}") from error
        return {name: found[name].numpy() for name in outputs}


def _tensor(spec: Any) -> Tensor:  # noqa: ANN401 - a TensorSpec
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Tensor(str(spec.dtype.name), shape)


def _import_tensorflow() -> Any:  # noqa: ANN401 - no types there
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = importlib.import_module("tensorflow")  # slow and large: only when needed
    with contextlib.suppress(RuntimeError):
        # possible before its first operation only: the first SavedModel sets them
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow
