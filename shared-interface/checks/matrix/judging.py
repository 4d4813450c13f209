"""From what an app did to what became of a cell: served, refused by rule, or failed and why."""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import wheelhouse
from matrix_axes import HEAD, Cell, Recipe, Side
from policy import LIVE, expect_delivery, judge
from producing import Produced

SERVED, REFUSED, FAILED, EXCLUDED = "served", "refused", "failed", "excluded"
_OK = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one delivery in one cell.

    Attributes:
        outcome: ``served``, ``refused``, ``failed``, or ``excluded`` where requirements do not
            allow this installation.
        code: of the refusal.
        problems: why it failed, or is excluded; one line a reason.
        examples: how many examples were answered with a forecast.
        refused: how many examples were refused, by code.
        worst: the largest error of a forecast, as a share of what is tolerated.
    """

    outcome: str
    code: str | None = None
    problems: tuple[str, ...] = ()
    examples: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    worst: float | None = None

    @property
    def words(self) -> str:
        """What a line says: ``served``, ``schema-too-new``, ``failed``."""
        return self.code if self.outcome == REFUSED and self.code else self.outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of a cell.

    Attributes:
        cell: which.
        outcomes: by kind of recipe.
        app_failed: whether the app failed at something that was delivered.
        seconds: what the run took when it ran.
        ran: whether it ran now, and was not remembered.
    """

    cell: Cell
    outcomes: dict[str, Outcome]
    app_failed: bool = False
    seconds: float = 0.0
    ran: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """Every reason why this cell fails; none when it passes."""
        return tuple(
            f"{kind}: {problem}"
            for kind, outcome in self.outcomes.items()
            if outcome.outcome == FAILED
            for problem in outcome.problems
        )


def excluded(reason: str) -> Outcome:
    """Return the outcome of an installation that requirements do not allow."""
    return Outcome(outcome=EXCLUDED, problems=(reason,))


def judged(
    recipe: Recipe, side: Side, made: Produced, found: dict[str, Any], *, must: bool
) -> Outcome:
    """Judge what an app did with the delivery of one recipe: by the policy, and by the rule.

    Args:
        recipe: whose delivery.
        side: the app.
        made: what the producer delivered.
        found: the facts of the run, as ``asking`` prints them; or why there are none.
        must: whether the rule of parallel movement asks the app to serve it.
    """
    failed = made.failures.get(recipe.kind) or found.get("failed")
    if failed:
        return Outcome(outcome=FAILED, problems=(failed,))
    metadata, software = made.metadata(recipe.kind), _software(side, found)
    facts = found["deliveries"][recipe.kind]
    problems = [
        *_unlike(side, found, software),
        *judge(facts, metadata, software),
        *(_against_the_rule(recipe, metadata, software) if must else ()),
    ]
    served = [each for each in facts["examples"] if each["status"] == _OK]
    codes = Counter(str(each["code"]) for each in facts["examples"] if each["status"] != _OK)
    return Outcome(
        outcome=FAILED if problems else SERVED if facts["state"] == LIVE else REFUSED,
        code=facts["code"],
        problems=tuple(problems),
        examples=len(served),
        refused=dict(sorted(codes.items())),
        worst=max((round(each["worst"], 4) for each in served), default=None),
    )


def _against_the_rule(
    recipe: Recipe, metadata: dict[str, Any], software: dict[str, Any]
) -> Iterator[str]:
    """Yield a problem where the policy lets an app refuse what every such app must serve."""
    expected = expect_delivery(metadata, software)
    if expected.state != LIVE:
        yield (
            f"an app {software['version']} must serve {recipe.kind}, the delivery makes it refuse "
            f"with {expected.code}: its min_reader ({metadata.get('min_reader')}), roles or "
            "artifacts ask too much"
        )


def _software(side: Side, found: dict[str, Any]) -> dict[str, Any]:
    """Return what an app says it supports: a release as recorded, HEAD as its command prints it."""
    document: dict[str, Any] = found["printed_software"]
    if side.version != HEAD:
        recorded = wheelhouse.RECORDS / f"app-{side.version}.json"
        document = json.loads(recorded.read_text(encoding="utf-8"))
    return document


def _unlike(side: Side, found: dict[str, Any], software: dict[str, Any]) -> Iterator[str]:
    """Yield where the app that ran says something else of itself than its release did.

    Beside another interface it may know more variables; what it obeys stays its own.
    """
    keys = software if side.own else ("name", "version", "readable_schemas", "roles", "runtimes")
    for where, name in (("printed_software", "the command"), ("software", "/software")):
        for key in keys:
            said = found[where].get(key)
            if said != software[key]:
                yield f"{name} says {key} is {said!r}, expected {software[key]!r} as recorded"
