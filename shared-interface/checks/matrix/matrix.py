"""The matrix's command: deliver, serve, hold the records, answer a release.

    python matrix.py quick [--app 0.3.0] [--research HEAD]
    python matrix.py full [--app 0.3.0] [--research HEAD]
    python matrix.py current | table | can-i-release

Run by the sessions of these names with ``.releases/tools`` on the path. It prints a line for each
delivery and each cell, goes on after a failure, and exits 1 with every reason at the end.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import wheelhouse
from exceptions import aimless, known_failures, unexplained
from judging import EXCLUDED, Result
from matrix_axes import HEAD, Cell, Side, axis, cells, version_of
from matrix_environments import MatrixError, differing, wheels
from packaging.version import Version
from producing import Produced, produced
from running import cell_key, known, run
from table import read_records, readme, stale, table, with_table, write_records

Say = Callable[[str], None]
Done = tuple[list[str], list[str]]  # lines to print, and reasons to fail
AT_ONCE = 2
"""How many producers and cells run side by side: a training and an app take one core each."""
_APART = "apart"


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, usage="matrix.py WHAT [options]")
    parser.add_argument("what", choices=("quick", "full", "current", "table", "can-i-release"))
    parser.add_argument("--app", help="only cells of this one, such as 0.3.0 or HEAD")
    parser.add_argument("--research", help="only cells of this one")
    asked = parser.parse_args(arguments)
    try:
        match asked.what:
            case "current":
                hold(_say)
            case "table":
                write_table(_say)
            case "can-i-release":
                can_i_release(_say)
            case _:
                every = asked.what == "full"
                meet(chosen(every=every, app=asked.app, research=asked.research), _say)
    except MatrixError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def chosen(*, every: bool, app: str | None = None, research: str | None = None) -> tuple[Cell, ...]:
    """Return every cell, or those of every default run; of one app or research where one is named.

    Raises:
        MatrixError: there is none; the message lists the names that there are.
    """
    there = [cell for cell in cells(wheelhouse.releases()) if every or cell.quick]
    found = tuple(
        cell
        for cell in there
        if app in {None, cell.consumer.name} and research in {None, cell.producer.name}
    )
    if not found:
        names = "\n".join(f"  {cell.name}" for cell in there)
        raise MatrixError(
            f"found no cell of app {app or 'any'} and research {research or 'any'}, expected one "
            f"of these:\n{names}"
        )
    return found


def meet(asked: Sequence[Cell], say: Say) -> None:
    """Let the producers of these cells deliver, and put that before their apps, unless it was done.

    Raises:
        MatrixError: what was not delivered, and each cell that fails and no exception says so.
    """
    met = [*_with_substance(asked, say)]
    problems = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        producers = dict.fromkeys(cell.producer for cell in met)
        delivering = {side: pool.submit(_deliver, side) for side in producers}
        met.sort(key=lambda cell: [*producers].index(cell.producer))  # who delivers first is asked
        serving = [pool.submit(_serve, cell, delivering[cell.producer]) for cell in met]
        for each in (*delivering.values(), *serving):
            done, reasons = each.result()
            say("\n".join([*done, *reasons]))
            problems += reasons
    if problems:
        raise MatrixError("\n".join(["\nthe matrix fails:", *problems]))
    say(f"cells that pass: {len(met)}")


def _deliver(side: Side) -> Done:
    """Let a producer deliver unless it did; return what it delivered, and why it did not."""
    try:
        if wheels(side).excluded:
            return [], []  # its cells say so
        made = produced(side, again=True)
    except MatrixError as error:
        return [], [f"research {side.name}: {error}"]
    done = [
        f"research {side.name} delivered {kind}: {made.folder / 'store' / each['delivery_id']}"
        for kind, each in made.delivered.items()
    ]
    reasons: dict[str, list[str]] = {}
    for kind, reason in made.failures.items():
        reasons.setdefault(reason, []).append(kind)
    return done, [
        f"research {side.name} did not deliver {', '.join(kinds)}: {reason}"
        for reason, kinds in reasons.items()
    ]


def _serve(cell: Cell, delivered: Future[Done]) -> Done:
    """Put deliveries before an app unless that was done; return the cell's line and faults."""
    wait([delivered])
    try:
        result = run(cell)
        found = [*unexplained(result, known_failures(), today=_today())]
    except MatrixError as error:
        return [f"{cell.name}: fails"], [f"{cell.name}: {error}"]
    return [_line(result)], [f"{cell.name} fails: {problem}" for problem in found]


def _with_substance(asked: Sequence[Cell], say: Say) -> Iterator[Cell]:
    """Yield cells, but on the axes none that would only repeat that of the latest release."""
    apps, researches, _ = _axes()
    for cell in asked:
        if _is_own(cell) and (cell.consumer not in apps or cell.producer not in researches):
            say(f"{cell.name}: HEAD is the latest release in all but its version, nothing to ask")
        else:
            yield cell


def hold(say: Say) -> None:
    """Hold the committed records and the README's table against what is there.

    Raises:
        MatrixError: they are stale, or an exception is.
    """
    apps, researches, met = _axes()
    records = read_records()
    results = {cell.name: known(cell) for cell in met}
    keys = {cell.name: cell_key(cell) for cell in met}
    problems = [
        *stale(met, records, results, keys),
        *aimless(known_failures(), cells(wheelhouse.releases())),
    ]
    page = readme().read_text(encoding="utf-8")
    if with_table(page, table(records, apps, researches)) != page:
        problems.append("the table in README.md is not what the records say")
    if problems:
        raise MatrixError("\n".join([*problems, "run: nox -s matrix-table"]))
    ran = sum(result is not None for result in results.values())
    say(f"the records of {len(met)} cells are current; {ran} of them also ran here")


def write_table(say: Say) -> None:
    """Run every cell on the axes, record what it did, and write the README's table.

    Raises:
        MatrixError: a cell fails; what it did is recorded all the same.
    """
    apps, researches, met = _axes()
    results = _run_all(met)
    for result in results:
        say(_line(result))
    write_records(results, {cell.name: cell_key(cell) for cell in met})
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

    Where ``nox -s live`` has asked deployed apps, theirs are the only releases of the app that are
    asked; each stands for its minor version.

    Raises:
        MatrixError: it would lose any.
    """
    lost, deployed = 0, _deployed()
    released = {_minor(each.version) for each in wheelhouse.releases("app")}
    for minor in sorted(deployed):
        note = "" if minor in released else ", which is not released and cannot be asked"
        say(f"deployed: app {minor}{note}")
    for package in wheelhouse.FOLDERS:
        head = Side(package=package, version=HEAD, interface=HEAD)
        say(f"\n{package} {version_of(head)}")
        for result in _run_all([c for c in _counterparts(package) if _is_live(c, deployed)]):
            lost += bool(result.problems)
            say(f"  {_fate(result)}  {_line(result)}")
            for problem in result.problems:
                say(f"         {problem}")
    if lost:
        raise MatrixError(f"a release now would lose {lost} of these")
    say("\nnobody would be lost")


def _deployed() -> frozenset[str]:
    """Return the minor versions of the apps that are known to be deployed."""
    documents = sorted((wheelhouse.ROOT / ".live").glob("*.json"))
    return frozenset(_minor(json.loads(each.read_bytes())["version"]) for each in documents)


def _minor(version: str) -> str:
    return ".".join(map(str, Version(version).release[:2]))


def _is_live(cell: Cell, deployed: frozenset[str]) -> bool:
    version = cell.consumer.version
    return not deployed or version == HEAD or _minor(version) in deployed


def _run_all(asked: Sequence[Cell]) -> list[Result]:
    """Run cells; let producers that failed before try once more."""

    def deliver(side: Side) -> Produced | None:
        return None if wheels(side).excluded else produced(side, again=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(deliver, dict.fromkeys(cell.producer for cell in asked)))
        return list(pool.map(run, asked))


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
    return (
        apps,
        researches,
        tuple(
            cell
            for cell in cells(releases)
            if _is_own(cell) and cell.consumer in apps and cell.producer in researches
        ),
    )


def _is_own(cell: Cell) -> bool:
    return cell.consumer.own and cell.producer.own


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


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
