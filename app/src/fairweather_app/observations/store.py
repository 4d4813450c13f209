"""The observation store: the observations of all areas, and a log of arrivals.

A time is stored as whole microseconds since 1970 in UTC, so that both databases compare and index
it alike and windows are exact. The unit of a variable is the contract's; it is checked on import
and not repeated in every row. Importing is an upsert: the same archive twice changes nothing, a
corrected one replaces what it corrects. The same transaction logs, for every series, from when to
when anything was written, so that other processes need not read it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from fairweather_interface.archive import Origin
from fairweather_interface.variables import VARIABLES

from fairweather_app.common.database import PATIENCE, TABLES, Database
from fairweather_app.common.times import from_microseconds, to_microseconds

ROWS_AT_ONCE = 10_000
ARRIVALS_KEPT = 10_000

Times = npt.NDArray[np.int64]
"""Whole microseconds since 1970 in UTC, shape (observations,)."""

Values = npt.NDArray[np.float64]
"""Values in the contract's unit of their variable, shape (observations,)."""

Key = tuple[str, str]
"""Area and variable."""

_observations = sa.Table(
    "observations",
    TABLES,
    sa.Column("area", sa.Text, primary_key=True),
    sa.Column("variable", sa.Text, primary_key=True),
    sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

_arrivals = sa.Table(
    "arrivals",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("area", sa.Text, nullable=False),
    sa.Column("variable", sa.Text, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """The observations of one file, checked and ready to be stored.

    `series` maps each key to times, rising and each once, and as many finite values. `origin` is
    None where the file states none; the database does not keep it.
    """

    path: Path
    origin: Origin | None = None
    series: Mapping[Key, tuple[Times, Values]]

    def __len__(self) -> int:
        return sum(len(times) for times, _ in self.series.values())


class Arrival(NamedTuple):
    """Observations of one series were written, none outside [first, last] (microseconds)."""

    id: int
    area: str
    variable: str
    first: int
    last: int


class ObservationStore:
    """The observations of all areas. Opened on first use; safe to share between threads.

    Every method raises `ObservationStoreError` when the database cannot be used.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.database = Database(url, patience=patience)

    def add(self, archive: Archive) -> int:
        """Insert or replace every observation of an archive, all or none; return how many."""
        with self.database.transaction(patient=True) as connection:
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
            self._note_arrivals(connection, archive)
        return len(archive)

    def series(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Return times (microseconds) and values in (after, until], oldest first."""
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
        with self.database.transaction() as connection:
            rows = connection.execute(query).all()
        times = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        values = np.fromiter((row[1] for row in rows), dtype=np.float64, count=len(rows))
        return times, values

    def latest(self, area: str | None = None, variable: str | None = None) -> datetime | None:
        """Return the time of the latest observation, of all or as narrowed; None without any."""
        areas = self.areas() if area is None else (area,)
        newest = [
            sa.select(sa.func.max(_observations.c.time)).where(
                _observations.c.area == each, _observations.c.variable == name
            )
            for each in areas
            for name in (VARIABLES if variable is None else (variable,))
        ]
        with self.database.transaction() as connection:
            found = [connection.scalar(query) for query in newest]
        times = [time for time in found if time is not None]
        return from_microseconds(max(times)) if times else None

    def areas(self) -> tuple[str, ...]:
        """List the areas that have an observation, sorted."""
        area = _observations.c.area
        with self.database.transaction() as connection:
            return tuple(connection.scalars(sa.select(area).distinct().order_by(area)))

    def arrived_since(self, seen: int) -> tuple[Arrival, ...] | None:
        """List the arrivals after `seen`, in order; None when they are no longer known."""
        table = _arrivals.c
        query = sa.select(*table).where(table.id > seen).order_by(table.id)
        with self.database.transaction() as connection:
            found = tuple(Arrival(*row) for row in connection.execute(query))
            oldest = connection.scalar(sa.select(sa.func.min(table.id)))
        lost = seen > 0 if oldest is None else oldest > seen + 1
        return None if lost else found

    def newest_arrival(self) -> int:
        """Return the id of the newest arrival, 0 when there is none."""
        with self.database.transaction() as connection:
            return connection.scalar(sa.select(sa.func.max(_arrivals.c.id))) or 0

    def close(self) -> None:
        """Give the connections back; the next use opens the database again."""
        self.database.close()

    def _note_arrivals(self, connection: sa.Connection, archive: Archive) -> None:
        """Log what was written, last of all in its transaction.

        PostgreSQL gives ids before transactions end, so transactions are serialised here: else a
        reader could see 6 before 5, and never look for 5 again.
        """
        spans = [
            {"area": area, "variable": variable, "first": int(times[0]), "last": int(times[-1])}
            for (area, variable), (times, _) in archive.series.items()
            if len(times)
        ]
        if not spans:
            return
        if not self.database.is_sqlite:
            connection.exec_driver_sql("LOCK TABLE arrivals IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(_arrivals.insert(), spans)
        newest = sa.select(sa.func.max(_arrivals.c.id)).scalar_subquery()
        connection.execute(_arrivals.delete().where(_arrivals.c.id <= newest - ARRIVALS_KEPT))

    def _upsert(self) -> sa.Insert:
        insert = self.database.insert(_observations)
        return insert.on_conflict_do_update(
            index_elements=["area", "variable", "time"], set_={"value": insert.excluded.value}
        )
