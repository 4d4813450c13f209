"""Models that run elsewhere: a server of the Open Inference Protocol V2, over HTTP.

KServe, Triton, MLServer and the OpenVINO Model Server speak it. Each delivery's model is served
there under its delivery id; this app still verifies the delivery, compares the server's signature
with the metadata and replays the examples, so that a model answers only when the server runs the
very one that was delivered.

A missing value is NaN. JSON has none: where a server says that it takes tensors as binary data,
as Triton does, they travel so, to the bit; else as JSON, a missing value as ``null``, as KServe
takes it. A server that takes neither fails at the examples, which hold missing values.

A server that cannot be reached, or does not serve a model yet, is asked again at every look at
the store. Once a model is live, whatever its server does costs one refusal, and the next model
is tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Never
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import orjson
import urllib3
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import ONNX, SAVED_MODEL, Artifact
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime

from fairweather_app.errors import LoadError, PredictionError, RemoteUnavailableError
from fairweather_app.models_backend.inference_client import OK, SHOWN, InferenceServer
from fairweather_app.models_backend.protocol import Deliveries, ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Arrays, Signature, Tensor

DTYPES = {"FP32": "float32", "FP64": "float64", "INT32": "int32", "INT64": "int64"}
"""The protocol's names of element types, and ours."""
_NAMES = {ours: theirs for theirs, ours in DTYPES.items()}


class RemoteBackend(ModelsBackend):
    """Hands artifacts of one format over to a server that has them already."""

    def __init__(self, format_: str, deliveries: Deliveries, server: InferenceServer) -> None:
        super().__init__(deliveries)
        self.format = format_
        self._server = server

    def describe(self) -> Runtime:
        """The protocol: what the server can run is its own affair."""
        return Runtime(format=self.format, name="open-inference-protocol", version="2")

    def cannot_run(self, artifact: Artifact) -> str | None:  # noqa: ARG002 - the server decides
        """Nothing speaks against an artifact before the server was asked."""
        return None

    def load(self, delivery: Delivery) -> RuntimeModel:
        """Find out how the server sees the model of a verified delivery.

        Raises:
            RemoteUnavailableError: the server cannot be reached, or does not serve the model yet.
            LoadError: it says something of the model that cannot be understood.
        """
        delivery_id = delivery.metadata.delivery_id
        if artifact_of(delivery, self.format) is None:
            reason = f"it carries no artifact of format {self.format}"
            raise LoadError(Code.RUNTIME_UNAVAILABLE, reason)
        try:
            answer = self._server.ask("GET", _address(delivery_id))
        except urllib3.exceptions.HTTPError as error:
            raise RemoteUnavailableError(
                f"the inference server {self._server.url} cannot be reached: {_words(error)}; "
                "FAIRWEATHER_INFERENCE_URL names it"
            ) from error
        content = answer.content
        if answer.status != OK:
            raise RemoteUnavailableError(
                f"the inference server {self._server.url} does not serve it: status "
                f"{answer.status}, {_excerpt(content)}; serve its model there under its delivery id"
            )
        try:
            signature = Signature(
                inputs={each["name"]: _tensor(each) for each in content["inputs"]},
                outputs={each["name"]: _tensor(each) for each in content["outputs"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            reason = (
                f"found {_excerpt(content)} at {self._server.url}{_address(delivery_id)}; expected "
                f"a model's inputs and outputs as the Open Inference Protocol V2 has them ({error})"
            )
            raise LoadError(Code.RUNTIME_UNAVAILABLE, reason) from error
        session = _RemoteSession(
            self._server, delivery_id, signature, binary=self._server.offers_binary()
        )
        return RuntimeModel(delivery=delivery, session=session)


def remote_backends(url: str, seconds: float, deliveries: Deliveries) -> tuple[ModelsBackend, ...]:
    """The backends of a server, for each format that deliveries may carry."""
    server = InferenceServer(url, seconds)
    return tuple(RemoteBackend(each, deliveries, server) for each in (ONNX, SAVED_MODEL))


class _RemoteSession:
    def __init__(
        self, server: InferenceServer, delivery_id: str, signature: Signature, *, binary: bool
    ) -> None:
        self.runtime = f"open-inference-protocol 2 at {server.url}"
        self.signature = signature
        self._server = server
        self._binary = binary
        self._address = f"{_address(delivery_id)}/infer"

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        asked = {
            "id": uuid4().hex,  # optional by the protocol, demanded by KServe
            "inputs": [_told(name, each, binary=self._binary) for name, each in feeds.items()],
            "outputs": [
                {"name": name} | ({"parameters": {"binary_data": True}} if self._binary else {})
                for name in outputs
            ],
        }
        values = feeds.values() if self._binary else ()
        follows = b"".join(each.astype(each.dtype.newbyteorder("<")).tobytes() for each in values)
        try:
            answer = self._server.ask("POST", self._address, asked, follows)
        except (urllib3.exceptions.TimeoutError, urllib3.exceptions.MaxRetryError) as error:
            self._failed(f"gave no answer: {_words(error)}", _no_answer(error))
        except urllib3.exceptions.HTTPError as error:
            self._failed(f"gave no answer: {_words(error)}", Code.RUNTIME_UNAVAILABLE)
        content = answer.content
        if answer.status != OK:
            self._failed(f"answered {answer.status}: {_excerpt(content)}", Code.RUNTIME_UNAVAILABLE)
        try:
            found = _arrays(content["outputs"], answer.binary)
            return {name: found[name] for name in outputs}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._failed(
                f"answered rubbish: found {_excerpt(content)}, expected the outputs "
                f"{', '.join(outputs)} ({type(error).__name__}: {error})",
                Code.INVALID_OUTPUT,
            )

    def _failed(self, what: str, code: Code) -> Never:
        raise PredictionError(f"{self.runtime} {what}", code=code)


def _address(delivery_id: str) -> str:
    return f"/v2/models/{quote(delivery_id, safe='')}"


def _tensor(told: Mapping[str, Any]) -> Tensor:
    """A tensor as the protocol describes it; -1 is a size that is left open."""
    kind = told["datatype"]
    return Tensor(
        DTYPES.get(kind, str(kind)),
        tuple(None if size == -1 else int(size) for size in told["shape"]),
    )


def _told(name: str, array: npt.NDArray[Any], *, binary: bool) -> dict[str, Any]:
    """An input in a request: with its values, or with the size of the binary data that follows."""
    told = {"name": name, "shape": array.shape, "datatype": _NAMES[str(array.dtype)]}
    if binary:
        return told | {"parameters": {"binary_data_size": array.nbytes}}
    return told | {"data": np.ascontiguousarray(array).ravel()}


def _arrays(told: Sequence[Mapping[str, Any]], binary: bytes) -> Arrays:
    """The outputs of an answer by name, from JSON or from the binary data after it, in order."""
    found: Arrays = {}
    at = 0
    for each in told:
        dtype = np.dtype(DTYPES[each["datatype"]])
        size = (each.get("parameters") or {}).get("binary_data_size")  # KServe says null
        if size is None:
            array = np.array(each["data"], dtype=dtype)
        else:
            array = np.frombuffer(binary[at : at + size], dtype.newbyteorder("<")).astype(dtype)
            at += size
        found[each["name"]] = array.reshape(each["shape"])
    return found


def _no_answer(error: urllib3.exceptions.HTTPError) -> Code:
    """Whether a server was too slow, or is not there."""
    cause = getattr(error, "reason", error)
    slow = isinstance(cause, urllib3.exceptions.ReadTimeoutError)
    return Code.TIMED_OUT if slow else Code.RUNTIME_UNAVAILABLE


def _words(error: Exception) -> str:
    """What went wrong, without the addresses of objects that urllib3 shows."""
    cause = getattr(error, "reason", None) or error
    words = re.sub(r"\[Errno -?\d+\] ", "", str(cause).rpartition(": ")[2])
    return words or type(cause).__name__


def _excerpt(content: object) -> str:
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
