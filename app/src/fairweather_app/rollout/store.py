"""The rows of a rollout in the app's database: changes of state for ever, and comparisons.

A change is one row that never changes. Of what several workers decide at once about a delivery in
an area the first is written: `number` counts its changes, and is unique. Comparisons are figures
computed anew, and replaced. Every serving process reads both with the operator's decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

import sqlalchemy as sa
from pydantic import TypeAdapter

from fairweather_app.common.database import TABLES, Database
from fairweather_app.rollout.evidence import Comparison, Rule
from fairweather_app.rollout.trials import Change, Mode, Rollout, State

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
    sa.Column("figures", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
_FIGURES = TypeAdapter(tuple[Comparison, ...])
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
        self._kept: tuple[object, Rollout] = ((), Rollout())
        self._there = False

    def read(self, within: sa.Connection) -> Rollout:
        """Return all states and comparisons; read anew only where a row was written.

        A database of an earlier release that cannot be written has none.
        """
        self._there = self._there or sa.inspect(within).has_table(_changes.name)
        if not self._there:
            return self._kept[1]
        newest = (sa.select(sa.func.max(each.c.id)) for each in (_changes, _comparisons))
        version = [within.execute(each).scalar() for each in newest]
        if version != self._kept[0]:
            self._kept = version, self._read(within)
        return self._kept[1]

    def begin(self, live: Iterable[tuple[str, str]]) -> None:
        """Write down a changed mode, and as incumbents the `live` deliveries (id, digest), once.

        Those that have a row keep it.
        """
        mode = "immediate" if self.policy.mode == "immediate" else "evidence"
        if mode == "immediate" and not self._there:
            return
        with self._database.transaction() as connection:
            last = self._last(connection, [""])
            before, number = last.get(("", EVERYWHERE), ("immediate", 0))
            if mode == before:
                return
            row = _row("", "", "as the settings are", number + 1) | {"state": mode}
            if not self._insert(connection, [row]):
                return
            known = set(connection.execute(sa.select(_changes.c.digest)).scalars())
            reason = "it was live when the rollout began"
            new = [_row(*each, reason, 1) for each in live if each[1] not in known]
            self._insert(connection, new if mode == "evidence" else [])

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
        table, figures = _comparisons, _FIGURES.dump_json(tuple(comparisons)).decode()
        with self._database.transaction() as connection:
            connection.execute(table.delete().where(table.c.area == area))
            connection.execute(table.insert().values(area=area, figures=figures))

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
        table = _changes.c
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
        incumbents = frozenset(
            row["digest"] for row in rows if row["digest"] and row["area"] == EVERYWHERE
        )
        known = self._kept[1].incumbents
        figures = sa.select(_comparisons.c.figures).order_by(_comparisons.c.id)
        policy = self.policy
        return Rollout(
            began=policy.mode != "immediate" and modes == ["evidence"],
            share=policy.share if policy.mode == "canary" else 0.0,
            incumbents=known if known == incumbents else incumbents,
            changes=dict(changes),
            comparisons=tuple(
                each
                for found in connection.execute(figures).scalars()
                for each in _FIGURES.validate_json(found)
            ),
        )


def _row(delivery_id: str, digest: str, reason: str, number: int) -> dict[str, object]:
    """Return the row of an incumbent."""
    change = Change(
        delivery_id=delivery_id,
        digest=digest,
        area=EVERYWHERE,
        state=State.INCUMBENT,
        reason=reason,
    )
    return asdict(change) | {"number": number}
