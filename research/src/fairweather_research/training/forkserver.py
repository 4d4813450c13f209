"""The forkserver: every training in a fresh process, without the price of a fresh interpreter.

Bytes are reproducible only in a process in which TensorFlow has run nothing yet, and importing it
takes seconds. So one process imports everything that a training needs, runs no operation, and is
forked for each training::

    with ForkServer() as server:
        with server.start(folder, scratch) as work:
            for event in work.events():
                ...
            work.code                          # 0: it went well

A *work* is one training process, the leader of a process group of its own. It is ended, with all
that it started, when its ``with`` block is left, when the server is closed, and when the process
that holds the server dies, whatever kills it. One server serves the threads of a whole fleet: what
happens to one work, at its start or at its end, is told to its asker and touches no other.

``multiprocessing`` has a forkserver too. It imports the caller's main module in every child, which
trains again wherever a script calls ``train`` without a guard; hence this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from fairweather_research.environment import THREADS
from fairweather_research.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SAID", "ForkServer", "Work", "last_words"]

#: What a training process writes its stdout and stderr to, in its scratch folder.
SAID = "said.txt"

# How long a training that was ended may take to be gone, seconds.
_PATIENCE = 10

_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "MKL_NUM_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


class Work:
    """A training process, as the one who asked for it sees it."""

    def __init__(self, channel: socket.socket, server_said: Path) -> None:
        self._channel = channel
        self._server_said = server_said
        self._lines = channel.makefile("r", encoding="utf-8")
        self.pid: int | None = None
        self.code: int | None = None  # as subprocess has it; None until it ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and wait until it has let go of its folder."""
        if self.pid is not None and self.code is None:
            _end_group(self.pid)
            self._channel.settimeout(_PATIENCE)
            with contextlib.suppress(OSError, TrainingError):
                for _event in self.events():
                    pass
        self._lines.close()
        self._channel.close()  # one that was not born yet is ended by the server at birth

    def events(self) -> Iterator[dict[str, Any]]:
        """What it reports, in order, until it ends or is not asked any longer.

        Raises:
            TrainingError: no process could be had for it, or the server was ended, and the training
                with it.
        """
        with contextlib.suppress(ConnectionError):
            for line in self._lines:
                event = json.loads(line)
                if "unborn" in event:
                    self.code = 1
                    raise _no_process(event["unborn"])
                self.pid = event.pop("pid", self.pid)
                self.code = event.pop("exit", None)
                if self.code is not None:
                    return
                if event:
                    yield event
        raise TrainingError(
            "the process that starts trainings was ended, and this one with it; nothing was "
            f"delivered; its last words: {last_words(self._server_said)}; train again, with fewer "
            "at a time if memory ran out"
        )

    def say(self, word: str) -> None:
        """Send a word to the process; one that has ended hears nothing."""
        with contextlib.suppress(ConnectionError):
            self._channel.sendall(f"{word}\n".encode())


class ForkServer:
    """Starts trainings; the server process itself starts with the first. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._said = Path()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The server process; None when none runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, folder: Path, scratch: Path) -> Work:
        """Start a training that reads its request from ``scratch`` and writes to ``folder``.

        What can be imported here can be imported there. A server that was ended is started anew.

        Raises:
            TrainingError: the server is closed, or the system has no process left for it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            with self._lock:
                if self._closed:
                    ours.close()
                    raise TrainingError("stopped before it was trained; nothing was delivered")
                if self._control is None:
                    self._control = self._launch()
                try:
                    socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                except ConnectionError:  # somebody ended it
                    self._control = self._launch()
                    socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                said = self._said
            request = {"folder": str(folder), "scratch": str(scratch), "path": sys.path}
            ours.sendall(f"{json.dumps(request)}\n".encode())
        return Work(ours, said)

    def close(self) -> None:
        """End the server and every training that it has started."""
        with self._lock:
            self._closed = True
            self._end()

    def _launch(self) -> socket.socket:
        self._end()
        self._home = tempfile.TemporaryDirectory(prefix="fairweather-")
        self._said = Path(self._home.name) / SAID
        places = {"KERAS_HOME": self._home.name, "TMPDIR": self._home.name}
        control, theirs = socket.socketpair()
        with theirs, self._said.open("wb") as said:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), self._home.name],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is told to us; what follows, we decide
                    env={**os.environ, **_ENVIRONMENT, **places},
                )
            except OSError as error:
                control.close()
                raise _no_process(str(error.strerror)) from error
        return control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        if self._home is not None:
            self._home.cleanup()  # what a server that was killed could not remove itself
        self._control = self._process = self._home = None


def last_words(said: Path) -> str:
    """The last line that a process wrote to a file; libraries' chatter comes before it."""
    with contextlib.suppress(OSError):
        lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            if line.strip():
                return line.strip()
    return "it said nothing"


def _preload() -> None:
    """Import what trainings need. Nothing here may run an operation of TensorFlow."""
    from fairweather_research.export import saved_model  # noqa: F401, PLC0415 - only the server
    from fairweather_research.training import bands, worker  # noqa: F401, PLC0415 - only the server


class _Server:
    """The loop of the server process: fork, tell who ended, end whom nobody asks for."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._works: dict[int, socket.socket] = {}  # process id -> its channel
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._poll = select.poll()

    def run(self) -> None:
        """Serve until the other end of ``control`` is closed; however this ends, end everything."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        try:
            while self._serve():
                pass
        finally:
            for pid in self._works:
                _end_group(pid)
            for pid in self._works:  # none of them outlives the server
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _serve(self) -> bool:
        """Do what there is to do now; False when nobody holds the server any longer.

        In this order, because a number is given to another channel as soon as one is closed: until
        all who left are dealt with, none is closed and none is opened.
        """
        ready = {handle for handle, _ in self._poll.poll()}
        control = self._control.fileno()
        for handle in ready - {control, self._woken}:
            self._abandon(handle)
        if self._woken in ready:
            os.read(self._woken, 4096)
            self._reap()
        return control not in ready or self._accept()

    def _accept(self) -> bool:
        said, handles, _, _ = socket.recv_fds(self._control, 1, 1)
        if not said:
            return False
        if not handles:  # too many files are open here: its asker sees its channel closed
            return True
        channel = socket.socket(fileno=handles[0])
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no process left: the others go on
            with channel, contextlib.suppress(OSError):
                channel.sendall(_line(unborn=str(error.strerror)))
            return True
        if pid == 0:
            _work(channel, self._forget)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # both sides do it: whoever comes first
        self._works[pid] = channel
        self._poll.register(channel, 0)  # only whether the other end is closed
        return True

    def _forget(self) -> None:
        """In the child: be a process of its own, that knows nothing of the server's."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for other in (self._control, *self._works.values()):
            other.close()
        os.close(self._woken)
        os.close(self._wake)

    def _abandon(self, handle: int) -> None:
        """Nobody listens to this work any longer."""
        self._poll.unregister(handle)
        for pid, channel in self._works.items():
            if channel.fileno() == handle:
                _end_group(pid)

    def _reap(self) -> None:
        for pid, channel in list(self._works.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            _end_group(pid)  # what it started itself
            with contextlib.suppress(KeyError):  # it was abandoned before it ended
                self._poll.unregister(channel)
            with contextlib.suppress(OSError):
                channel.sendall(_line(exit=os.waitstatus_to_exitcode(status)))
            channel.close()
            del self._works[pid]
            shutil.rmtree(_temporary(pid), ignore_errors=True)


def _temporary(pid: int) -> Path:
    """Where a work keeps its temporary files, as the server and the work itself see it."""
    return Path(tempfile.gettempdir()) / str(pid)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _line(**event: object) -> bytes:
    return f"{json.dumps(event)}\n".encode()


def _no_process(reason: str) -> TrainingError:
    return TrainingError(
        f"found that no training process can be started ({reason}), expected memory and a process "
        "for one more; nothing was delivered; train again, with fewer at a time"
    )


def _work(channel: socket.socket, forget: Callable[[], None]) -> NoReturn:
    """Train, in the process that was forked for it; whatever happens, it never returns."""
    code = 1
    try:
        forget()
        listen = channel.makefile("r", encoding="utf-8")
        request = json.loads(listen.readline())
        scratch = Path(request["scratch"])
        handle = os.open(scratch / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, sys.stdout.fileno())
        os.dup2(handle, sys.stderr.fileno())
        os.close(handle)
        sys.path[:] = request["path"]
        # What libraries leave behind goes with it; some count on an end in order. Its path is
        # short, because those of sockets have to be, and lies on this machine.
        temporary = _temporary(os.getpid())
        temporary.mkdir(exist_ok=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
        channel.sendall(_line(pid=os.getpid()))
        from fairweather_research.training import worker  # noqa: PLC0415 - imported already

        code = worker.run(
            Path(request["folder"]),
            scratch,
            report=lambda event: channel.sendall(_line(**event)),
            hear=lambda: listen.readline().strip(),
        )
    except BaseException:  # noqa: BLE001 - it ends the process, in the words of whatever was raised
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # also on a full disk: this must never go on as a second server
            os._exit(code)


def main(handle: int, home: Path) -> None:
    """Be the server: ``python -P -m fairweather_research.training.forkserver HANDLE HOME``.

    Its home, a folder made for it alone, is removed at the end: whoever holds it may be dead. After
    a crash it stays, for the last words in it.
    """
    # The one thread beside ours is pyarrow's, which knows how to live through a fork.
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
    with socket.socket(fileno=handle) as control:
        _preload()
        _Server(control).run()
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
