"""The observation store: the observations of all areas, and a log of arrivals.

A time is stored as whole microseconds since 1970 in UTC, so that both databases compare and index
it alike and windows are exact. An area has the one spelling of its name. A variable has one unit,
which is not repeated in every row: the contract's, or, where the contract does not know the
variable, that of its first import. Importing is an upsert: the same archive twice changes nothing,
a corrected one replaces what it corrects. The same transaction logs, for every series, from when to
when anything was written or removed, so that other processes need not read it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from fairweather_interface.archive import Origin
from fairweather_interface.names import LONGEST_NAME, plain_name
from fairweather_interface.variables import VARIABLES

from fairweather_app.common.database import PATIENCE, TABLES, Database
from fairweather_app.common.times import EARLIEST, LATEST, from_microseconds, to_microseconds
from fairweather_app.errors import ArchiveError

ROWS_AT_ONCE = 10_000
ARRIVALS_KEPT = 10_000

Times = npt.NDArray[np.int64]
"""Whole microseconds since 1970 in UTC, shape (observations,)."""

Values = npt.NDArray[np.float64]
"""Values in the unit of their variable, shape (observations,)."""

Key = tuple[str, str]
"""Area and variable."""

_observations = sa.Table(
    "observations",
    TABLES,
    sa.Column("area", sa.Text, primary_key=True),
    sa.Column("variable", sa.Text, primary_key=True),
    sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("provider", sa.Text),
    sqlite_with_rowid=False,
)

_units = sa.Table(
    "units",
    TABLES,
    sa.Column("variable", sa.Text, primary_key=True),
    sa.Column("unit", sa.Text, nullable=False),
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

    `series` maps each key to times, rising and each once, and as many finite values. `units` are
    those of the variables that the contract does not know. `origin` is None where the file states
    none; the database does not keep it. `provider` is None of a file. `future` is how many more
    there were, later than now.
    """

    path: Path
    origin: Origin | None = None
    series: Mapping[Key, tuple[Times, Values]]
    units: Mapping[str, str] = field(default_factory=dict)
    provider: str | None = None
    future: int = 0

    def __len__(self) -> int:
        return sum(len(times) for times, _ in self.series.values())


class Arrival(NamedTuple):
    """Observations of one series were written or removed, none outside [first, last]."""

    id: int
    area: str
    variable: str
    first: int
    last: int


class ObservationStore:
    """The observations of all areas; `ObservationStoreError` where the database cannot be used."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.database = Database(url, patience=patience)

    def add(self, archive: Archive) -> int:
        """Insert or replace every observation of an archive, all or none; return how many.

        A variable that is stored in another unit is `ArchiveError`.
        """
        with self.database.transaction(patient=True) as connection:
            self._upgrade(connection)
            self._note_units(connection, archive)
            for (area, variable), (times, values) in archive.series.items():
                same = {"area": area, "variable": variable, "provider": archive.provider}
                for start in range(0, len(times), ROWS_AT_ONCE):
                    rows = [
                        {**same, "time": time, "value": value}
                        for time, value in zip(
                            times[start : start + ROWS_AT_ONCE].tolist(),
                            values[start : start + ROWS_AT_ONCE].tolist(),
                            strict=True,
                        )
                    ]
                    connection.execute(self._upsert(), rows)
            spans = [
                {"area": area, "variable": variable, "first": int(times[0]), "last": int(times[-1])}
                for (area, variable), (times, _) in archive.series.items()
                if len(times)
            ]
            self._note_arrivals(connection, spans)
        return len(archive)

    def remove(
        self,
        connection: sa.Connection,
        *,
        since: datetime = EARLIEST,
        until: datetime = LATEST,
        **wanted: str,
    ) -> int:
        """Delete the observations in [since, until] with the `wanted` columns; return how many."""
        self._upgrade(connection)
        self._lock_arrivals(connection)
        table = _observations.c
        matches = sa.and_(
            table.time.between(to_microseconds(since), to_microseconds(until)),
            *(table[name] == value for name, value in wanted.items()),
        )
        ends = sa.func.min(table.time).label("first"), sa.func.max(table.time).label("last")
        query = sa.select(table.area, table.variable, *ends).where(matches)
        spans = connection.execute(query.group_by(table.area, table.variable)).mappings().all()
        count = connection.execute(_observations.delete().where(matches)).rowcount
        left = sa.exists().where(table.variable == _units.c.variable)
        connection.execute(_units.delete().where(~left))
        self._note_arrivals(connection, spans)
        return count

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
        times, values = zip(*rows, strict=True) if rows else ((), ())
        return np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)

    def units(self) -> dict[str, str]:
        """Return the unit of every variable that is observed, or that the contract knows."""
        with self.database.transaction() as connection:
            rows = connection.execute(sa.select(_units.c.variable, _units.c.unit)).all()
        return {name: row.unit for name, row in VARIABLES.items()} | dict(map(tuple, rows))

    def latest(self, area: str | None = None, variable: str | None = None) -> datetime | None:
        """Return the time of the latest observation up to now, of all or as narrowed, or None."""
        now = to_microseconds(datetime.now(UTC))
        areas = self.areas() if area is None else (area,)
        newest = [
            sa.select(sa.func.max(_observations.c.time)).where(
                _observations.c.area == each,
                _observations.c.variable == name,
                _observations.c.time <= now,
            )
            for each in areas
            for name in (self.units() if variable is None else (variable,))
        ]
        with self.database.transaction() as connection:
            found = [connection.scalar(query) for query in newest]
        times = [time for time in found if time is not None]
        return from_microseconds(max(times)) if times else None

    def areas(self) -> tuple[str, ...]:
        """List the areas that have an observation, sorted; a name that is too long is none."""
        area = _observations.c.area
        with self.database.transaction() as connection:
            found = connection.scalars(sa.select(area).distinct().order_by(area))
            return tuple(name for name in found if len(name) <= LONGEST_NAME)

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

    def _note_units(self, connection: sa.Connection, archive: Archive) -> None:
        """Store the unit of each new variable; refuse another unit than the stored one."""
        problems = []
        for name, unit in archive.units.items():
            insert = self.database.insert(_units).values(variable=name, unit=unit)
            connection.execute(insert.on_conflict_do_nothing())
            stored = connection.scalar(sa.select(_units.c.unit).where(_units.c.variable == name))
            if stored != unit:
                problems.append(f"{name} in {unit!r}; it is stored in {stored!r}")
        if problems:
            raise ArchiveError(archive.path, problems)

    def _upgrade(self, connection: sa.Connection) -> None:
        """Give the table of an earlier release its column of providers, and areas one spelling."""
        columns = sa.inspect(connection).get_columns(_observations.name)
        if any(each["name"] == "provider" for each in columns):
            return
        table = _observations.c
        for area in connection.scalars(sa.select(table.area).distinct()).all():
            if area != plain_name(area):
                kept = (table.variable, table.time, table.value)
                rows = sa.select(sa.literal(plain_name(area)), *kept).where(table.area == area)
                insert = self.database.insert(_observations).from_select(["area", *kept], rows)
                connection.execute(insert.on_conflict_do_nothing())
                connection.execute(_observations.delete().where(table.area == area))
        absent = "" if self.database.is_sqlite else "IF NOT EXISTS"
        connection.exec_driver_sql(f"ALTER TABLE observations ADD COLUMN {absent} provider TEXT")

    def _lock_arrivals(self, connection: sa.Connection) -> None:
        """Let no other transaction that writes observations end before this one."""
        if self.database.is_sqlite:
            connection.execute(_arrivals.delete().where(sa.false()))  # any write locks the file
        else:
            connection.exec_driver_sql("LOCK TABLE arrivals IN SHARE ROW EXCLUSIVE MODE")

    def _note_arrivals(self, connection: sa.Connection, spans: Sequence[Mapping[Any, Any]]) -> None:
        """Log what was written or removed, last of all in its transaction.

        PostgreSQL gives ids before transactions end, so transactions are serialised here: else a
        reader could see 6 before 5, and never look for 5 again.
        """
        if not spans:
            return
        self._lock_arrivals(connection)
        connection.execute(_arrivals.insert(), [dict(each) for each in spans])
        newest = sa.select(sa.func.max(_arrivals.c.id)).scalar_subquery()
        connection.execute(_arrivals.delete().where(_arrivals.c.id <= newest - ARRIVALS_KEPT))

    def _upsert(self) -> sa.Insert:
        insert = self.database.insert(_observations)
        return insert.on_conflict_do_update(
            index_elements=["area", "variable", "time"],
            set_={name: insert.excluded[name] for name in ("value", "provider")},
        )
