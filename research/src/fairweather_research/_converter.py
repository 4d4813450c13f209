"""A process that waits to convert one SavedModel to ONNX.

Conversion needs a process in which TensorFlow has run nothing yet, as training does, and importing
it anew would take longer than the conversion. So the training process forks this one before its own
first operation; it waits, without doing anything, until there is something to convert::

    with Converter() as converter:             # before TensorFlow's first operation
        ...                                    # train, export
        converter.convert(["--saved-model", "model", ...], folder=folder, log=log)
        converter.wait(timeout=300)            # as subprocess.Popen has it
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Converter"]

_LOOK_EVERY = 0.02  # seconds


class Converter:
    """The waiting process, and what became of it. It ends when the training process does."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._line.close()
            _wait_and_convert(theirs)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def convert(self, arguments: Sequence[str], *, folder: Path, log: int) -> None:
        """Begin: ``tf2onnx.convert`` with these arguments in ``folder``, saying to ``log``."""
        socket.send_fds(
            self._line,
            [json.dumps({"arguments": [*arguments], "folder": str(folder)}).encode()],
            [log],
        )

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it did not come in time.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired("tf2onnx", timeout or 0)
            time.sleep(_LOOK_EVERY)
        return code

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._line.close()


def _wait_and_convert(line: socket.socket) -> NoReturn:
    code = 1
    try:
        said, handles, _, _ = socket.recv_fds(line, 65536, 1)
        if not said:  # the training process ended first
            os._exit(code)
        task = json.loads(said)
        os.dup2(handles[0], sys.stdout.fileno())
        os.dup2(handles[0], sys.stderr.fileno())
        os.chdir(task["folder"])
        from tf2onnx import convert  # noqa: PLC0415 - slow

        sys.argv = ["tf2onnx.convert", *task["arguments"]]
        convert.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - it ends the process, in the words of whatever was raised
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
