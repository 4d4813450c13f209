"""A small server of the Open Inference Protocol V2, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SAMPLES = 24


class Inference:
    """Serves identity models under the names in `models`; keeps the bodies it was `asked`.

    `answer` replaces what it answers to an inference: text, or a function that writes itself.
    """

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.answer: str | Callable[[BaseHTTPRequestHandler], None] | None = None
        self.metadata: object = {
            "inputs": [tensor("temperature")],
            "outputs": [tensor("temperature_forecast")],
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inference = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.removeprefix("/v2/models/") in inference.models:
                    self.tell(200, json.dumps(inference.metadata))
                else:
                    self.tell(404, '{"error": "no such model"}')

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                inference.asked.append(asked)
                if callable(inference.answer):
                    inference.answer(self)
                elif inference.answer is not None:
                    self.tell(200, inference.answer)
                else:
                    self.tell(200, json.dumps(identity(asked)))

            def tell(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def tensor(name: str, datatype: str = "FP32") -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [-1, SAMPLES]}


def identity(asked: dict[str, Any]) -> dict[str, object]:
    given = {each["name"]: each for each in asked["inputs"]}
    outputs = [
        given[each["name"].removesuffix("_forecast")] | {"name": each["name"]}
        for each in asked["outputs"]
    ]
    return {"model_name": "identity", "id": asked["id"], "outputs": outputs}


def hang(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def fail(request: BaseHTTPRequestHandler) -> None:
    request.tell(500, '{"error": "out of memory"}')  # type: ignore[attr-defined]
