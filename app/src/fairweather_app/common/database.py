"""The app's database: SQLite by default, PostgreSQL by URL. One engine for every table.

Laws:

- Opened on first use, tables made where they are not yet there; several processes share it.
- Waiting for a lock, a connection or a statement longer than `patience` is an error; `patient` work
  (an import) waits for `PATIENT_SECONDS`.
- One that can be read alone is read, and a write is `ReadOnlyError`. A SQLite file beside which
  nothing can be written is read as it is, and opened anew when it or its log was written.
- A SQLite file that is made is its owner's alone, and so is what SQLite writes beside it; the mode
  of one that is there stays as it is.
- A SQLite file that was opened and is gone is an error, until it is there again; one that was
  replaced by another is opened anew. It is never silently made again.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from fairweather_app.errors import ObservationStoreError, ReadOnlyError

PATIENCE = 2.0
PATIENT_SECONDS = 30
COARSEST_CLOCK = 3_000_000_000
"""Nanoseconds; no file system keeps the time of a write less exactly than to two seconds."""
MAKING_TABLES = 0x66616972
"""The advisory lock of PostgreSQL that is held while tables are made."""

READ_ONLY = (sqlite3.SQLITE_READONLY, "25006", "42501")
"""Codes of a write that can never be: SQLite's, PostgreSQL's of a read-only server and a reader."""
NOTHING_BESIDE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""Codes of a SQLite file beside which no log can be written."""

TABLES = sa.MetaData()
"""Every table of the app: each module adds those it reads and writes."""


class Database:
    """One database, for any thread; `ObservationStoreError` where it cannot be used."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = sa.make_url(url)
        self.patience = patience
        self._milliseconds = math.ceil(patience * 1000)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._path = Path(str(self.url.database).removeprefix("file:"))
        self._log = f"{self._path}-wal"
        self._unchanged: tuple[tuple[int, int, int], ...] = ()
        self._lock = threading.RLock()
        self._engine: sa.Engine | None = None
        self._file: tuple[int, int] | None = None
        self._as_it_is: tuple[tuple[int, int, int], ...] = ()
        self._watch: sqlite3.Connection | None = None
        self._opened_times = 0

    @contextmanager
    def transaction(self, *, patient: bool = False) -> Iterator[sa.Connection]:
        """One transaction: committed when the block ends well, rolled back otherwise."""
        try:
            with (
                self._opened().begin() as connection,
                self._patient(connection) if patient else nullcontext(),
            ):
                yield connection
        except (SQLAlchemyError, ImportError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def version(self) -> tuple[int, int] | None:
        """Return what changes with every commit of any process, at once; None on PostgreSQL."""
        if not self.is_sqlite:
            return None
        with self._lock:
            try:
                self._opened()
                self._unchanged = ()
                if self._as_it_is:
                    return self._opened_times, 0
                before, now = self._written(), time.time_ns()
                if self._watch is None:
                    self._watch = sqlite3.connect(
                        self._path, check_same_thread=False, timeout=self.patience
                    )
                found = self._watch.execute("PRAGMA data_version").fetchone()
            except (SQLAlchemyError, sqlite3.Error) as error:
                raise self._unusable(error) from error
            if before and max(before)[0] < now - COARSEST_CLOCK:
                self._unchanged = before
            return self._opened_times, int(found[0])

    def is_unchanged(self) -> bool:
        """Return whether surely nothing was committed since the last `version`; never waits.

        SQLite writes a commit to one of two files. Where both were last written long before,
        another write would show, however coarse the file system's clock.
        """
        written = self._unchanged
        return bool(written) and written == self._written()

    def _written(self) -> tuple[tuple[int, int, int], ...]:
        """Return when each file that is there was last written (ns), its size and its inode."""
        found = []
        for path in (self._path, self._log):
            try:
                about = os.stat(path)  # noqa: PTH116 - half the time of Path.stat
            except OSError:
                continue
            found.append((about.st_mtime_ns, about.st_size, about.st_ino))
        return tuple(found)

    def insert(self, table: sa.Table) -> sqlite.Insert:
        """Return an insert with ``ON CONFLICT``, which both databases have alike."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - costs a start 50 ms

        return cast("sqlite.Insert", postgresql.insert(table))

    @property
    def missing(self) -> str | None:
        """The sentence for a SQLite file that is not there yet; None where it is."""
        if not self.is_sqlite or self._path.exists():
            return None
        return (
            f"there is no database {self._path} yet, and no app has used it; "
            "FAIRWEATHER_OBSERVATIONS names it: is it what the serving app has?"
        )

    @contextmanager
    def replaced_by(self, path: Path) -> Iterator[None]:
        """Use another SQLite file inside the block, so that the real one is not created."""
        before = self.url, self._path, self._log
        self.close()
        self.url = sa.make_url(f"sqlite:///{path}")
        self._path, self._log = path, f"{path}-wal"
        try:
            yield
        finally:
            self.close()
            self.url, self._path, self._log = before

    def close(self) -> None:
        """Close the connections; the next use opens the database again."""
        with self._lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _unusable(self, error: BaseException | str) -> ObservationStoreError:
        where = self.url.render_as_string(hide_password=True)
        kind = ReadOnlyError if _code(error) in READ_ONLY else ObservationStoreError
        done = "written" if kind is ReadOnlyError else "used"
        return kind(
            f"the observation database {where} cannot be {done}: {getattr(error, 'orig', error)}; "
            "FAIRWEATHER_OBSERVATIONS names it"
        )

    @contextmanager
    def _patient(self, connection: sa.Connection) -> Iterator[None]:
        if not self.is_sqlite:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            yield
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENT_SECONDS * 1000}")
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._milliseconds}")

    def _opened(self) -> sa.Engine:
        with self._lock:
            if self._engine is not None and self._file is not None:
                self._check_file()
            if self._engine is None:
                self._as_it_is = ()
                if self.missing and not self.url.query:
                    with suppress(OSError):  # SQLite says why it cannot be made
                        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
                try:
                    engine = self._connect(self.url)
                except (SQLAlchemyError, sqlite3.Error) as error:
                    written = self._written()
                    size, log = [*(size for _, size, _ in written), 0, 0][:2]
                    if _code(error) not in NOTHING_BESIDE or not size or log:
                        raise
                    as_it_is = {"immutable": "1", "uri": "true"}
                    file = self.url.set(database=f"file:{quote(str(self._path))}", query=as_it_is)
                    engine, self._as_it_is = self._connect(file), written
                if self.is_sqlite:
                    about = self._path.stat()
                    self._file = (about.st_dev, about.st_ino)
                self._engine = engine
                self._opened_times += 1
            return self._engine

    def _connect(self, url: sa.URL) -> sa.Engine:
        """Make an engine, connect, and create the tables that are missing; several workers may."""
        engine = sa.create_engine(
            url,
            pool_pre_ping=not self.is_sqlite,
            pool_timeout=self.patience,
            connect_args={}
            if self.is_sqlite
            else {
                "connect_timeout": max(2, math.ceil(self.patience)),  # libpq takes no less
                "options": f"-c statement_timeout={self._milliseconds}",
            },
        )
        if self.is_sqlite:
            sa.event.listen(engine, "connect", self._prepare_sqlite)
        there: list[str] = []
        try:
            with engine.begin() as connection:
                if not self.is_sqlite:
                    # PostgreSQL's IF NOT EXISTS fails where another makes the table at that time
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING_TABLES)))
                there = sa.inspect(connection).get_table_names()
                for table in TABLES.sorted_tables:
                    if table.name not in there:
                        connection.execute(CreateTable(table, if_not_exists=True))
        except BaseException as error:
            if _code(error) in READ_ONLY and there:
                return engine  # of an older release; what needs no other table works
            engine.dispose()
            raise
        return engine

    def _check_file(self) -> None:
        """Close a file that was replaced, or written if it is read as it is; gone is an error."""
        try:
            about = self._path.stat()
        except OSError as error:
            raise self._unusable(f"its file is gone ({error.strerror})") from None
        written = self._written() if self._as_it_is else ()
        if (about.st_dev, about.st_ino) != self._file or written != self._as_it_is:
            self.close()

    def _prepare_sqlite(self, connection: sqlite3.Connection, _record: object) -> None:
        """Let readers and the one writer work at the same time, also in other processes."""
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {self._milliseconds}")
                cursor.execute("PRAGMA synchronous = NORMAL")
                cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            if _code(error) in READ_ONLY:
                return  # it keeps the journal it has
            connection.close()  # SQLAlchemy does not own it yet
            raise


def _code(error: BaseException | str) -> object:
    """Return SQLite's primary result code, or the SQLSTATE of PostgreSQL, of an error."""
    cause = getattr(error, "orig", error)
    return getattr(cause, "sqlstate", getattr(cause, "sqlite_errorcode", 0) & 0xFF)
