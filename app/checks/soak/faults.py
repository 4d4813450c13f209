"""Faults, each caused from outside the app, as it would come upon an operator.

A fault holds the resources that it breaks, so that no two break the same one, and nobody delivers
into a store that is away. Two runners cause them side by side.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from os import kill
from pathlib import Path

from deliveries import MODEL, Maker, flip
from journal import Delivered, Journal, Span
from served import Served

LOOKS = 4.0
"""Seconds that a fault of a file lasts at least, so that every worker looks at it."""

OF_PROCESSES = {"worker killed", "restart", "restart into a locked database"}
"""Faults that end processes, and with them what their memory would tell."""

_LOCK_INDEX = """
import fcntl, sys, time
file = open(sys.argv[1] + "-shm", "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
"""Locks the bytes by which SQLite's readers and writers let each other in: all of them wait."""

_HOLD_WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""

_HOLD_EVERYTHING = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("CREATE TABLE held (x)")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""
"""Keeps readers out too; can be had only while nobody has the database open."""


@dataclass
class Resources:
    """What faults break, and what everybody else needs whole."""

    store: threading.RLock = field(default_factory=threading.RLock)
    cache: threading.RLock = field(default_factory=threading.RLock)
    database: threading.RLock = field(default_factory=threading.RLock)
    server: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Have these to oneself; always taken in one order."""
        with ExitStack() as stack:
            for name in ("server", "database", "store", "cache"):
                if name in names:
                    stack.enter_context(getattr(self, name))
            yield


class Faults:
    """Causes faults at random until it is told to stop; every kind before any comes again."""

    def __init__(
        self,
        *,
        served: Served,
        maker: Maker,
        journal: Journal,
        resources: Resources,
        stopping: threading.Event,
        database: Path,
        cache: Path,
    ) -> None:
        self._served = served
        self._maker = maker
        self._journal = journal
        self._resources = resources
        self._stopping = stopping
        self._database = database
        self._cache = cache

    def kinds(self) -> dict[str, Callable[[random.Random], None]]:
        """Every kind of fault, by name."""
        return {
            "worker killed": self.kill_worker,
            "restart": self.restart,
            "restart into a locked database": self.restart_locked,
            "database slow": self.slow_database,
            "database away": self.database_away,
            "writer holds the database": self.hold_writer,
            "store away": self.store_away,
            "byte flipped in the store": self.flip_in_store,
            "byte flipped in the cache": self.flip_in_cache,
            "cache deleted": self.delete_cache,
            "partial upload": self.partial_upload,
            "manifest before its files": self.manifest_first,
            "model of NaN": lambda chance: self.faulty_model("nan", chance),
            "model beyond limits": lambda chance: self.faulty_model("beyond", chance),
            "slow model": lambda chance: self.faulty_model("slow", chance),
        }

    def run(self, chance: random.Random, every: float, *, keep_server: bool) -> None:
        """Cause one after the other, with a pause between them."""
        bag: list[str] = []
        kinds = self.kinds()
        if keep_server:
            kinds = {kind: cause for kind, cause in kinds.items() if kind not in OF_PROCESSES}
        while not self._stopping.wait(chance.uniform(0.5, 1.5) * every):
            if not bag:
                bag = chance.sample(sorted(kinds), len(kinds))
            kind = bag.pop()
            try:
                kinds[kind](chance)
            except Exception as error:  # noqa: BLE001 - told at the end, which fails the soak
                self._journal.complain(f"the fault '{kind}' could not be caused: {error!r}")
            else:
                self._journal.count(f"fault: {kind}")

    # ------------------------------------------------------------------------ processes

    def kill_worker(self, chance: random.Random) -> None:
        """Kill one worker; the other serves, and a new one is started."""
        with self._resources.held("server"), self._journal.fault("worker killed"):
            before = self._served.worker_pids()
            kill(chance.choice(before), signal.SIGKILL)
            end = time.monotonic() + 30
            while time.monotonic() < end:
                now = self._served.worker_pids()
                if set(now) != set(before) and len(now) == self._served.workers:
                    time.sleep(LOOKS)  # it takes requests after its first look
                    return
                time.sleep(0.1)
            self._journal.complain("a worker that was killed was not started again within 30 s")

    def restart(self, _chance: random.Random) -> None:
        """Stop the server under load, and start it again."""
        with self._resources.held("server"), self._journal.fault("restart"):
            self._stop()
            self._served.start()

    def restart_locked(self, _chance: random.Random) -> None:
        """Start the server while another process has the database to itself."""
        with ExitStack() as stack:
            stack.enter_context(self._resources.held("server", "database"))
            with self._journal.fault("restart"):  # ends when the server is there again
                self._stop()
                stack.enter_context(self._journal.fault("database locked"))
                stack.enter_context(_beside(_HOLD_EVERYTHING, self._database, 6.0))
                self._served.start()

    def _stop(self) -> None:
        code = self._served.stop()
        if code:
            self._journal.complain(f"the server ended with {code} after SIGTERM, expected 0")

    # ------------------------------------------------------------------------- database

    def slow_database(self, chance: random.Random) -> None:
        """Let every reader and writer of the database wait."""
        self._beside_database("database slow", _LOCK_INDEX, chance.uniform(3, 9))

    def hold_writer(self, chance: random.Random) -> None:
        """Hold the database as a writer does that does not end; readers are not held up."""
        self._beside_database("writer holds the database", _HOLD_WRITER, chance.uniform(2, 6))

    def _beside_database(self, kind: str, script: str, seconds: float) -> None:
        with (
            self._resources.held("database"),
            self._journal.fault(kind, f"{seconds:.1f} s"),
            _beside(script, self._database, seconds),
        ):
            pass

    def database_away(self, chance: random.Random) -> None:
        """Take the folder of the database away, and bring it back."""
        folder = self._database.parent
        away = folder.with_name("database.away")
        with self._resources.held("database"), self._journal.fault("database away"):
            folder.rename(away)
            time.sleep(chance.uniform(1, 5))
            away.rename(folder)

    # ----------------------------------------------------------------- store and cache

    def store_away(self, chance: random.Random) -> None:
        """Take the store away, and bring it back."""
        store = self._maker.store
        away = store.with_name("store.away")
        with self._resources.held("store", "cache"), self._journal.fault("store away"):
            store.rename(away)
            time.sleep(chance.uniform(1, 6))
            away.rename(store)

    def flip_in_store(self, chance: random.Random) -> None:
        """Change a byte of a delivery in the store; later, put the right ones back."""
        with self._resources.held("store", "cache"):
            chosen = self._choose(chance)
            if chosen is None:
                return
            names = [MODEL, "metadata.json", "examples.npz", "manifest.json"]
            name = chance.choice(names)
            path = self._maker.store / chosen.delivery_id / name
            with self._journal.fault("byte flipped in the store", name):
                flip(path, chance)
                span = Span(time.monotonic())
                chosen.barred.append(span)
                time.sleep(LOOKS + chance.uniform(0, 12))
                span.end = time.monotonic()
                shutil.copy(chosen.copy / name, path)

    def flip_in_cache(self, chance: random.Random) -> None:
        """Change a byte of what the app copied; it brings the copy again."""
        with self._resources.held("store", "cache"):
            names = [MODEL, "metadata.json", "examples.npz"]
            files = sorted(each for each in self._cache.glob("*/*/*/*") if each.name in names)
            if files:
                with (
                    self._journal.fault("byte flipped in the cache"),
                    suppress(FileNotFoundError),  # the app has let go of it meanwhile
                ):
                    flip(chance.choice(files), chance)
                    time.sleep(LOOKS)

    def delete_cache(self, _chance: random.Random) -> None:
        """Delete everything that the app has copied and found out."""
        with self._resources.held("store", "cache"), self._journal.fault("cache deleted"):
            shutil.rmtree(self._cache, ignore_errors=True)
            time.sleep(LOOKS)

    def _choose(self, chance: random.Random) -> Delivered | None:
        """A delivery that may be damaged."""
        stored = [
            each
            for each in self._journal.deliveries.values()
            if each.stored and not each.base and each.state == "live"
        ]
        return chance.choice(stored) if stored else None

    # --------------------------------------------------------------------- deliveries

    def partial_upload(self, chance: random.Random) -> None:
        """Upload a delivery file by file, its manifest last, and slowly."""
        self._upload(chance, "partial upload", last="manifest.json")

    def manifest_first(self, chance: random.Random) -> None:
        """Upload a delivery in a wrong order: the model comes after its manifest."""
        self._upload(chance, "manifest before its files", last=MODEL)

    def _upload(self, chance: random.Random, kind: str, *, last: str) -> None:
        with self._resources.held("store"), self._journal.fault(kind):
            made = self._maker.make("plain")
            folder = self._maker.store / made.delivery_id
            content = (made.copy / last).read_bytes()
            half = len(content) // 2
            shutil.copytree(made.copy, folder, ignore=shutil.ignore_patterns(last, "twin.onnx"))
            if last != "manifest.json":
                time.sleep(LOOKS)
                (folder / last).write_bytes(content[:half])
            time.sleep(chance.uniform(1, LOOKS))
            made.since, made.stored = time.monotonic(), True
            (folder / last).write_bytes(content)
            self._journal.count("delivered: file by file")

    def faulty_model(self, kind: str, chance: random.Random) -> None:
        """Deliver a model that goes wrong on some requests, and ranks before all others."""
        with self._resources.held("store"):
            made = self._maker.make(kind)
            self._maker.deliver(made)
        with self._journal.fault(f"{kind} model"):
            self._stopping.wait(chance.uniform(8, 20))
        with self._resources.held("store"):
            self._maker.remove(made)


@contextmanager
def _beside(script: str, database: Path, seconds: float) -> Iterator[None]:
    """Let another process hold the database for so long; the block begins when it does."""
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", script, str(database), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    if process.stdout.readline() != "held\n":
        raise RuntimeError(f"the database could not be held: exit code {process.wait()}")
    try:
        yield
    finally:
        if process.wait(60):
            raise RuntimeError(f"holding the database ended with {process.returncode}")
