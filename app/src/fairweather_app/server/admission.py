"""Admission: which requests of a worker are answered now, and which wait for their client first.

Each connection has a thread of its own, which costs little while it waits for its client; only so
many requests as there are turns are answered at once. Laws:

- A body is read before its request takes a turn, and an answer is whole when its turn ends: a
  client that is slow to write or to read takes no turn.
- Health and readiness take no turn.
- A body that is not there after `BODY_SECONDS` is 408 where its client is silent, after twice as
  long in any case (on Linux, which tells for how long a connection has been silent).
- At most `BODIES` are read at once, and `LARGE_BODIES` of them beyond `SMALL` bytes; a request that
  finds no place is 503. So unfinished requests leave threads for others, and take memory of
  ``BODIES * SMALL + LARGE_BODIES * body_limit`` bytes at most.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from fairweather_app.api.problems import CONTENT_TYPE, PROBLEMS
from fairweather_app.errors import RETRY_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECTIONS = 512
"""Connections, and so threads, of a worker."""
BODIES = 256
LARGE_BODIES = 16
SMALL = 65_536
BODY_SECONDS = 30.0
WITHOUT_TURN = ("/healthz", "/readyz")


class Admission:
    """A WSGI application in front of another, which answers `turns` requests at once."""

    def __init__(self, app: WSGIApplication, *, turns: int, body_limit: int) -> None:
        self._app = app
        self._body_limit = body_limit
        self._turns = threading.BoundedSemaphore(turns)
        self._large_bodies = threading.BoundedSemaphore(LARGE_BODIES)
        self._reading: dict[object, float] = {}
        self._port = 0
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="fairweather-bodies", daemon=True).start()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Read the body, wait for a turn, and answer."""
        if environ["PATH_INFO"] in WITHOUT_TURN:
            return self._app(environ, start)
        problem = self._read_body(environ) if environ["REQUEST_METHOD"] == "POST" else None
        if problem is not None:
            kind = PROBLEMS[problem]
            content = kind.problem(kind.statuses[0], str(kind.public)).model_dump_json()
            again = ("Retry-After", str(RETRY_SECONDS))
            headers = [("Content-Type", CONTENT_TYPE), ("Connection", "close"), again]
            start(f"{kind.statuses[0]} {kind.title}", headers)
            return [content.encode()]
        with self._turns:
            answer = self._app(environ, start)
            try:
                return answer if isinstance(answer, list) else [b"".join(answer)]
            finally:
                getattr(answer, "close", bool)()

    def _read_body(self, environ: WSGIEnvironment) -> str | None:
        """Put the whole body where the app reads it, or return the code of the problem.

        One that is longer than the limit is not read to its end: the app refuses it.
        """
        declared = environ.get("CONTENT_LENGTH", "")
        length = int(declared) if declared.isdecimal() else self._body_limit + 1
        if declared and length > self._body_limit:
            return None
        if len(self._reading) >= BODIES:
            return "overloaded"
        read, mine, started = environ["wsgi.input"].read, object(), time.monotonic()
        self._port, self._reading[mine] = int(environ["SERVER_PORT"]), started
        try:
            body = read(min(length, SMALL))
            if len(body) == SMALL < length:
                if not self._large_bodies.acquire(timeout=BODY_SECONDS):
                    return "overloaded"
                try:
                    body += read(length - SMALL)
                finally:
                    self._large_bodies.release()
        finally:
            del self._reading[mine]
        if time.monotonic() - started > BODY_SECONDS or len(body) < length == int(declared or -1):
            return "body-timeout"
        environ["wsgi.input"] = BytesIO(body)
        return None

    def _watch(self) -> None:
        while True:
            time.sleep(BODY_SECONDS / 10)
            oldest = min(tuple(self._reading.values()), default=time.monotonic())
            if time.monotonic() - oldest > BODY_SECONDS:
                end_silent(self._port, BODY_SECONDS)


def end_silent(port: int, seconds: float) -> None:
    """End reading from connections to a port that have been silent for so many seconds.

    Silent is one on which nothing came and nothing was sent, or for twice as long nothing was sent:
    it waits for the end of a request, or for another one.
    """
    for file in Path("/proc/self/fd").iterdir():
        with (
            suppress(OSError, IndexError),  # no socket, not connected, or closed meanwhile
            socket.fromfd(int(file.name), socket.AF_INET, socket.SOCK_STREAM) as each,
        ):
            if each.getsockname()[1] == port and each.getpeername():
                about = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
                sent, _, came = struct.unpack_from("3I", about, 44)  # milliseconds: <linux/tcp.h>
                if min(sent, came) > 1000 * seconds or sent > 2000 * seconds:
                    each.shutdown(socket.SHUT_RD)
