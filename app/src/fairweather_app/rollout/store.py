"""The rows of a rollout in the app's database: changes of state for ever, and comparisons.

A change is one row that never changes. Of what several workers decide at once about a delivery in
an area the first is written: `number` counts its changes, and is unique. Comparisons are figures
computed anew, and replaced. Every serving process reads both with the operator's decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime

import sqlalchemy as sa

from fairweather_app.common.database import TABLES, Database
from fairweather_app.common.times import write_time
from fairweather_app.rollout.evidence import Comparison, Rule
from fairweather_app.rollout.trials import APP, Change, Mode, Rollout, State

_changes = sa.Table(
    "rollout",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("area", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("incumbent", sa.Text),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("digest", "area", "number"),
    sqlite_autoincrement=True,
)
_comparisons = sa.Table(
    "comparisons",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("area", sa.Text, nullable=False),
    sa.Column("variable", sa.Text, nullable=False),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("other", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("days", sa.Float, nullable=False),
    sa.Column("mae", sa.Float, nullable=False),
    sa.Column("other_mae", sa.Float, nullable=False),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
    sa.Column("enough", sa.Boolean, nullable=False),
    sa.UniqueConstraint("area", "variable", "delivery_id", "other"),
    sqlite_autoincrement=True,
)
EVERYWHERE = ""
"""The area of an incumbent's row: all that it declares. The row of the mode has no digest."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The operator's settings of the rollout."""

    mode: Mode = "immediate"
    share: float = 0.0
    demote: bool = False
    rule: Rule = field(default_factory=Rule)


class RolloutStore:
    """The rows; every method raises `ObservationStoreError` where the database cannot be used."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self.policy = policy
        self._kept: tuple[object, Rollout] = (None, Rollout())
        self._there = False

    def read(self, within: sa.Connection) -> Rollout:
        """Return all states and comparisons; read anew only where a row was written.

        A database of an earlier release that cannot be written has none.
        """
        self._there = self._there or sa.inspect(within).has_table(_changes.name)
        if not self._there:
            return self._kept[1]
        newest = sa.func.max(_changes.c.id), sa.func.max(_comparisons.c.id)
        counts = sa.select(sa.func.count()).select_from(_comparisons)
        version = (
            *(within.execute(sa.select(each)).scalar() for each in newest),
            within.execute(counts).scalar(),
        )
        if version != self._kept[0]:
            self._kept = version, self._read(within)
        return self._kept[1]

    def begin(self, live: Iterable[tuple[str, str]]) -> bool:
        """Write down a changed mode, and as incumbents the `live` deliveries (id, digest), once.

        Those that have a row keep it. Return whether this call did it.
        """
        mode = "immediate" if self.policy.mode == "immediate" else "evidence"
        with self._database.transaction() as connection:
            last = self._last(connection, [""])
            before, number = last.get(("", EVERYWHERE), ("immediate", 0))
            if mode == before:
                return False
            row = {"delivery_id": "", "digest": "", "area": EVERYWHERE, "state": mode}
            more = {"reason": "as the settings are", "number": number + 1}
            if not self._insert(connection, [_row(**row, **more)]) or mode == "immediate":
                return mode == "immediate"
            known = set(connection.execute(sa.select(_changes.c.digest)).scalars())
            reason = "it was live when the rollout began"
            found = {"area": EVERYWHERE, "state": State.INCUMBENT, "reason": reason, "number": 1}
            self._insert(
                connection,
                [
                    _row(**found, delivery_id=name, digest=digest)
                    for name, digest in live
                    if digest not in known
                ],
            )
        return True

    def add(self, changes: Sequence[tuple[Change, Change | None]]) -> bool:
        """Add changes, each with what was before it; none, and False, where somebody was faster."""
        with self._database.transaction() as connection:
            found = self._last(connection, list({each.digest for each, _ in changes}))
            rows = []
            for each, before in changes:
                state, number = found.get((each.digest, each.area), (None, 0))
                if state != (before and before.state):
                    return False
                rows.append(asdict(each) | {"number": number + 1})
            return self._insert(connection, rows)

    def replace_comparisons(self, area: str, comparisons: Sequence[Comparison]) -> None:
        """Replace the comparisons of an area."""
        table = _comparisons
        rows = [asdict(each) for each in comparisons]
        with self._database.transaction() as connection:
            connection.execute(table.delete().where(table.c.area == area))
            if rows:
                connection.execute(self._database.insert(table).on_conflict_do_nothing(), rows)

    def _insert(self, connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> bool:
        insert = self._database.insert(_changes).on_conflict_do_nothing()
        return bool(rows) and connection.execute(insert, list(rows)).rowcount != 0

    def _last(
        self, connection: sa.Connection, digests: Sequence[str]
    ) -> dict[tuple[str, str], tuple[str, int]]:
        """Return state and number of the last row of some digests, by digest and area."""
        table = _changes.c
        query = sa.select(table.digest, table.area, table.state, table.number)
        query = query.where(table.digest.in_(digests)).order_by(table.number)
        return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query)}

    def _read(self, connection: sa.Connection) -> Rollout:
        table, beside = _changes.c, _comparisons.c
        last = sa.select(sa.func.max(table.id)).group_by(table.digest, table.area)
        columns = (table[each.name] for each in fields(Change))
        rows = connection.execute(sa.select(*columns).where(table.id.in_(last))).mappings().all()
        modes = [row["state"] for row in rows if not row["digest"]]
        changes: dict[str, dict[str, Change]] = defaultdict(dict)
        for row in rows:
            if row["digest"] and row["area"] != EVERYWHERE:
                changes[row["area"]][row["digest"]] = Change(
                    **{**row, "state": State(row["state"])}
                )
        figures = sa.select(*(beside[each.name] for each in fields(Comparison))).order_by(beside.id)
        policy = self.policy
        return Rollout(
            began=policy.mode != "immediate" and modes == ["evidence"],
            share=policy.share if policy.mode == "canary" else 0.0,
            incumbents=frozenset(
                row["digest"] for row in rows if row["digest"] and row["area"] == EVERYWHERE
            ),
            changes=dict(changes),
            comparisons=tuple(Comparison(**row) for row in connection.execute(figures).mappings()),
        )


def _row(**given: object) -> dict[str, object]:
    now = write_time(datetime.now(UTC))
    return {"time": now, "author": APP, "incumbent": None, "since": 0} | given
