"""Whether anything was committed, told without asking the database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fairweather_app.common.database import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "observations.sqlite"


@pytest.fixture
def database(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


def grow_old(file: Path) -> None:
    """As if nothing had been written for a minute."""
    for each in (file, Path(f"{file}-wal")):
        if each.exists():
            about = each.stat()
            os.utime(each, ns=(about.st_atime_ns, about.st_mtime_ns - 60_000_000_000))


def commit(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TABLE IF NOT EXISTS elsewhere (x)")
        other.execute("INSERT INTO elsewhere VALUES (1)")


def test_nothing_is_unchanged_before_it_was_asked_and_while_a_write_is_recent(
    database: Database, file: Path
) -> None:
    assert not database.is_unchanged()
    database.version()
    assert not database.is_unchanged()  # another write at this very moment need not show
    grow_old(file)
    assert not database.is_unchanged()
    database.version()
    assert database.is_unchanged()


@pytest.mark.parametrize("checkpoint", [False, True])
def test_what_another_process_commits_ends_the_quiet(
    database: Database, file: Path, *, checkpoint: bool
) -> None:
    before = database.version()
    grow_old(file)
    database.version()
    assert database.is_unchanged()
    commit(file)
    if checkpoint:
        with closing(sqlite3.connect(file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not database.is_unchanged()
    assert database.version() != before


def test_a_file_that_is_gone_or_another_one_is_not_quiet(database: Database, file: Path) -> None:
    database.version()
    grow_old(file)
    database.version()
    moved = file.rename(file.with_suffix(".moved"))
    assert not database.is_unchanged()
    file.write_bytes(moved.read_bytes())
    os.utime(file, ns=(moved.stat().st_atime_ns, moved.stat().st_mtime_ns))
    assert not database.is_unchanged()
