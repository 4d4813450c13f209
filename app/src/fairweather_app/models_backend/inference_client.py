"""HTTP client of a server of the Open Inference Protocol V2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import urllib3
from urllib3.exceptions import HTTPError

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
