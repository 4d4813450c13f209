"""What the sessions of ``noxfile.py`` do: deliver, serve, hold the records, answer a release."""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import axes
import wheelhouse
from axes import HEAD, Cell, Side, axis, cells, version_of
from environments import MatrixError, differing, wheels
from exceptions import aimless, known_failures, unexplained
from judging import EXCLUDED, Result
from producing import produced
from running import cell_key, known, run
from table import read_records, readme, stale, table, with_table, write_records

Say = Callable[[str], None]
_APART = "apart"


def producers() -> tuple[Side, ...]:
    """Return the producers on the axis."""
    return axis(wheelhouse.releases(), "research")


def further_producers() -> tuple[Side, ...]:
    """Return the producers beyond the axis."""
    return axes.further_producers(wheelhouse.releases())


def quick_cells() -> tuple[Cell, ...]:
    """Return the cells of every default run."""
    return tuple(cell for cell in cells(wheelhouse.releases()) if cell.quick)


def further_cells() -> tuple[Cell, ...]:
    """Return all other cells."""
    return tuple(cell for cell in cells(wheelhouse.releases()) if not cell.quick)


def deliver(side: Side, say: Say) -> None:
    """Let a producer deliver unless it did.

    Raises:
        MatrixError: a recipe delivered nothing; its reason is kept for the cells.
    """
    made = produced(side, again=True)
    for kind, each in made.delivered.items():
        say(f"research {side.name} delivered {kind}: {made.folder / 'store' / each['delivery_id']}")
    reasons: dict[str, list[str]] = {}
    for kind, reason in made.failures.items():
        reasons.setdefault(reason, []).append(kind)
    if reasons:
        told = [f"{', '.join(kinds)}: {reason}" for reason, kinds in reasons.items()]
        raise MatrixError(f"research {side.name} did not deliver " + "\nnor ".join(told))


def serve(cell: Cell, say: Say) -> None:
    """Put a producer's deliveries before an app unless that was done.

    Raises:
        MatrixError: the cell fails, and no exception says so.
    """
    if _without_substance(cell):
        say(f"{cell.name}: HEAD is the latest release in all but its version, nothing new to ask")
        return
    result = run(cell)
    say(_line(result))
    problems = [*unexplained(result, known_failures(), today=_today())]
    if problems:
        raise MatrixError("\n".join([f"{cell.name} fails", *problems]))


def hold(say: Say) -> None:
    """Hold the committed records and the README's table against what is there.

    Raises:
        MatrixError: they are stale, or an exception is.
    """
    apps, researches, chosen = _axes()
    records = read_records()
    results = {cell.name: known(cell) for cell in chosen}
    keys = {cell.name: cell_key(cell) for cell in chosen}
    problems = [
        *stale(chosen, records, results, keys),
        *aimless(known_failures(), cells(wheelhouse.releases())),
    ]
    page = readme().read_text(encoding="utf-8")
    if with_table(page, table(records, apps, researches)) != page:
        problems.append("the table in README.md is not what the records say")
    if problems:
        raise MatrixError("\n".join([*problems, "run: nox -s matrix-table"]))
    ran = sum(result is not None for result in results.values())
    say(f"the records of {len(chosen)} cells are current; {ran} of them also ran here")


def write_table(say: Say) -> None:
    """Run every cell on the axes, record what it did, and write the README's table.

    Raises:
        MatrixError: a cell fails; what it did is recorded all the same.
    """
    apps, researches, chosen = _axes()
    results = _run_all(chosen)
    for result in results:
        say(_line(result))
    write_records(results, {cell.name: cell_key(cell) for cell in chosen})
    page = readme().read_text(encoding="utf-8")
    block = table(read_records(), apps, researches)
    readme().write_text(with_table(page, block), encoding="utf-8")
    exceptions = known_failures()
    problems = [
        f"{result.cell.name}: {problem}"
        for result in results
        for problem in unexplained(result, exceptions, today=_today())
    ]
    if problems:
        raise MatrixError("\n".join(problems))


def can_i_release(say: Say) -> None:
    """Say for HEAD of each package which released counterparts it would lose.

    Raises:
        MatrixError: it would lose any.
    """
    lost = 0
    for package in wheelhouse.FOLDERS:
        head = Side(package=package, version=HEAD, interface=HEAD)
        say(f"\n{package} {version_of(head)}")
        for result in _run_all(_counterparts(package)):
            lost += bool(result.problems)
            say(f"  {_fate(result)}  {_line(result)}")
            for problem in result.problems:
                say(f"         {problem}")
    if lost:
        raise MatrixError(f"a release now would lose {lost} of these")
    say("\nnobody would be lost")


def _run_all(chosen: Sequence[Cell]) -> list[Result]:
    """Run cells; let producers that failed before try once more."""
    for side in dict.fromkeys(cell.producer for cell in chosen):
        if not wheels(side).excluded:
            produced(side, again=True)
    return [run(cell) for cell in chosen]


def _counterparts(package: str) -> Sequence[Cell]:
    """Return the cells in which HEAD of a package meets what is released of the others."""
    found = cells(wheelhouse.releases())
    if package == "app":
        return [c for c in found if _is_own(c) and c.consumer.version == HEAD != c.producer.version]
    if package == "research":
        return [c for c in found if _is_own(c) and c.producer.version == HEAD != c.consumer.version]
    return [
        cell
        for cell in found
        for versions in [{cell.consumer.version, cell.producer.version}]
        if HEAD in (cell.consumer.interface, cell.producer.interface) and HEAD not in versions
    ]


def _fate(result: Result) -> str:
    """Say in five letters what a release would do: keep this one, lose it, or leave it alone."""
    if result.problems:
        return "LOSES"
    apart = all(outcome.outcome == EXCLUDED for outcome in result.outcomes.values())
    return _APART if apart else "keeps"


def _axes() -> tuple[tuple[Side, ...], tuple[Side, ...], tuple[Cell, ...]]:
    releases = wheelhouse.releases()
    apps, researches = (differing(axis(releases, name)) for name in ("app", "research"))
    chosen = [
        cell for cell in cells(releases) if cell.consumer in apps and cell.producer in researches
    ]
    return apps, researches, tuple(cell for cell in chosen if _is_own(cell))


def _is_own(cell: Cell) -> bool:
    return cell.consumer.own and cell.producer.own


def _without_substance(cell: Cell) -> bool:
    """Whether a cell on the axes would only repeat that of the latest release."""
    releases = wheelhouse.releases()
    return _is_own(cell) and any(
        side not in differing(axis(releases, side.package))
        for side in (cell.consumer, cell.producer)
    )


def _line(result: Result) -> str:
    if _fate(result) == _APART:
        (reason,) = {outcome.problems[0] for outcome in result.outcomes.values()}
        return f"{result.cell.name}: not to be installed together: {reason}"
    said = []
    for kind, outcome in result.outcomes.items():
        figures = f" ({outcome.examples} examples)" if outcome.examples else ""
        said.append(f"{kind} {outcome.words}{figures}")
    spent = f"{result.seconds} s" if result.ran else "known"
    return f"{result.cell.name}: {'; '.join(said)} [{spent}]"


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()
