"""A web server on this machine, for what asks one: it answers each path by a function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: From the path, with its query, to a status and what is sent: bytes, or JSON.
Answers = Callable[[str], tuple[int, Any]]


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """Serve the answers, and yield the address; a status of a redirect leads to its content."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, found = answers(self.path)
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", found)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
