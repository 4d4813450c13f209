"""The forecast log: forecasts in the app's database, until they can be scored and after.

One row for each delivery, area, variable and whole hour: the first forecast that was made. Rows are
kept by age alone: those of the `DAYS_KEPT` before the newest forecast for their area. So no number
of requests removes what others need, and what there is of one series is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa

from fairweather_app.common.database import TABLES, Database
from fairweather_app.common.times import MICROSECOND, to_microseconds
from fairweather_app.models_backend.runtime_model import Predictions, RuntimeModel

DAYS_KEPT = 30
_HOUR = timedelta(hours=1) // MICROSECOND
_AGE = timedelta(days=DAYS_KEPT) // MICROSECOND

_forecasts = sa.Table(
    "forecasts",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("area", sa.Text, nullable=False),
    sa.Column("variable", sa.Text, nullable=False),
    sa.Column("reference_time", sa.BigInteger, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("values", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("delivery_id", "area", "variable", "reference_time"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedForecast:
    """One variable of one forecast; times in microseconds, `values` float32, little-endian.

    Value k, from 1, is for reference_time + k * step.
    """

    delivery_id: str
    area: str
    variable: str
    reference_time: int
    step: int
    values: bytes

    @property
    def until(self) -> int:
        """The last time it is for."""
        return self.reference_time + len(self.values) // 4 * self.step


def to_log(
    model: RuntimeModel, area: str, reference_time: datetime, predictions: Predictions
) -> list[LoggedForecast]:
    """Return the rows of one forecast."""
    return [
        LoggedForecast(
            delivery_id=model.delivery_id,
            area=area,
            variable=each.variable,
            reference_time=to_microseconds(reference_time),
            step=each.step // MICROSECOND,
            values=predictions[each.variable].value.astype("<f4").tobytes(),
        )
        for each in model.metadata.outputs
    ]


class ForecastLog:
    """The table of forecasts; every method raises `ObservationStoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.newest: dict[str, int] = {}
        """By area, the newest reference time that this process logged, in microseconds."""

    def add(
        self, forecasts: Sequence[LoggedForecast], replacing: Sequence[LoggedForecast] = ()
    ) -> None:
        """Add forecasts; of what is there already the first stays, or is replaced by `replacing`.

        Each hour, what is old is dropped.
        """
        insert = self._database.insert(_forecasts)
        unique = ("delivery_id", "area", "variable", "reference_time")
        new = {name: insert.excluded[name] for name in ("step", "values")}
        update = insert.on_conflict_do_update(index_elements=unique, set_=new)
        with self._database.transaction() as connection:
            for statement, rows in (
                (insert.on_conflict_do_nothing(), forecasts),
                (update, replacing),
            ):
                if rows:
                    connection.execute(statement, [asdict(each) for each in rows])
            times = {each.area: each.reference_time for each in (*forecasts, *replacing)}
            if max(times.values()) > max(self.newest.values(), default=0):
                _drop_old(connection)
        self.newest |= times

    def read(self, delivery_id: str | None = None, area: str | None = None) -> list[LoggedForecast]:
        """Return the forecasts of a delivery, for an area, by area and variable, oldest first.

        None is all. What earlier releases logged at other times than whole hours is left out.
        """
        table = _forecasts.c
        query = (
            sa.select(*(table[each.name] for each in fields(LoggedForecast)))
            .where(table.reference_time % _HOUR == 0)
            .order_by(table.area, table.variable, table.reference_time, table.delivery_id)
        )
        if delivery_id is not None:
            query = query.where(table.delivery_id == delivery_id)
        if area is not None:
            query = query.where(table.area == area)
        with self._database.transaction() as connection:
            return [LoggedForecast(**row) for row in connection.execute(query).mappings()]


def _drop_old(connection: sa.Connection) -> None:
    table = _forecasts.c
    newest = sa.func.max(table.reference_time)
    ages = sa.select(table.area, newest.label("newest")).group_by(table.area)
    ages = ages.having(sa.func.min(table.reference_time) < newest - _AGE)
    for area, time in connection.execute(ages).all():
        old = (table.area == area) & (table.reference_time < time - _AGE)
        connection.execute(_forecasts.delete().where(old))
