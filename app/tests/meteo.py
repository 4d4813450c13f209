"""A small server that answers as Open-Meteo does, from recordings, and can be told to misbehave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local_server import LocalServer

RECORDINGS = Path(__file__).parent / "open_meteo"


def recording(name: str) -> Any:
    """What was recorded under the name, to be changed as a test likes."""
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


class Meteo(LocalServer):
    """Gives the `answers`, one after another, the last of them again and again.

    `asked` keeps the query of every request.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, Mapping[str, str], bytes]] = []
        self.asked: list[dict[str, list[str]]] = []
        super().__init__(self._handler())
        self.url = f"http://{self.host}/v1/forecast"

    def will_answer(self, content: object, status: int = 200, **headers: str) -> None:
        """Add an answer: text and bytes as they are, anything else as JSON."""
        if not isinstance(content, bytes):
            text = content if isinstance(content, str) else json.dumps(content)
            content = text.encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, named, content))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        meteo = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                meteo.asked.append(parse_qs(urlsplit(self.path).query))
                status, headers, body = (
                    meteo.answers.pop(0) if len(meteo.answers) > 1 else meteo.answers[0]
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
