"""``fairweather-app serve``, as an operator runs it: in processes of its own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from fairweather_interface.testing import build_delivery

from fairweather_app.server import _take_port, main

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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """Two workers over the tmp store; `log` is what they write."""

    def __init__(
        self,
        settings: dict[str, Any],
        folder: Path,
        command: Sequence[str] = COMMAND,
        **environment: str,
    ) -> None:
        self.port = free_port()
        names = {f"FAIRWEATHER_{name.upper()}": str(value) for name, value in settings.items()}
        outside = {name: os.environ[name] for name in os.environ if "FAIRWEATHER_" not in name}
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--workers", "2", "--threads", "2", "--port", str(self.port)],
                stdout=log,
                stderr=log,
                cwd=folder,
                env=outside | names | {"FAIRWEATHER_RELOAD_SECONDS": "0.2"} | environment,
            )
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.listening() == 2 and self.get("/healthz").status == 200:
                    return
            except OSError:
                self.process.poll()  # not yet: neither listens, or it has ended
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def listening(self) -> int:
        """Return how many workers listen on the port."""
        sockets = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        here = f"0100007F:{self.port:04X}"
        return sum(fields[1] == here and fields[3] == "0A" for fields in sockets)

    def workers(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in listed.split()]

    def get(self, path: str, **headers: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        return urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own server

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log but those that granian writes."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)


@contextmanager
def running(folder: Path, command: Sequence[str] = COMMAND, **settings: object) -> Iterator[Server]:
    """Run a server over a store with one delivery, all in a folder, for several tests."""
    build_delivery(folder / "store", samples=SAMPLES)
    own = {name: folder / name for name in ("store", "cache")}
    database = {"observations": f"sqlite:///{folder / 'observations.sqlite'}"}
    made = Server(own | database | settings, folder, command)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path, tiny_delivery: Build) -> Iterator[Server]:
    tiny_delivery(samples=SAMPLES)
    made = Server(settings, tmp_path)
    yield made
    made.stop()


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
    for _ in range(2):
        made = Server(settings, tmp_path)  # one worker serves, the other may not yet
        made.process.terminate()
        assert made.process.wait(15) == 0


def ask_for_each(server: Server, areas: Sequence[str], answered: list[str]) -> None:
    """Ask for forecasts in turn, again where a worker has no model yet, until the server stops."""
    for area in areas:
        while area not in answered:
            try:
                server.get(f"/weather/predict?area={area}").close()
            except urllib.error.HTTPError:
                time.sleep(0.05)
            except OSError:
                return
            else:
                answered.append(area)


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
    made = Server(settings, tmp_path)
    answered: list[str] = []

    clients = [
        threading.Thread(target=ask_for_each, args=(made, areas[first::4], answered))
        for first in range(4)
    ]
    for each in clients:
        each.start()
    end = time.monotonic() + 60
    while len(answered) < 20:
        assert time.monotonic() < end
        time.sleep(0.005)
    made.stop()
    for each in clients:
        each.join(30)
    database = sqlite3.connect(str(settings["observations"]).removeprefix("sqlite:///"))
    with closing(database):
        kept = {area for (area,) in database.execute("SELECT area FROM forecasts")}
    assert set(answered) <= kept


def test_every_worker_is_ready_when_it_takes_requests(shared: Server) -> None:
    for _ in range(40):
        with shared.get("/readyz") as answer:
            assert answer.status == 200


def test_numbers_are_those_of_all_workers(shared: Server) -> None:
    for _ in range(30):
        shared.get("/areas").close()
    both = 'fairweather_pickups_total{code="",state="live"} 2.0'
    until = time.monotonic() + 30
    while both not in shared.get("/metrics").read().decode() and time.monotonic() < until:
        time.sleep(0.05)  # a worker may still start while the other answers
    told = [shared.get("/metrics").read().decode() for _ in range(6)]
    wanted = 'fairweather_requests_total{area="",code="",route="/areas",status="200"} 30.0'
    assert all(wanted in each for each in told)
    assert all(both in each for each in told)


def test_a_request_leaves_one_line_of_json_with_its_id(shared: Server) -> None:
    with shared.get("/software", **{"X-Request-ID": "from-the-proxy-1"}) as answer:
        assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
    (line,) = [each for each in shared.lines() if each.get("request_id") == "from-the-proxy-1"]
    assert (line["event"], line["path"], line["status"]) == ("request", "/software", 200)
    assert line["ms"] > 0


def kill_one_worker(server: Server) -> None:
    """Kill one, and wait until there are two again."""
    workers = server.workers()
    os.kill(workers[0], signal.SIGKILL)
    end = time.monotonic() + 60
    while server.workers() == workers or server.listening() < 2:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_worker_that_dies_is_started_again_and_the_other_serves_meanwhile(
    server: Server,
) -> None:
    kill_one_worker(server)
    seen: Counter[int] = Counter()
    for _ in range(20):
        with server.get("/readyz") as answer:
            seen[answer.status] += 1
    assert seen == {200: 20}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_workers_end_with_their_parent_whatever_ended_it(
    server: Server, number: signal.Signals
) -> None:
    workers = server.workers()
    assert len(workers) == 2
    server.process.send_signal(number)
    server.process.wait(30)
    end = time.monotonic() + 60
    while any(Path(f"/proc/{each}").exists() for each in workers):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert server.listening() == 0


def test_a_second_server_on_a_port_is_refused_and_the_first_one_answers(
    shared: Server, settings: dict[str, Any]
) -> None:
    names = {f"FAIRWEATHER_{name.upper()}": str(value) for name, value in settings.items()}
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):  # noqa: S104 - it is refused
        result = CliRunner().invoke(
            main, ["serve", "--host", host, "--port", str(shared.port)], env=names
        )
        assert result.exit_code == 2
        sentence = f"cannot listen on {host!r}, port {shared.port}: Address already in use; choose"
        assert sentence in result.output
    assert shared.listening() == 2
    shared.get("/readyz").close()


def test_of_two_servers_at_the_same_moment_one_has_the_port() -> None:
    port = free_port()
    with _take_port("127.0.0.1", port) as first:
        assert first.getsockname() == ("127.0.0.1", port)
        with pytest.raises(click.UsageError, match="Address already in use"):
            _take_port("127.0.0.1", port)
        with socket.socket() as worker:  # as granian makes them
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(first.getsockname())
            worker.listen()
            with pytest.raises(click.UsageError, match="Address already in use"):
                _take_port("0.0.0.0", port)  # noqa: S104 - it is refused
    _take_port("127.0.0.1", port).close()  # free again


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("::", "::")],
)
def test_a_name_and_an_ipv6_address_can_be_listened_on(host: str, address: str) -> None:
    port = free_port()
    with _take_port(host, port) as held:
        assert held.getsockname()[:2] == (address, port)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("198.51.100.7", "Cannot assign requested address"),
        ("no.such.host.invalid", "not known"),
        ("a..b", "label empty"),
        ("fe80::1%lo", "Invalid argument"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, host: str, words: str
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    result = CliRunner().invoke(main, ["serve", "--host", host])
    assert result.exit_code == 2
    (sentence,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert repr(host) in sentence
    assert words in sentence


def test_counters_that_cannot_be_kept_fail_no_request(
    settings: dict[str, Any], tmp_path: Path, tiny_delivery: Build
) -> None:
    tiny_delivery(samples=SAMPLES)
    (tmp_path / "tmp").mkdir()
    made = Server(settings, tmp_path, TMPDIR=str(tmp_path / "tmp"))
    for each in (tmp_path / "tmp").glob("fairweather-metrics-*"):
        shutil.rmtree(each)
    kill_one_worker(made)  # the new one has no folder to count in
    for _ in range(20):
        with made.get("/areas") as areas, made.get("/metrics") as numbers:
            assert (areas.status, numbers.status) == (200, 200)
    assert any("what this worker counts" in line.get("event", "") for line in made.lines())
    made.stop()


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_a_log_that_cannot_be_written_fails_no_request(
    settings: dict[str, Any], tmp_path: Path, tiny_delivery: Build, stream: str
) -> None:
    tiny_delivery(samples=SAMPLES)
    command = ["sh", "-c", f'exec "$@" {stream}', "sh", *COMMAND]
    made = Server(settings, tmp_path, command, FAIRWEATHER_TYPO="1")
    for _ in range(5):
        made.get("/areas").close()
    made.stop()
    assert made.process.returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FAIRWEATHER_CLOCK", "tomorrow", "FAIRWEATHER_CLOCK is 'tomorrow'"),
        ("FAIRWEATHER_CACHE", "/dev/null/cache", "FAIRWEATHER_CACHE"),
        ("FAIRWEATHER_INFERENCE_URL", "inference:80", "expected an address, such as http"),
        ("FAIRWEATHER_OVERRIDES", "~nobody-at-all/o.yaml", "expected a path without ~"),
        ("PROMETHEUS_MULTIPROC_DIR", "/not/there", "PROMETHEUS_MULTIPROC_DIR is '/not/there'"),
    ],
)
def test_a_wrong_setting_is_said_once_and_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert words in result.output


def test_help_names_every_default() -> None:
    told = CliRunner().invoke(main, ["serve", "--help"]).output
    assert all(f"--{each}" in told for each in ("workers", "threads", "host", "port", "grace"))
    assert "default: one a core" in told.replace("(one a core)", "one a core")
    assert "Example:" in told
