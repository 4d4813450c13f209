"""The index on disk: the result of each ingestion, so that a restart need not repeat it.

One SQLite file in the cache for each release (its version, its runtimes, its source), shared by the
worker processes. It can be deleted at any time; the app works on without it. A row follows from a
delivery's bytes alone, never from an operator's decision or keys.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from fairweather_interface.refusals import Code
from fairweather_interface.software import dump_software

from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.common.private_files import check_private, make_private_folder
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.software import describe_software

FORGOTTEN_AFTER_SECONDS = 30 * 86_400
BUSY_SECONDS = 10
_COLUMNS = tuple(each.name for each in fields(Entry) if each.name != "trust")
_LISTS = ("areas", "variables")
_TABLES = f"""
CREATE TABLE IF NOT EXISTS entries (
    {", ".join(_COLUMNS)}, PRIMARY KEY (delivery_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_digest ON entries (digest);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, content TEXT);
"""

T = TypeVar("T")

logger = logging.getLogger(__name__)


def release_key(backends: Sequence[ModelsBackend]) -> str:
    """Return a key of this release: of its software manifest and its source."""
    digest = hashlib.sha256(dump_software(describe_software(backends)))
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Index:
    """One file of rows, opened at first use. Safe to share between threads."""

    def __init__(self, folder: Path, key: Callable[[], str]) -> None:
        self._folder = folder
        self._key = key
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._failed = ""

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._folder / f"index-{self._key()}.sqlite"

    def entries(self) -> dict[str, Entry]:
        """Return every row, by delivery id; none where one cannot be read."""
        return {each.delivery_id: each for each in self._select("SELECT * FROM entries")}

    def find(self, delivery_id: str, digest: str) -> Entry | None:
        """Return the row of exactly these bytes; None when there is none."""
        query = "SELECT * FROM entries WHERE delivery_id = ? AND digest = ?"
        return next(iter(self._select(query, delivery_id, digest)), None)

    def put(self, entries: Iterable[Entry]) -> None:
        """Insert or replace rows."""
        rows = [_row(each) for each in entries]
        marks = ",".join("?" * len(_COLUMNS))
        insert = f"INSERT OR REPLACE INTO entries VALUES ({marks})"  # noqa: S608 - marks alone
        if rows:
            self._do(lambda db: db.executemany(insert, rows))

    def remove(self, delivery_ids: Iterable[str]) -> None:
        """Delete rows."""
        rows = [(each,) for each in delivery_ids]
        if rows:
            self._do(lambda db: db.executemany("DELETE FROM entries WHERE delivery_id = ?", rows))

    def save_note(self, name: str, content: str) -> None:
        """Save a text under a name."""
        insert = "INSERT OR REPLACE INTO notes VALUES (?, ?)"
        self._do(lambda db: db.execute(insert, (name, content)))

    def note(self, name: str) -> str | None:
        """Return the text saved under a name."""
        query = "SELECT content FROM notes WHERE name = ?"
        row = self._do(lambda db: db.execute(query, (name,)).fetchone())
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _select(self, query: str, *values: str) -> list[Entry]:
        seen: dict[str, tuple[str, ...]] = {}  # thousands of deliveries declare the same
        return self._do(lambda db: [_entry(row, seen) for row in db.execute(query, values)]) or []

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Work in one transaction; log and return None when the file cannot be used."""
        with self._lock:
            try:
                connection = self._open()
                with connection:
                    return work(connection)
            except (sqlite3.Error, OSError, TypeError, ValueError) as error:  # also of a row
                if str(error) != self._failed:
                    self._failed = str(error)
                    logger.warning("the index %s cannot be used: %s", self.path, error)
                return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        make_private_folder(self._folder)
        for path in self._folder.glob("index-*.sqlite"):  # of releases that are no longer used
            if path != self.path and time.time() - path.stat().st_mtime > FORGOTTEN_AFTER_SECONDS:
                path.unlink(missing_ok=True)
        try:
            self._connection = _connect(self.path)
        except sqlite3.OperationalError:  # locked, no room: the file itself may be sound
            raise
        except (sqlite3.DatabaseError, PermissionError) as error:
            logger.warning("the index %s is made anew: %s", self.path, error)
            for path in self._folder.glob(f"{self.path.name}*"):
                path.unlink(missing_ok=True)
            self._connection = _connect(self.path)
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, which this user alone may write to, as those that SQLite keeps beside it."""
    for each in path.parent.glob(f"{path.name}*"):
        check_private(each)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        connection.execute("SELECT * FROM entries LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _row(entry: Entry) -> tuple[Any, ...]:
    kept = {name: getattr(entry, name) for name in _COLUMNS}
    lists = {name: json.dumps(kept[name], ensure_ascii=False) for name in _LISTS}
    return tuple((kept | lists).values())


def _entry(row: tuple[Any, ...], seen: dict[str, tuple[str, ...]]) -> Entry:
    kept = dict(zip(_COLUMNS, row, strict=True))
    for name in _LISTS:
        text = kept[name]
        if text not in seen:
            seen[text] = tuple(json.loads(text))
        kept[name] = seen[text]
    code = None if kept["code"] is None else Code(kept["code"])
    return Entry(**kept | {"state": State(kept["state"]), "code": code})
