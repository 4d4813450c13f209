"""Withdrawals, pins and removals: an operator's decisions, rows in the app's own database.

Every decision is one row that never changes: who, when, what and why. The last row about a
delivery, or about an area, applies, in the order in which they were written; clocks do not count.
Every serving process reads them at every refresh of the catalogue.

- A **withdrawn** delivery answers for no area, until it is restored.
- A **pinned** area is answered by its delivery before all others, until it is unpinned; where that
  one may not answer or refuses, the ranking decides (see `selection`).
- Observations that were **removed** are gone; the row says which, and how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from fairweather_interface.names import plain_name
from pydantic import TypeAdapter

from fairweather_app.common.database import TABLES, Database
from fairweather_app.common.times import from_microseconds, to_microseconds, write_time
from fairweather_app.rollout.store import Policy, RolloutStore
from fairweather_app.rollout.trials import Rollout

Action = Literal["withdraw", "restore", "pin", "unpin", "remove"]

_decisions = sa.Table(
    "decisions",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("delivery_id", sa.Text),
    sa.Column("reason", sa.Text),
)
_PAIRS: tuple[tuple[Action, Action], ...] = (("withdraw", "restore"), ("pin", "unpin"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One row; `time` is UTC. `subject` is a delivery id, a pinned area or what was removed."""

    time: str
    author: str
    action: str
    subject: str
    delivery_id: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.author} at {self.time}{why}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """The decisions that apply: withdrawals by delivery id, pins by area, states of the rollout."""

    withdrawals: Mapping[str, Decision] = field(default_factory=dict)
    pins: Mapping[str, Decision] = field(default_factory=dict)
    rollout: Rollout = field(default_factory=Rollout)


DECISIONS_JSON = TypeAdapter(Decisions)
"""Reads decisions from JSON, and writes them."""


class DecisionStore:
    """The rows; every method raises `ObservationStoreError` where the database cannot be used."""

    def __init__(self, database: Database, policy: Policy | None = None) -> None:
        self._database = database
        self.rollout = RolloutStore(database, policy or Policy())

    def read(self) -> Decisions:
        """Return the decisions that apply now."""
        table = _decisions.c
        last = [
            sa.select(sa.func.max(table.id)).where(table.action.in_(pair)).group_by(table.subject)
            for pair in _PAIRS
        ]
        names = (table[each.name] for each in fields(Decision))
        query = sa.select(*names).where(table.id.in_(sa.union_all(*last))).order_by(table.id)
        with self._database.transaction() as connection:
            rows = connection.execute(query).mappings().all()
            rollout = self.rollout.read(connection)
        found = [
            Decision(**{**row, "time": write_time(from_microseconds(row["time"]))}) for row in rows
        ]
        return Decisions(
            withdrawals={row.subject: row for row in found if row.action == "withdraw"},
            pins={plain_name(row.subject): row for row in found if row.action == "pin"},
            rollout=rollout,
        )

    def add(
        self,
        action: Action,
        subject: str,
        within: sa.Connection | None = None,
        /,
        **more: str | None,
    ) -> None:
        """Add a row with `more` of its columns, where one is given `within` a transaction."""
        row = {"action": action, "subject": subject, **more}
        with nullcontext(within) if within else self._database.transaction() as connection:
            now = to_microseconds(datetime.now(UTC))
            connection.execute(sa.insert(_decisions).values(time=now, **row))
