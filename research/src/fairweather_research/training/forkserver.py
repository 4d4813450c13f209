"""The forkserver: every training in a fresh process, without the price of a fresh interpreter.

Bytes are reproducible only in a process in which TensorFlow has run nothing yet, and importing it
takes seconds. So one process imports everything that a training needs, runs no operation, and is
forked for each training::

    with ForkServer() as server:
        with server.start(folder, scratch) as process:
            for event in process.events():
                ...
            process.code                       # 0: it went well

A training process leads a process group of its own. It is ended, with all that it started, when its
``with`` block is left, when the server is closed, and when the owner of the server dies, whatever
kills it. One server serves the threads of a fleet; a failure of one process touches no other.

``multiprocessing`` has a forkserver too. It imports the caller's main module in every child, which
trains again wherever a script calls ``train`` without a guard; hence this one.
"""

from __future__ import annotations

import contextlib
import importlib
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Self

from fairweather_research.environment import THREADS
from fairweather_research.errors import TrainingError

#: What a training process writes its stdout and stderr to, in its scratch folder.
OUTPUT = "output.txt"

_WORKER = "fairweather_research.training.worker"

# How long a training process that was killed may take to be gone, seconds.
_KILL_SECONDS = 10

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


class TrainingProcess:
    """The client's side of a training process."""

    def __init__(self, channel: socket.socket, server_output: Path) -> None:
        self._channel = channel
        self._server_output = server_output
        self._lines = channel.makefile("r", encoding="utf-8")
        self.pid: int | None = None
        self.code: int | None = None  # as subprocess has it; None until it ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and wait until it has let go of its folder."""
        if self.pid is not None and self.code is None:
            _kill_group(self.pid)
            self._channel.settimeout(_KILL_SECONDS)
            with contextlib.suppress(OSError, TrainingError):
                for _event in self.events():
                    pass
        self._lines.close()
        self._channel.close()  # one that was not forked yet is killed by the server at its start

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield its reports, in order, until it ends.

        Raises:
            TrainingError: it could not be started, or the server was ended, and the training
                with it.
        """
        with contextlib.suppress(ConnectionError):
            for line in self._lines:
                event = json.loads(line)
                if "not_started" in event:
                    self.code = 1
                    raise _not_started(event["not_started"])
                self.pid = event.pop("pid", self.pid)
                self.code = event.pop("exit", None)
                if self.code is not None:
                    return
                if event:
                    yield event
        raise TrainingError(
            "the process that starts trainings was ended, and this one with it; nothing was "
            f"delivered; its last output: {last_line(self._server_output)}; train again, with "
            "fewer at a time if memory ran out"
        )


class ForkServer:
    """Starts training processes; its own starts with the first of them. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._output = Path()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The server process; None when none runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, folder: Path, scratch: Path) -> TrainingProcess:
        """Start a training that reads ``Prepared`` from ``scratch`` and writes to ``folder``.

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
                except ConnectionError:  # it was killed
                    self._control = self._launch()
                    socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                output = self._output
            request = {"folder": str(folder), "scratch": str(scratch), "path": sys.path}
            ours.sendall(f"{json.dumps(request)}\n".encode())
        return TrainingProcess(ours, output)

    def close(self) -> None:
        """End the server and every training that it has started."""
        with self._lock:
            self._closed = True
            self._end()

    def _launch(self) -> socket.socket:
        self._end()
        self._home = tempfile.TemporaryDirectory(prefix="fairweather-")
        self._output = Path(self._home.name) / OUTPUT
        places = {"KERAS_HOME": self._home.name, "TMPDIR": self._home.name}
        control, theirs = socket.socketpair()
        with theirs, self._output.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), self._home.name],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C reaches the client alone, which then ends it
                    env={**os.environ, **_ENVIRONMENT, **places},
                )
            except OSError as error:
                control.close()
                raise _not_started(str(error.strerror)) from error
        return control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        if self._home is not None:
            self._home.cleanup()  # what a server that was killed could not remove itself
        self._control = self._process = self._home = None


def last_line(output: Path) -> str:
    """Return the last line that a process printed; the error stands below libraries' messages."""
    with contextlib.suppress(OSError):
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            if line.strip():
                return line.strip()
    return "none"


class _Server:
    """The loop of the server process: fork, report ends, kill processes without a client."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, socket.socket] = {}  # of the client, by process id
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
            while self._serve_once():
                pass
        finally:
            for pid in self._channels:
                _kill_group(pid)
            for pid in self._channels:  # none of them outlives the server
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _serve_once(self) -> bool:
        """Handle what is ready; return False when the owner of the server is gone.

        In this order, because a closed channel's number is reused at once: until all clients that
        left are dealt with, no channel is closed and none is opened.
        """
        ready = {handle for handle, _ in self._poll.poll()}
        for pid, channel in self._channels.items():
            if channel.fileno() in ready:  # the client has closed its end
                self._poll.unregister(channel)
                _kill_group(pid)
        if self._woken in ready:
            os.read(self._woken, 4096)
            self._reap()
        return self._control.fileno() not in ready or self._accept()

    def _accept(self) -> bool:
        request, handles, _, _ = socket.recv_fds(self._control, 1, 1)
        if not request:
            return False
        if not handles:  # too many files are open here: the client sees its channel closed
            return True
        channel = socket.socket(fileno=handles[0])
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no process left: the others go on
            with channel, contextlib.suppress(OSError):
                channel.sendall(_line(not_started=str(error.strerror)))
            return True
        if pid == 0:
            _train(channel, self._detach)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # the child does it too: the first of the two counts
        self._channels[pid] = channel
        self._poll.register(channel, 0)  # only whether the other end is closed
        return True

    def _detach(self) -> None:
        """Leave the server's signals and channels, in the child."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for other in (self._control, *self._channels.values()):
            other.close()
        os.close(self._woken)
        os.close(self._wake)

    def _reap(self) -> None:
        for pid, channel in list(self._channels.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            _kill_group(pid)  # what it started itself
            with contextlib.suppress(KeyError):  # its client left before it ended
                self._poll.unregister(channel)
            with contextlib.suppress(OSError):
                channel.sendall(_line(exit=os.waitstatus_to_exitcode(status)))
            channel.close()
            del self._channels[pid]
            shutil.rmtree(_temporary(pid), ignore_errors=True)


def _temporary(pid: int) -> Path:
    """Return the folder for a training's temporary files; the server and the child agree on it."""
    return Path(tempfile.gettempdir()) / str(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _line(**event: object) -> bytes:
    return f"{json.dumps(event)}\n".encode()


def _not_started(reason: str) -> TrainingError:
    return TrainingError(
        f"no training process can be started ({reason}); it takes memory and a process more; "
        "nothing was delivered; train again, with fewer at a time"
    )


def _train(channel: socket.socket, detach: Callable[[], None]) -> NoReturn:
    """Train in the forked process, and end it; whatever happens, this never returns."""
    code = 1
    try:
        detach()
        with channel.makefile("r", encoding="utf-8") as lines:
            request = json.loads(lines.readline())
        scratch = Path(request["scratch"])
        handle = os.open(scratch / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
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
        worker = importlib.import_module(_WORKER)  # imported already
        code = worker.run(
            Path(request["folder"]), scratch, lambda event: channel.sendall(_line(**event))
        )
    except BaseException:  # noqa: BLE001 - the process ends with it
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # also on a full disk: this must never go on as a second server
            os._exit(code)


def main(handle: int, home: Path) -> None:
    """Be the server: ``python -P -m fairweather_research.training.forkserver HANDLE HOME``.

    Its home, a folder made for it alone, is removed at the end: its owner may be dead. After a
    crash it stays, for the output in it.
    """
    # The one thread beside ours is pyarrow's, which knows how to live through a fork.
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
    with socket.socket(fileno=handle) as control:
        importlib.import_module(_WORKER)  # TensorFlow and all; it must run no operation of it
        _Server(control).run()
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
