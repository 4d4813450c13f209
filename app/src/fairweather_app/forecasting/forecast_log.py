"""The forecast log: forecasts in the app's database, until they can be scored and after.

One row for each delivery, area, variable and reference time: the first forecast that was made.
Only the newest `MOST_FORECASTS` rows are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from fairweather_app.common.database import TABLES, Database
from fairweather_app.common.times import MICROSECOND, to_microseconds
from fairweather_app.models_backend.runtime_model import Predictions, RuntimeModel

MOST_FORECASTS = 50_000

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

    def add(self, forecasts: Sequence[LoggedForecast]) -> None:
        """Add forecasts; of what is there already the first stays. Drop the oldest."""
        insert = self._database.insert(_forecasts)
        newest = sa.select(sa.func.max(_forecasts.c.id)).scalar_subquery()
        with self._database.transaction() as connection:
            connection.execute(
                insert.on_conflict_do_nothing(), [asdict(each) for each in forecasts]
            )
            connection.execute(
                _forecasts.delete().where(_forecasts.c.id <= newest - MOST_FORECASTS)
            )

    def read(self, delivery_id: str | None = None) -> list[LoggedForecast]:
        """Return the forecasts of a delivery (or of all), by area and variable, oldest first."""
        table = _forecasts.c
        query = sa.select(*(table[each.name] for each in fields(LoggedForecast))).order_by(
            table.area, table.variable, table.reference_time, table.delivery_id
        )
        if delivery_id is not None:
            query = query.where(table.delivery_id == delivery_id)
        with self._database.transaction() as connection:
            return [LoggedForecast(**row) for row in connection.execute(query).mappings()]
