"""HTTP client of a server of the Open Inference Protocol V2, with a limit to the whole request.

The time limit of HTTP libraries applies between two reads: a server that sends a byte now and then
keeps its client for ever. Here the whole response has to be there in time, or the connection is
shut down.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR
from threading import Timer
from typing import Any

import orjson
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from fairweather_app.common.http_client import open_pool

OK = 200
SHOWN = 200
JSON_LENGTH = "Inference-Header-Content-Length"
"""Where the JSON of a message ends and the binary data of its tensors begins."""
BINARY = "binary_tensor_data"
"""The name of the protocol's extension for binary data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InferenceResponse:
    """Status and content: the JSON, else the text; `binary` is the data after the JSON."""

    status: int
    content: Any
    binary: bytes = b""


class InferenceClient:
    """Sends requests to a server, for `seconds` each at most; one that did not reach it again."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url.rstrip("/")
        self._http = open_pool(
            url,
            maxsize=16,
            timeout=urllib3.Timeout(connect=min(1.0, seconds), total=seconds),
            # what may have been computed is not requested again: a slow server would get slower
            retries=urllib3.Retry(connect=1, read=0, redirect=0, status=0, backoff_factor=0.05),
        )
        self._http.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def request(
        self, method: str, path: str, content: object = None, binary: bytes = b""
    ) -> InferenceResponse:
        """Send JSON, and binary data after it; raises an `HTTPError` where there is no response."""
        body = None if content is None else orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = {"Content-Type": "application/json"}
        if body is not None and binary:
            headers = {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(body))}
            body += binary
        found = self._http.request(method, self.url + path, body=body, headers=headers)
        header = found.headers.get(JSON_LENGTH, "")
        length = int(header) if header.isdecimal() else len(found.data)
        try:
            parsed, binary = orjson.loads(found.data[:length]), found.data[length:]
        except orjson.JSONDecodeError:
            parsed, binary = found.data[:SHOWN].decode(errors="replace"), b""
        return InferenceResponse(status=found.status, content=parsed, binary=binary)

    def offers_binary(self) -> bool:
        """Return whether the server states that it takes and gives tensors as binary data."""
        try:
            found = self.request("GET", "/v2")
        except HTTPError:
            return False
        extensions = found.content.get("extensions") if isinstance(found.content, dict) else None
        return found.status == OK and isinstance(extensions, list) and BINARY in extensions


class _LimitedConnection(HTTPConnection):
    """A connection that is shut down unless the whole response is there in time."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 does
        """Wait for the whole response, headers and body; raises `TimeoutError`."""
        late: list[bool] = []
        sock = self.sock  # http.client lets go of it before the body is read

        def end() -> None:
            late.append(True)
            with suppress(OSError):  # the server may have hung up just now
                sock.shutdown(SHUT_RDWR)

        timer = Timer(float(self.timeout or 0), end)
        timer.daemon = True
        timer.start()
        try:
            found = super().getresponse()
        except Exception as error:
            if late:
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if late:  # headers that were cut off look like a short response
            raise TimeoutError
        return found


class _LimitedTLSConnection(_LimitedConnection, HTTPSConnection):
    """The same, encrypted."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _LimitedConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LimitedTLSConnection
