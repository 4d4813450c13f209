"""The observation store: one table, in SQLite by default, in PostgreSQL by URL.

A time is kept as whole microseconds since 1970 in UTC, so that both databases compare and index
it alike and windows are exact. The unit of a variable is the contract's; it is checked on import
and not repeated in every row. Importing is an upsert: the same archive twice changes nothing, a
corrected one replaces what it corrects.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from fairweather_interface.definitions import VARIABLES
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from fairweather_app.errors import ObservationStoreError
from fairweather_app.observations.archive import Archive, Times, Values
from fairweather_app.times import from_microseconds, to_microseconds

BUSY_SECONDS = 5
ROWS_AT_ONCE = 10_000

_observations = sa.Table(
    "observations",
    sa.MetaData(),
    sa.Column("area", sa.Text, primary_key=True),
    sa.Column("variable", sa.Text, primary_key=True),
    sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)


class ObservationStore:
    """The observations of all areas. Opened on first use; safe to share between threads.

    Every method raises `ObservationStoreError` when the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None

    def add(self, archive: Archive) -> int:
        """Insert or replace every observation of an archive, all or none; return how many."""
        with self._connect() as connection:
            for (area, variable), (times, values) in archive.series.items():
                for start in range(0, len(times), ROWS_AT_ONCE):
                    rows = [
                        {"area": area, "variable": variable, "time": time, "value": value}
                        for time, value in zip(
                            times[start : start + ROWS_AT_ONCE].tolist(),
                            values[start : start + ROWS_AT_ONCE].tolist(),
                            strict=True,
                        )
                    ]
                    connection.execute(self._upsert(), rows)
        return len(archive)

    def series(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Times (microseconds) and values of the observations in (after, until], oldest first."""
        table = _observations.c
        query = (
            sa.select(table.time, table.value)
            .where(
                table.area == area,
                table.variable == variable,
                table.time > to_microseconds(after),
                table.time <= to_microseconds(until),
            )
            .order_by(table.time)
        )
        with self._connect() as connection:
            rows = connection.execute(query).all()
        times = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        values = np.fromiter((row[1] for row in rows), dtype=np.float64, count=len(rows))
        return times, values

    def latest(self, area: str | None = None) -> datetime | None:
        """The time of the latest observation of an area (or of all), None when there is none."""
        areas = self.areas() if area is None else (area,)
        newest = [
            sa.select(sa.func.max(_observations.c.time)).where(
                _observations.c.area == each, _observations.c.variable == variable
            )
            for each in areas
            for variable in VARIABLES
        ]
        with self._connect() as connection:
            found = [connection.scalar(query) for query in newest]
        times = [time for time in found if time is not None]
        return from_microseconds(max(times)) if times else None

    def areas(self) -> tuple[str, ...]:
        """The areas that have an observation, sorted."""
        area = _observations.c.area
        with self._connect() as connection:
            return tuple(connection.scalars(sa.select(area).distinct().order_by(area)))

    def knows(self, area: str) -> bool:
        """Whether there is any observation of the area."""
        query = sa.select(sa.exists().where(_observations.c.area == area))
        with self._connect() as connection:
            return bool(connection.scalar(query))

    def close(self) -> None:
        """Give the connections back; the next use opens the database again."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _upsert(self) -> sa.Insert:
        insert = (sqlite.insert if self.url.get_backend_name() == "sqlite" else postgresql.insert)(
            _observations
        )
        return insert.on_conflict_do_update(
            index_elements=["area", "variable", "time"], set_={"value": insert.excluded.value}
        )

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        """One transaction: committed when the block ends well, rolled back otherwise."""
        try:
            with self._opened().begin() as connection:
                yield connection
        except (SQLAlchemyError, ImportError) as error:
            cause = getattr(error, "orig", None) or error
            where = self.url.render_as_string(hide_password=True)
            raise ObservationStoreError(
                f"the observation database {where} cannot be used: {cause}; "
                "FAIRWEATHER_OBSERVATIONS names it"
            ) from error

    connect = _connect  # for what else the app keeps in its database

    def _opened(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                engine = sa.create_engine(self.url, pool_pre_ping=True)
                if self.url.get_backend_name() == "sqlite":
                    sa.event.listen(engine, "connect", _prepare_sqlite)
                with engine.begin() as connection:  # two workers may start at once
                    connection.execute(CreateTable(_observations, if_not_exists=True))
                self._engine = engine
            return self._engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Let readers and the one writer work side by side, in other processes too."""
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()  # SQLAlchemy does not own it yet
        raise
