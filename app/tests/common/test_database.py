"""The database: whether anything was committed, and one that can be read alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fairweather_app.catalogue.decisions import DecisionStore
from fairweather_app.common.database import Database
from fairweather_app.errors import ObservationStoreError, ReadOnlyError
from fairweather_app.forecasting.forecast_log import ForecastLog, LoggedForecast

FORECAST = LoggedForecast(
    delivery_id="a", area="JFK", variable="temperature", reference_time=0, step=1, values=b"1234"
)


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


def test_what_can_be_read_alone_is_read_and_a_write_is_an_error_of_its_own(
    database: Database, file: Path
) -> None:
    ForecastLog(database).add([FORECAST])
    database.close()
    for journal in ("WAL", "DELETE"):
        with closing(sqlite3.connect(file)) as other:
            other.execute(f"PRAGMA journal_mode = {journal}")
        reading = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
        assert ForecastLog(reading).read() == [FORECAST]
        assert reading.version() is not None
        with pytest.raises(ReadOnlyError, match="cannot be written: attempt to write a readonly"):
            ForecastLog(reading).add([FORECAST])
        reading.close()


def test_a_file_beside_which_nothing_can_be_written_is_read_as_it_is_until_it_is_written(
    database: Database, file: Path
) -> None:
    ForecastLog(database).add([FORECAST])
    database.close()
    beside = Path(f"{file}-shm")
    beside.symlink_to("nowhere/at/all")  # as in a folder that is read-only: SQLite can open no log
    reading = Database(f"sqlite:///{file}")
    assert ForecastLog(reading).read() == [FORECAST]
    before = reading.version()
    assert reading.version() == before
    with pytest.raises(ReadOnlyError):
        ForecastLog(reading).add([FORECAST])
    beside.unlink()
    later = replace(FORECAST, reference_time=3_600_000_000)
    ForecastLog(database).add([later])  # another process, that may write
    assert reading.version() != before
    assert ForecastLog(reading).read() == [FORECAST, later]
    reading.close()
    database.close()


def test_a_table_that_a_read_only_database_lacks_fails_only_what_needs_it(
    database: Database, file: Path
) -> None:
    ForecastLog(database).add([FORECAST])
    database.close()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("DROP TABLE decisions")
    reading = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert ForecastLog(reading).read() == [FORECAST]
    with pytest.raises(ObservationStoreError, match="no such table: decisions"):
        DecisionStore(reading).read()
    reading.close()


def test_a_file_that_is_made_is_its_owners_alone_and_one_that_is_there_keeps_its_mode(
    database: Database, file: Path
) -> None:
    before = os.umask(0o022)
    try:
        with database.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE more (x)")
        made = {each.name: each.stat().st_mode & 0o777 for each in file.parent.iterdir()}
        assert made == dict.fromkeys((file.name, f"{file.name}-wal", f"{file.name}-shm"), 0o600)
        file.chmod(0o640)
        database.close()
        database.version()
        assert file.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_file_that_is_to_be_read_alone_is_never_made(file: Path) -> None:
    database = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(ObservationStoreError, match="unable to open database file"):
        database.version()
    assert not file.exists()
