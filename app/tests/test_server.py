"""``fairweather-app serve``, as an operator runs it: in processes of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fairweather_app.server import main

Build = Callable[..., Path]
COMMAND = [sys.executable, "-c", "from fairweather_app.server import main; main()", "serve"]
SAMPLES = 24
ASKED = json.dumps(
    {
        "area": "EWR",
        "reference_time": "2013-06-20T12:00Z",
        "observations": {"temperature": [20.5] * SAMPLES},
    }
)


class Server:
    """Two workers over the tmp store; `log` is what they write."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        names = {f"FAIRWEATHER_{name.upper()}": str(value) for name, value in settings.items()}
        self._log = folder / "server.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "--workers", "2", "--threads", "2", "--port", str(self.port)],
                stdout=log,
                stderr=log,
                cwd=folder,
                env=os.environ | names | {"FAIRWEATHER_RELOAD_SECONDS": "0.2"},
            )
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.listening() == 2 and self.get("/healthz").status == 200:
                    return
            except OSError:
                self.process.poll()  # not yet: neither listens, or it has ended
            time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def listening(self) -> int:
        """Return how many workers listen on the port."""
        sockets = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        here = f"0100007F:{self.port:04X}"
        return sum(fields[1] == here and fields[3] == "0A" for fields in sockets)

    def get(self, path: str, **headers: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        return urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own server

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path, tiny_delivery: Build) -> Iterator[Server]:
    tiny_delivery(samples=SAMPLES)
    running = Server(settings, tmp_path)
    yield running
    running.stop()


class Client(threading.Thread):
    """Asks over one connection until it is closed; counts what happened to its requests."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.answered = 0
        self.lost: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.connect()
        except OSError:
            return
        while connection.sock is not None:  # an answer that says close ends the connection
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/weather/predict", ASKED, headers)
                answer = connection.getresponse()
                content = json.load(answer)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                return
            if answer.status != 200:
                self.lost.append(str(content))
            self.answered += 1


def test_a_server_told_to_stop_under_load_finishes_what_runs_and_loses_nothing(
    server: Server,
) -> None:
    clients = [Client(server.port) for _ in range(8)]
    for each in clients:
        each.start()
    while sum(each.answered for each in clients) < 50:
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    for each in clients:
        each.join(30)
    assert [each.lost for each in clients] == [[]] * 8
    assert server.process.wait(30) == 0


def test_a_server_told_to_stop_while_its_workers_start_stops_at_once(
    settings: dict[str, Any], tmp_path: Path, tiny_delivery: Build
) -> None:
    tiny_delivery(samples=SAMPLES)
    for _ in range(3):
        running = Server(settings, tmp_path)  # one worker serves, the other may not yet
        running.process.terminate()
        assert running.process.wait(15) == 0


def test_what_was_forecast_before_a_stop_is_kept_to_be_scored(
    settings: dict[str, Any],
    tmp_path: Path,
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
) -> None:
    areas = tuple(f"Area-{number}" for number in range(100))
    tiny_delivery(areas=areas)
    for area in areas:
        observe(area, day)
    running = Server(settings, tmp_path)
    answered: list[str] = []

    def ask(mine: Sequence[str]) -> None:
        for area in mine:
            try:
                running.get(f"/weather/predict?area={area}").close()
            except OSError:  # the server has stopped
                return
            answered.append(area)

    clients = [threading.Thread(target=ask, args=(areas[first::4],)) for first in range(4)]
    for each in clients:
        each.start()
    while len(answered) < 20:
        time.sleep(0.005)
    running.stop()
    for each in clients:
        each.join(30)
    database = sqlite3.connect(str(settings["observations"]).removeprefix("sqlite:///"))
    with closing(database):
        kept = {area for (area,) in database.execute("SELECT area FROM forecasts")}
    assert set(answered) <= kept


def test_every_worker_is_ready_when_it_takes_requests(server: Server) -> None:
    for _ in range(40):
        with server.get("/readyz") as answer:
            assert answer.status == 200


def test_numbers_are_those_of_all_workers(server: Server) -> None:
    for _ in range(30):
        server.get("/areas").close()
    both = 'fairweather_pickups_total{code="",state="live"} 2.0'
    until = time.monotonic() + 30
    while both not in server.get("/metrics").read().decode() and time.monotonic() < until:
        time.sleep(0.05)  # a worker may still start while the other answers
    told = [server.get("/metrics").read().decode() for _ in range(6)]
    wanted = 'fairweather_requests_total{area="",code="",route="/areas",status="200"} 30.0'
    assert all(wanted in each for each in told)
    assert all(both in each for each in told)


def test_a_request_leaves_one_line_of_json_with_its_id(server: Server) -> None:
    with server.get("/areas", **{"X-Request-ID": "from-the-proxy-1"}) as answer:
        assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
    (line,) = [each for each in server.lines() if each.get("request_id") == "from-the-proxy-1"]
    assert (line["event"], line["path"], line["status"]) == ("request", "/areas", 200)
    assert line["ms"] > 0


def test_a_worker_that_dies_is_started_again_and_the_other_serves_meanwhile(
    server: Server,
) -> None:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    workers = listed.read_text().split()
    os.kill(int(workers[0]), signal.SIGKILL)
    end = time.monotonic() + 60
    while listed.read_text().split() == workers or server.listening() < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    seen: Counter[int] = Counter()
    for _ in range(20):
        with server.get("/readyz") as answer:
            seen[answer.status] += 1
    assert seen == {200: 20}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FAIRWEATHER_CLOCK", "tomorrow", "FAIRWEATHER_CLOCK is 'tomorrow'"),
        ("FAIRWEATHER_CACHE", "/dev/null/cache", "FAIRWEATHER_CACHE"),
        ("FAIRWEATHER_INFERENCE_URL", "inference:80", "expected an address, such as http"),
    ],
)
def test_a_wrong_setting_is_said_once_and_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert words in result.output


def test_help_names_every_default() -> None:
    told = CliRunner().invoke(main, ["serve", "--help"]).output
    assert all(f"--{each}" in told for each in ("workers", "threads", "host", "port", "grace"))
    assert "default: one a core" in told.replace("(one a core)", "one a core")
    assert "Example:" in told
