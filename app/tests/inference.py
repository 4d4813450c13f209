"""A small server of the Open Inference Protocol V2, which can be told to misbehave."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import LocalServer

SAMPLES = 24
BINARY = "binary_tensor_data"
JSON_LENGTH = "Inference-Header-Content-Length"


class Inference(LocalServer):
    """Serves identity models under the names in `models`; keeps the bodies it was `asked`.

    `answer` replaces what it answers to an inference: text, or a function that writes itself;
    `extensions` are those it says it has. With binary tensor data it takes no ``null``, as Triton.
    """

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.extensions: list[str] = []
        self.answer: str | Callable[[BaseHTTPRequestHandler], None] | None = None
        self.metadata: object = {
            "inputs": [tensor("temperature")],
            "outputs": [tensor("temperature_forecast")],
        }
        super().__init__(self._handler())
        self.url = f"http://{self.host}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inference = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/v2":
                    told = {"name": "small", "version": "1", "extensions": inference.extensions}
                    self.tell(200, json.dumps(told))
                elif self.path.removeprefix("/v2/models/") in inference.models:
                    self.tell(200, json.dumps(inference.metadata))
                else:
                    self.tell(404, '{"error": "no such model"}')

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                length = int(self.headers.get(JSON_LENGTH, len(body)))
                asked = json.loads(body[:length])
                inference.asked.append(asked)
                reply(inference, self, asked, body[length:])

            def tell(self, status: int, text: str, data: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text) + len(data)))
                if data:
                    self.send_header(JSON_LENGTH, str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode() + data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def reply(inference: Inference, request: Any, asked: dict[str, Any], data: bytes) -> None:
    """Answer an inference, as the server was told to or as identity models do."""
    if callable(inference.answer):
        inference.answer(request)
    elif inference.answer is not None:
        request.tell(200, inference.answer)
    elif BINARY not in inference.extensions:
        request.tell(200, json.dumps(identity(asked)))
    elif any("data" in each for each in asked["inputs"]):
        request.tell(400, '{"error": "expected binary_data_size"}')
    else:
        told, values = binary_identity(asked, data)
        request.tell(200, json.dumps(told), values)


def tensor(name: str, datatype: str = "FP32") -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [-1, SAMPLES]}


def identity(asked: dict[str, Any]) -> dict[str, object]:
    given = {each["name"]: each for each in asked["inputs"]}
    outputs = [
        given[each["name"].removesuffix("_forecast")] | {"name": each["name"]}
        for each in asked["outputs"]
    ]
    return {"model_name": "identity", "id": asked["id"], "outputs": outputs}


def binary_identity(asked: dict[str, Any], data: bytes) -> tuple[dict[str, object], bytes]:
    """As `identity`, with the values after the JSON, in the order of the tensors."""
    values, at = {}, 0
    for each in asked["inputs"]:
        size = each["parameters"]["binary_data_size"]
        values[f"{each['name']}_forecast"] = data[at : at + size]
        at += size
    told = identity(asked)
    wanted = [each["name"] for each in asked["outputs"] if each["parameters"]["binary_data"]]
    return told, b"".join(values[name] for name in wanted)


def trickle(request: BaseHTTPRequestHandler) -> None:
    """Answer a byte now and then, for longer than anybody waits."""
    for each in b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b" " * 1000:
        request.wfile.write(bytes([each]))
        time.sleep(0.02)


def trickle_after_the_headers(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    trickle(request)


def hang(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def fail(request: BaseHTTPRequestHandler) -> None:
    request.tell(500, '{"error": "out of memory"}')  # type: ignore[attr-defined]
