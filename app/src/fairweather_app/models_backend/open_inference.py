"""Backend for a server of the Open Inference Protocol V2, over HTTP.

KServe, Triton, MLServer and the OpenVINO Model Server implement it. The server has each delivery's
model under its delivery id; this app still verifies the delivery, compares the server's signature
with the metadata and replays the examples, so that a model is served only when the server runs the
one that was delivered.

A missing value is NaN, which JSON does not have: tensors travel as binary data where the server
states that it takes them, as Triton does; else as JSON with ``null``, as KServe takes it. A server
that takes neither fails at the examples, which hold missing values.

While a server cannot be reached, or does not serve a model yet, every refresh of the catalogue
tries again. Once a model is live, a failure of its server costs one refusal, and the next model is
tried.
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
from fairweather_app.models_backend.inference_client import OK, SHOWN, InferenceClient
from fairweather_app.models_backend.protocol import Deliveries, ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature, Tensor
from fairweather_app.text import mask

DTYPES = {"FP32": "float32", "FP64": "float64", "INT32": "int32", "INT64": "int64"}
"""The protocol's names of element types, and ours."""
_NAMES = {ours: theirs for theirs, ours in DTYPES.items()}


class OpenInferenceBackend(ModelsBackend):
    """Runs artifacts of one format on a server that has them already."""

    elsewhere = True

    def __init__(self, format_: str, deliveries: Deliveries, client: InferenceClient) -> None:
        super().__init__(deliveries)
        self.format = format_
        self._client = client

    def describe(self) -> Runtime:
        """Name the protocol: what the server can run is not known here."""
        return Runtime(format=self.format, name="open-inference-protocol", version="2")

    def cannot_run(self, artifact: Artifact) -> str | None:  # noqa: ARG002 - the server decides
        """Return None: the server decides."""
        return None

    def load(self, delivery: Delivery) -> RuntimeModel:
        """Get the signature of a verified delivery's model from the server.

        A server that cannot be reached, or does not serve the model yet, is
        `RemoteUnavailableError`; a description that cannot be understood, `LoadError`.
        """
        if artifact_of(delivery, self.format) is None:
            reason = f"it carries no artifact of format {self.format}"
            raise LoadError(Code.RUNTIME_UNAVAILABLE, reason)
        url = self._client.url
        address = f"/v2/models/{quote(delivery.metadata.delivery_id, safe='')}"
        try:
            response = self._client.request("GET", address)
        except urllib3.exceptions.HTTPError as error:
            raise RemoteUnavailableError(
                f"the inference server {url} cannot be reached: {_words(error)}; "
                "FAIRWEATHER_INFERENCE_URL names it"
            ) from error
        content = response.content
        if response.status != OK:
            raise RemoteUnavailableError(
                f"the inference server {url} does not serve it: status {response.status}, "
                f"{_excerpt(content)}; serve its model there under its delivery id"
            )
        try:
            signature = Signature(
                inputs={each["name"]: _tensor(each) for each in content["inputs"]},
                outputs={each["name"]: _tensor(each) for each in content["outputs"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            reason = (
                f"found {_excerpt(content)} at {url}{address}; expected a model's inputs and "
                f"outputs as the Open Inference Protocol V2 has them ({error})"
            )
            raise LoadError(Code.RUNTIME_UNAVAILABLE, reason) from error
        return RuntimeModel(delivery=delivery, session=_Session(self._client, address, signature))


def open_inference_backends(
    url: str, seconds: float, deliveries: Deliveries
) -> tuple[ModelsBackend, ...]:
    """Make the backends of a server, one for each format that deliveries may carry."""
    client = InferenceClient(url, seconds)
    return tuple(OpenInferenceBackend(each, deliveries, client) for each in (ONNX, SAVED_MODEL))


class _Session:
    def __init__(self, client: InferenceClient, address: str, signature: Signature) -> None:
        self.runtime = mask(f"open-inference-protocol 2 at {client.url}")
        self.signature = signature
        self._client = client
        self._binary = client.offers_binary()
        self._address = f"{address}/infer"

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        binary = {"parameters": {"binary_data": True}} if self._binary else {}
        body = {
            "id": uuid4().hex,  # optional by the protocol, demanded by KServe
            "inputs": [self._input(name, array) for name, array in feeds.items()],
            "outputs": [{"name": name, **binary} for name in outputs],
        }
        values = feeds.values() if self._binary else ()
        data = b"".join(each.astype(each.dtype.newbyteorder("<")).tobytes() for each in values)
        try:
            response = self._client.request("POST", self._address, body, data)
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", error)
            slow = isinstance(cause, urllib3.exceptions.ReadTimeoutError)
            code = Code.TIMED_OUT if slow else Code.RUNTIME_UNAVAILABLE
            self._fail(f"gave no answer: {_words(error)}", code)
        content = response.content
        if response.status != OK:
            problem = f"answered {response.status}: {_excerpt(content)}"
            self._fail(problem, Code.RUNTIME_UNAVAILABLE)
        try:
            found = _arrays(content["outputs"], response.binary)
            return {name: found[name] for name in outputs}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._fail(
                f"answered rubbish: found {_excerpt(content)}, expected the outputs "
                f"{', '.join(outputs)} ({type(error).__name__}: {error})",
                Code.INVALID_OUTPUT,
            )

    def _input(self, name: str, array: npt.NDArray[Any]) -> dict[str, Any]:
        """Write an input with its values, or with the size of its binary data."""
        tensor = {"name": name, "shape": array.shape, "datatype": _NAMES[str(array.dtype)]}
        if self._binary:
            return tensor | {"parameters": {"binary_data_size": array.nbytes}}
        return tensor | {"data": np.ascontiguousarray(array).ravel()}

    def _fail(self, what: str, code: Code) -> Never:
        raise PredictionError(f"{self.runtime} {what}", code=code)


def _tensor(described: Mapping[str, Any]) -> Tensor:
    """Read the protocol's description of a tensor; -1 is a size that is left open."""
    kind = described["datatype"]
    sizes = tuple(None if size == -1 else int(size) for size in described["shape"])
    return Tensor(DTYPES.get(kind, str(kind)), sizes)


def _arrays(outputs: Sequence[Mapping[str, Any]], binary: bytes) -> Arrays:
    """Read the outputs by name, from JSON or from the binary data after it, in order."""
    found: Arrays = {}
    position = 0
    for each in outputs:
        dtype = np.dtype(DTYPES[each["datatype"]])
        size = (each.get("parameters") or {}).get("binary_data_size")  # KServe writes null
        if size is None:
            array = np.array(each["data"], dtype=dtype)
        else:
            data = binary[position : position + size]
            array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
            position += size
        found[each["name"]] = array.reshape(each["shape"])
    return found


def _words(error: Exception) -> str:
    """Return the cause without the addresses of objects that urllib3 shows."""
    cause = getattr(error, "reason", None) or error
    words = re.sub(r"\[Errno -?\d+\] ", "", str(cause).rpartition(": ")[2])
    return words or type(cause).__name__


def _excerpt(content: object) -> str:
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
