"""Slow and unfinished requests: they keep nobody else waiting."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from io import BytesIO
from typing import Any

import pytest

from fairweather_app.server import admission
from fairweather_app.server.admission import SMALL, Admission, end_silent
from test_server import ASKED, COMMAND, Server, running

LIMIT = 4 * SMALL
UNFINISHED = (
    b"POST /weather/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"area'
)
CHUNKED = (
    b"POST /weather/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\nf\r\n{"area": "EWR"}\r\n'
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is silent")


class Body:
    """A body that comes in two parts, the second when `let` is set."""

    def __init__(self, first: bytes, second: bytes = b"") -> None:
        self._here, self._second = first, second
        self.let = threading.Event()

    def read(self, size: int) -> bytes:
        if len(self._here) < size:
            assert self.let.wait(60)
            self._here, self._second = self._here + self._second, b""
        start, self._here = self._here[:size], self._here[size:]
        return start


class Asked(threading.Thread):
    """One request; `status` and `answer` are there when it has ended."""

    def __init__(self, app: Admission, path: str, body: Any = None, **more: str) -> None:
        super().__init__(daemon=True)
        self._app, self.status, self.answer = app, "", b""
        method = "GET" if body is None else "POST"
        self._environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "SERVER_PORT": "0"} | more
        self._environ["wsgi.input"] = body
        self.start()

    def run(self) -> None:
        def start(status: str, _headers: object) -> None:
            self.status = status[:3]

        self.answer = b"".join(self._app(self._environ, start))  # type: ignore[arg-type]

    def ended(self) -> tuple[str, bytes]:
        self.join(60)
        return self.status, self.answer


class App:
    """Answers with the body it got; waits for `let` at ``/slow``."""

    def __init__(self) -> None:
        self.let, self.busy = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            self.busy.set()
            assert self.let.wait(60)
        start("200 OK", [])
        yield from (environ["wsgi.input"] or BytesIO(b"none")).read().splitlines(keepends=True)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def admitted(app: App, monkeypatch: pytest.MonkeyPatch) -> Admission:
    """An admission of one turn, which looks after no connections: there are none."""
    monkeypatch.setattr(Admission, "_watch", lambda _: None)
    return Admission(app, turns=1, body_limit=LIMIT)


def test_health_and_readiness_answer_while_every_turn_is_taken(
    app: App, admitted: Admission
) -> None:
    slow = Asked(admitted, "/slow")
    assert app.busy.wait(60)
    waits = Asked(admitted, "/areas")
    for path in ("/healthz", "/readyz"):
        assert Asked(admitted, path).ended() == ("200", b"none")
    assert waits.status == ""
    app.let.set()
    assert slow.ended() == waits.ended() == ("200", b"none")


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 1, LIMIT])
def test_a_body_is_whole_before_its_request_takes_the_turn(admitted: Admission, size: int) -> None:
    body = Body(b"x" * 10, b"y" * (size - 10))
    slow = Asked(admitted, "/", body, CONTENT_LENGTH=str(size))
    assert Asked(admitted, "/areas").ended() == ("200", b"none")
    body.let.set()
    assert slow.ended() == ("200", b"x" * 10 + b"y" * (size - 10))


def test_what_is_too_long_goes_on_unread_or_with_more_than_the_limit(admitted: Admission) -> None:
    unread = Asked(admitted, "/", BytesIO(b"x" * 9), CONTENT_LENGTH=str(LIMIT + 9))
    assert unread.ended() == ("200", b"x" * 9)
    chunked = Asked(admitted, "/", BytesIO(b"x" * (LIMIT + 9)))
    assert len(chunked.ended()[1]) == LIMIT + 1


def test_a_body_that_ends_too_early_is_408(admitted: Admission) -> None:
    status, answer = Asked(admitted, "/", BytesIO(b"{"), CONTENT_LENGTH="2").ended()
    assert status == "408"
    assert json.loads(answer)["type"] == "/problems/body-timeout"


def test_a_body_of_unknown_length_that_took_too_long_is_408(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "BODY_SECONDS", 0)
    assert Asked(admitted, "/", BytesIO(b"{}")).ended()[0] == "408"


def test_a_body_without_a_place_is_503(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "BODIES", 2)
    bodies = [Body(b"{", b"}") for _ in range(2)]
    slow = [Asked(admitted, "/", each, CONTENT_LENGTH="2") for each in bodies]
    while len(admitted._reading) < 2:
        time.sleep(0.01)
    status, answer = Asked(admitted, "/", BytesIO(b"{}"), CONTENT_LENGTH="2").ended()
    assert (status, json.loads(answer)["type"]) == ("503", "/problems/overloaded")
    for each in bodies:
        each.let.set()
    assert [each.ended() for each in slow] == [("200", b"{}")] * 2
    assert Asked(admitted, "/", BytesIO(b"{}"), CONTENT_LENGTH="2").ended()[0] == "200"


@linux
def test_only_connections_to_the_port_that_are_silent_are_ended() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [each.getsockname()[1] for each in servers]
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for port in (ports[0], ports[0], ports[1])
        ]
        ours = [stack.enter_context(servers[at].accept()[0]) for at in (0, 0, 1)]
        time.sleep(0.4)
        clients[1].sendall(b"alive")
        assert ours[1].recv(5) == b"alive"
        end_silent(ports[0], 0.3)
        for each in ours:
            each.settimeout(0)
        assert ours[0].recv(1) == b""
        for each in ours[1:]:
            with pytest.raises(BlockingIOError):
                each.recv(1)


# ------------------------------------------------------------------- in processes of its own


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second for a body, with four turns in all."""
    patience = "import fairweather_app.server.admission as a; a.BODY_SECONDS = 1; "
    start, code, program, serve = COMMAND
    command = [start, code, patience + program, serve]
    with running(tmp_path_factory.mktemp("impatient"), command, body_limit=65_536) as made:
        yield made


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same, which waits for a body as long as servers do."""
    with running(tmp_path_factory.mktemp("patient"), body_limit=65_536) as made:
        yield made


def ask(server: Server, request: bytes) -> socket.socket:
    """Send bytes over a connection of their own."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(request)
    return connection


def answered(connection: socket.socket) -> bytes:
    """Read what is answered until the server closes the connection."""
    with closing(connection):
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_while_many_bodies_are_open_all_others_are_answered(patient: Server) -> None:
    whole = b"POST /weather/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    whole += f"Connection: close\r\nContent-Length: {len(ASKED)}\r\n\r\n{ASKED}".encode()
    with ExitStack() as stack:
        for request in (UNFINISHED, CHUNKED) * 30:
            stack.enter_context(ask(patient, request))
        for path in ("/healthz", "/readyz", "/areas", "/metrics") * 3:
            assert patient.get(path).status == 200
        assert answered(ask(patient, whole)).startswith(b"HTTP/1.1 200 ")


@linux
@pytest.mark.parametrize("request_", [UNFINISHED, CHUNKED])
def test_a_body_that_does_not_end_is_408_and_its_connection_is_closed(
    impatient: Server, request_: bytes
) -> None:
    answer = answered(ask(impatient, request_))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"type":"/problems/body-timeout"' in answer


@linux
def test_a_body_that_trickles_is_408_too(impatient: Server) -> None:
    connection = ask(impatient, UNFINISHED)
    with closing(connection):
        connection.settimeout(0.2)
        for _ in range(300):
            try:
                with suppress(BrokenPipeError, ConnectionResetError):  # it has answered meanwhile
                    connection.sendall(b" ")
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
            break
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_chunked_body_over_the_limit_is_413(patient: Server) -> None:
    connection = ask(patient, CHUNKED)
    with closing(connection):
        with suppress(BrokenPipeError, ConnectionResetError):  # it answers before the end
            for _ in range(9):
                connection.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
            connection.sendall(b"7\r\ngarbage\r\n0\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
