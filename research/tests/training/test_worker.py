"""The training process and the forkserver it comes from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conftest import result_of
from fairweather_research.delivery.metadata import expected_metadata
from fairweather_research.errors import AbsentNetworkError, TrainingError
from fairweather_research.training import train, worker
from fairweather_research.training.forkserver import OUTPUT, ForkServer, last_line
from fairweather_research.training.prepared import PREPARED, Prepared
from fairweather_research.training.train import STAGES, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Trained
    from fairweather_research import Recipe
    from fairweather_research.dataset.window_set import WindowSet


class Reporting:
    """Stands in for a server and its process: it reports the events it is made with."""

    def __init__(self, *events: dict[str, Any], code: int = 0) -> None:
        self._events = events
        self.code = code

    def start(self, _folder: Path, _scratch: Path) -> Any:
        return nullcontext(self)

    def events(self) -> Iterator[dict[str, Any]]:
        yield from self._events


@pytest.fixture
def prepared(tiny: Callable[..., Recipe], tiny_windows: WindowSet) -> Prepared:
    """What the small recipe prepares, with a network that is not there."""
    recipe = tiny(network="no_such_module:build")
    return Prepared(
        recipe=recipe,
        expected=expected_metadata(recipe),
        windows=tiny_windows,
        switch=None,
        observed=(0, 1),
        logs=None,
    )


def alive(pid: int | None) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_network_that_is_not_there_is_refused_in_words(
    prepared: Prepared, tmp_path: Path, server: ForkServer
) -> None:
    prepared.write(tmp_path)
    with server.start(tmp_path, tmp_path) as process:
        events = list(process.events())
    assert process.code == worker.REFUSED
    assert events[0] == {"stage": "start"}
    with pytest.raises(AbsentNetworkError, match="found no module 'no_such_module'"):
        train.run_training(Reporting(*events), prepared, tmp_path, print)  # type: ignore[arg-type]


def test_what_a_process_says_is_kept_apart_from_its_reports(
    tmp_path: Path, server: ForkServer
) -> None:
    with server.start(tmp_path, tmp_path) as work:  # nothing lies there
        assert list(work.events()) == [{"stage": "start"}]
    assert work.code == 1
    assert "prepared.pickle" in last_line(tmp_path / OUTPUT)


def test_a_work_that_nobody_waits_for_is_ended_before_its_block_is_left(
    tmp_path: Path, server: ForkServer
) -> None:
    os.mkfifo(tmp_path / PREPARED)  # it waits for what never comes
    with server.start(tmp_path, tmp_path) as work:
        assert next(work.events()) == {"stage": "start"}
        assert alive(work.pid)
    assert not alive(work.pid)
    assert work.code == -signal.SIGKILL


def test_a_server_that_is_killed_takes_no_other_training_with_it_than_its_own(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / PREPARED)
    with ForkServer() as server:
        with server.start(tmp_path, tmp_path) as work:
            events = work.events()
            next(events)
            first = server.pid
            assert first
            assert work.pid
            os.kill(first, signal.SIGKILL)
            os.kill(work.pid, signal.SIGKILL)
            with pytest.raises(TrainingError, match="the process that starts trainings was ended"):
                next(events)
        with server.start(tmp_path, tmp_path) as work:  # started anew
            assert next(work.events()) == {"stage": "start"}
            assert server.pid not in {None, first}
    assert not server.pid
    assert not alive(work.pid)
    with pytest.raises(TrainingError, match="stopped before it was trained"):
        server.start(tmp_path, tmp_path)


def test_a_server_dies_with_whoever_holds_it_and_so_do_its_trainings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / PREPARED)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    holder = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", _HOLDER, str(tmp_path), str(tmp_path / "pids")],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    pids = tmp_path / "pids"
    while not pids.exists() or not pids.read_text(encoding="utf-8").endswith("."):
        time.sleep(0.05)
    server, work = map(int, pids.read_text(encoding="utf-8").rstrip(".").split())
    assert alive(server)
    assert alive(work)
    assert len(list(temporary.iterdir())) == 1, "the server's home"
    holder.kill()
    holder.wait()
    for _ in range(200):
        if not alive(server) and not alive(work):
            break
        time.sleep(0.05)
    assert not alive(server)
    assert not alive(work)
    assert list(temporary.iterdir()) == []


_HOLDER = """
import pathlib, sys, time
from fairweather_research.training.forkserver import ForkServer
server = ForkServer()
folder = pathlib.Path(sys.argv[1])
work = server.start(folder, folder)
next(work.events())
pathlib.Path(sys.argv[2]).write_text(f"{server.pid} {work.pid}.")
time.sleep(600)
"""


def served(asking: str) -> list[str]:
    """Run a server without TensorFlow, and in a thread beside it what ``asking`` does.

    Returns:
        What ``asking`` said, and how the server ended.
    """
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", _SERVER.replace("ASKING", asking)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


_SERVER = """
import os, pathlib, signal, socket, sys, threading, time
from fairweather_research.training import forkserver
from fairweather_research.training.forkserver import TrainingProcess, _Server
from fairweather_research.errors import TrainingError

def work(channel, forget):
    # In place of a training: it sleeps when it is told to, or ends with 7.
    try:
        forget()
        control.close()  # the holder's end is in this process, too
        channel.sendall(forkserver._line(pid=os.getpid()))
        if channel.recv(1) == b"s":
            time.sleep(600)
        os._exit(7)
    finally:
        os._exit(1)

def ask(word=b"e"):
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(word)
        socket.send_fds(control, [b"+"], [theirs.fileno()])
    return TrainingProcess(ours, pathlib.Path("nothing"))

def hear(work):
    try:
        list(work.events())
    except TrainingError as error:
        print(error, flush=True)
    else:
        print("ended with", work.code, flush=True)

fork = os.fork
train, forkserver._train = forkserver._train, work
control, theirs = socket.socketpair()
server = _Server(theirs)

ASKING

def asking():
    try:
        asks()
    finally:
        control.close()

threading.Thread(target=asking, daemon=True).start()
server.run()
print("let go of", flush=True)
"""


def test_a_work_that_ends_just_as_its_asker_leaves_ends_alone() -> None:
    both_at_once = """
server._poll.register(theirs)
server._poll.register(server._woken)
ours, channel = socket.socketpair()
dead = fork()
if dead == 0:
    os._exit(1)
server._channels[dead] = channel
server._poll.register(channel, 0)
ours.close()
os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
os.write(server._wake, b"!")

def asks():
    hear(ask())
"""
    assert served(both_at_once) == ["ended with 7", "let go of"]


def test_a_work_for_which_there_is_no_process_fails_alone_and_says_why() -> None:
    no_process_once = """
def refused():
    os.fork = fork
    raise BlockingIOError(11, "Resource temporarily unavailable")

def asks():
    sleeper = ask(b"s")
    next(sleeper._lines)
    os.fork = refused
    hear(ask())
    hear(ask())
    print("sleeps on" if server._channels else "ended", flush=True)
"""
    first, *others = served(no_process_once)
    assert "no training process can be started (Resource temporarily unavailable)" in first
    assert "with fewer at a time" in first
    assert others == ["ended with 7", "sleeps on", "let go of"]


@pytest.mark.parametrize(
    "end",
    [
        "server._reap = lambda: 1 / 0; hear(ask())",  # a bug
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    ],
)
def test_a_server_that_ends_takes_all_works_with_it(end: str) -> None:
    ends = f"""
def asks():
    sleeper = ask(b"s")
    print(next(sleeper._lines), end="", flush=True)
    {end}
"""
    said = served(ends)
    assert "let go of" not in said
    assert not alive(json.loads(said[0])["pid"])


def test_a_work_that_cannot_begin_nor_say_so_ends_alone() -> None:
    on_a_full_disk = """
class Full:
    def write(self, text):
        raise OSError(28, "No space left on device")
    flush = write

def forget():
    sys.stdout = sys.stderr = Full()
    raise OSError(28, "No space left on device")

def asks():
    sleeper = ask(b"s")
    next(sleeper._lines)
    forkserver._train, server._detach = train, forget
    hear(ask())
    print("sleeps on" if server._channels else "ended", flush=True)
"""
    assert served(on_a_full_disk) == ["ended with 1", "sleeps on", "let go of"]


def test_reports_become_progress_in_order(prepared: Prepared, tmp_path: Path) -> None:
    found: list[Progress] = []
    reporting = Reporting(
        {"stage": "fit"},
        {"epoch": {"number": 1, "training": 2.0, "calibration": 3.0}},
        {"stage": "a stage that is not known"},
    )
    with pytest.raises(TrainingError, match="ended with code 0"):
        train.run_training(reporting, prepared, tmp_path, found.append)  # type: ignore[arg-type]
    assert [one.stage for one in found] == ["fit", "fit"]
    assert found[1].epoch is not None
    assert (found[1].epoch.calibration, found[1].epochs) == (3.0, prepared.recipe.fit.epochs)


def test_a_process_that_fails_after_its_result_has_none(
    prepared: Prepared, trained: Trained, tmp_path: Path
) -> None:
    reporting = Reporting({"result": result_of(trained).model_dump(mode="json")}, code=1)
    with pytest.raises(TrainingError, match="ended with code 1, and nothing was delivered"):
        train.run_training(reporting, prepared, tmp_path, print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (1, "noise\nValueError: no\n\n", "ended with code 1, and nothing was delivered; its last "),
        (-9, "", "was ended by SIGKILL, and nothing was delivered; its last output: none"),
    ],
)
def test_the_end_of_a_failed_process_is_a_sentence(
    tmp_path: Path, code: int, said: str, expected: str
) -> None:
    (tmp_path / OUTPUT).write_text(said, encoding="utf-8")
    assert expected in train.failure_message(code, last_line(tmp_path / OUTPUT))


def test_every_stage_that_the_worker_reports_is_one_that_people_are_shown() -> None:
    text = Path(worker.__file__).read_text(encoding="utf-8")
    reported = {part.split('"')[1] for part in text.split("report_stage(")[1:] if part[0] == '"'}
    assert {"fit", "evaluate", "convert"} <= reported
    assert reported <= set(STAGES)
