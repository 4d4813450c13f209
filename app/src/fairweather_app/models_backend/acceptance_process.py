"""The acceptance test of a delivery, in a process of its own.

Whatever a model does there, this process only hears of it: it may run for ever, take all memory or
crash. A tester is one Python process that has imported the runtimes. It forks for each delivery,
so that every test begins alike and has limits of its own: processor time, wall time, address
space. An idle tester is kept for the next delivery, and ends after `IDLE_SECONDS`, or with this
process.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fairweather_interface.delivery import METADATA, Delivery, read_manifest
from fairweather_interface.manifest import read_listed
from fairweather_interface.metadata import read_metadata, with_plain_areas
from fairweather_interface.refusals import Code

from fairweather_app.errors import LoadError, PendingTestError, RemoteUnavailableError
from fairweather_app.models_backend.acceptance import accept
from fairweather_app.models_backend.onnx import limit_memory, newest_supported
from fairweather_app.models_backend.protocol import (
    ModelsBackend,
    artifact_of,
    find_backend,
    load,
)
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.software import NEWEST_SCHEMA
from fairweather_app.text import LONGEST_SENTENCE, cut

AT_ONCE = 2
"""So many deliveries are tested at the same time: one that takes long stops no other."""
SMALLEST_MEMORY = 256 << 20
"""Bytes that every model may take, however little memory there is for models."""
SESSION_BYTES = 1 << 20
"""Every model counts so many bytes at least: small ones take what was free before."""
START_SECONDS = 2.0
"""The patience with a test that needs a new tester is longer by so much."""
IDLE_SECONDS = 30.0
WALL_FACTOR = 6
"""A test may take so many times its processor time: a busy machine is not the model's fault."""
LONGEST_REPLY = 1 << 16
_OUT_OF_MEMORY = re.compile(r"bad_alloc|MemoryError|Available memory|[Ff]ailed to allocate")

Tester = subprocess.Popen[bytes]

_idle: list[tuple[float, Tester]] = []
_idle_lock = threading.Lock()


class AcceptanceTests:
    """Tests deliveries for one catalogue; a model may take so many bytes of `memory`."""

    def __init__(self, memory: int) -> None:
        self._memory = max(memory, SMALLEST_MEMORY)
        self._running: dict[str, Future[int]] = {}
        self._permits = threading.BoundedSemaphore(AT_ONCE)

    def load_tested(
        self, delivery: Delivery, backends: Sequence[ModelsBackend], patience: float | None = None
    ) -> RuntimeModel:
        """Test a verified delivery, and load it here when it has passed.

        What its model does wrong is `LoadError`. A test that goes on after `patience` seconds is
        `PendingTestError`: the next call for the same delivery takes its result. With a patience of
        0 no test is begun. A model that a server runs is tested from here.
        """
        servers = [each for each in backends if each.elsewhere]
        local = [each for each in backends if not each.elsewhere]
        if servers:
            try:
                model = load(delivery, servers)
            except LoadError as error:
                if error.code is not Code.RUNTIME_UNAVAILABLE or not local:
                    raise
            else:
                accept(model)
                return model
        local = [each for each in local if artifact_of(delivery, each.format)] or local
        running = self._running.get(delivery.digest)
        if running is None:
            if patience == 0 or not self._permits.acquire(timeout=patience):
                raise PendingTestError("it waits for its test")
            if patience is not None and not _idle:
                patience += START_SECONDS
            running = self._start(delivery, local)
        try:
            memory = running.result(patience)
        except TimeoutError:
            raise PendingTestError("it is still being tested") from None
        finally:
            if running.done():
                self._running.pop(delivery.digest, None)
        return replace(load(delivery, local), memory=memory)

    def _start(self, delivery: Delivery, backends: Sequence[ModelsBackend]) -> Future[int]:
        """Begin a test, with a permit that it gives back."""
        try:
            work = (Future[int](), _take_tester(), delivery, backends)
        except BaseException:
            self._permits.release()
            raise
        self._running[delivery.digest] = work[0]
        threading.Thread(target=self._test, args=work, daemon=True).start()
        return work[0]

    def _test(
        self,
        result: Future[int],
        tester: Tester,
        delivery: Delivery,
        backends: Sequence[ModelsBackend],
    ) -> None:
        try:
            result.set_result(self._ask(tester, delivery, backends))
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            result.set_exception(error)
        finally:
            self._permits.release()

    def _ask(self, tester: Tester, delivery: Delivery, backends: Sequence[ModelsBackend]) -> int:
        names = [
            each.name or f"{type(each).__module__}:{type(each).__qualname__}" for each in backends
        ]
        seconds = max([each.test_seconds for each in backends], default=1)
        limits = {"memory": self._memory, "seconds": seconds}
        request = {"path": str(delivery.path), "backends": names, **limits}
        reply = _exchange(tester, json.dumps(request).encode() + b"\n")
        with _idle_lock:
            _idle.append((time.monotonic(), tester))
        if "memory" in reply:
            return int(reply["memory"])
        reason = reply.get("reason") or self._describe_end(int(reply["signal"]), seconds)
        if "errno" in reply:
            number = reply["errno"]
            raise OSError(number, os.strerror(number)) if number else RemoteUnavailableError(reason)
        if _OUT_OF_MEMORY.search(reason):
            most = f"{self._memory >> 20} MiB"
            reason = f"its test ran out of memory, of which it may take {most}: {reason}"
        raise LoadError(Code(reply.get("code", Code.CORRUPT)), reason)

    def _describe_end(self, number: int, seconds: int) -> str:
        if number == signal.SIGXCPU:
            return f"its test did not end within {seconds} seconds of processor time"
        if number == signal.SIGALRM:
            return f"its test did not end within {WALL_FACTOR * seconds} seconds"
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        out_of = ", as the system does where memory runs out" * (number == signal.SIGKILL)
        return f"its test ended the process that ran it ({name}{out_of})"


def end_idle(seconds: float = IDLE_SECONDS) -> None:
    """End the testers that were not used for so many seconds."""
    with _idle_lock:
        while _idle and time.monotonic() - _idle[0][0] >= seconds:
            _end(_idle.pop(0)[1])


atexit.register(end_idle, 0)


def _take_tester() -> Tester:
    """Return an idle tester, or start one."""
    with _idle_lock:
        if _idle:
            return _idle.pop()[1]
    more = {"PYTHONPATH": _import_path(), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
        env=os.environ | more,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the app
    )


def _import_path() -> str:
    """Return where this process finds modules; the folder it was started in may be gone."""
    with suppress(FileNotFoundError):
        return os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    return os.pathsep.join(filter(None, sys.path))


def _exchange(tester: Tester, request: bytes) -> dict[str, Any]:
    """Send a line, and return the next reply; a tester that gives none is ended."""
    reply = b""
    if tester.stdin is not None and tester.stdout is not None:
        with suppress(OSError):
            tester.stdin.write(request)
            tester.stdin.flush()
            reply = tester.stdout.readline(LONGEST_REPLY)
    try:
        found: dict[str, Any] = json.loads(reply)
    except ValueError:
        _end(tester)
        raise RemoteUnavailableError("the process that tests it could not be used") from None
    return found


def _end(tester: Tester) -> None:
    tester.kill()
    tester.communicate()


# ------------------------------------------------------------------------- inside the tester


def main() -> None:
    """Answer requests, a line of JSON each, until there are no more."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a runtime prints is no reply
    newest_supported()  # found once for all tests
    for line in sys.stdin.buffer:
        request = json.loads(line)
        find_backend(request["backends"][0], partial(_open, request["path"])).prepare()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _run(request, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            reply = pipe.read(LONGEST_REPLY)
        _, status = os.waitpid(child, 0)
        try:
            replies.write((reply or json.dumps({"signal": os.WTERMSIG(status)}).encode()) + b"\n")
        except BrokenPipeError:  # whoever asked is gone
            return


def _run(request: dict[str, Any], writer: int) -> None:
    """Test one delivery within limits, write the reply and end this process."""
    reply: dict[str, Any] = {}
    try:
        delivery = _open(request["path"])
        backends = [find_backend(name, lambda _id: delivery) for name in request["backends"]]
        _limit(request["memory"], request["seconds"])
        limit_memory(request["memory"])
        before = _memory()
        model = load(delivery, backends)
        accept(model)
        reply["memory"] = max(SESSION_BYTES, _memory() - before)
    except LoadError as error:
        reply |= {"code": error.code, "reason": str(error)}
    except OSError as error:
        reply |= {"errno": error.errno, "reason": str(error)}
    except BaseException as error:  # noqa: BLE001 - told to whoever asks
        reason = f"this release failed on it: {type(error).__name__}: {error}"
        reply["reason"] = cut(reason, LONGEST_SENTENCE)
    finally:
        try:
            os.write(writer, json.dumps(reply).encode())
        finally:
            os._exit(0)


def _open(path: str, _delivery_id: str = "") -> Delivery:
    """Open what the app has verified just now."""
    folder = Path(path)
    manifest = read_manifest(folder)
    metadata = read_metadata(read_listed(folder, manifest, METADATA), reader=NEWEST_SCHEMA)
    return Delivery(path=folder, metadata=with_plain_areas(metadata), manifest=manifest)


def _limit(memory: int, seconds: int) -> None:
    """Limit this process, and have the system end it before others where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL_FACTOR * seconds)


def _memory() -> int:
    """Return the bytes that are this process's alone; 0 where the system does not say."""
    try:
        _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    except OSError:
        return 0
    return (resident - shared) * resource.getpagesize()


def _lower(kind: int, limit: int) -> None:
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
