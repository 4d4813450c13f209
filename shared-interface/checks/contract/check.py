"""Hold the contract at hand against everything that was ever released of it.

Released ledgers, steps, golden files and readers are read from the git trees that ``releases.toml``
records, so that nobody can change them together with what checks them. Every failure names its
rule, the place, and what to do instead.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import wheelhouse
from alike import outcome, unlike
from corpus import is_said, without
from names import changed_names
from released import (
    ARCHIVE,
    GOLDEN,
    HISTORY,
    LEDGERS,
    PACKAGE,
    RESERVED,
    Released,
    closed_lists,
    frozen,
    producers_goldens,
    records,
    reserved_names,
    unpacked,
)
from rules import Change, Ledger, LedgerError, Rule, changes, parse_ledger, version
from steps import CHANGELOG, Said, accompanied, duties, meanings, said_in_changelog, written
from witnesses import NEEDED, Witness, interpreter, kept_under

__all__ = [
    "ARCHIVE", "CHANGELOG", "GOLDEN", "HISTORY", "LEDGERS", "PACKAGE", "RESERVED", "Said", "check",
    "main",
]  # fmt: skip


def check(said: Said, work: Path) -> tuple[Change, ...]:
    """Return every change since the releases, compatible ones among them, and every failure.

    Nothing that was released is run for it.

    Args:
        said: what the contract at hand says of itself.
        work: a folder to unpack releases in.

    Raises:
        WheelhouseError: this clone does not hold a released tree.
        LedgerError: a ledger is not one.
    """
    head = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    made, changed = records()
    released = [unpacked(each, work) for each in made]
    ledger = parse_ledger(said.text)
    found = [
        *changed,
        *_current(head, ledger, said, released),
        *(change for made in released for change in frozen(head, made)),
        *producers_goldens(head),
        *_unused(head, ledger),
        *_compared(head, ledger, released),
        *accompanied(head, said, ledger, released),
    ]
    if released:
        found += closed_lists(released[-1])
        found += duties(head, said, ledger, released[-1])
        found += meanings(head, said, released[-1])
    unique = dict.fromkeys(found)  # several releases may say the same
    return tuple(_placed(change, said) for change in unique)


def _placed(change: Change, said: Said) -> Change:
    place = said.places.get(change.path)
    return replace(change, found=f"{change.found} [{place}]") if place else change


def _current(
    head: Path, ledger: Ledger, said: Said, released: Sequence[Released]
) -> Iterator[Change]:
    """Hold the committed ledger of the schema at hand against what the records give."""
    told = said_in_changelog(head, "Reworded", since=released[-1]) if released else ()
    for suffix, text, option in (
        ("txt", said.text, ""), ("meanings.toml", said.meanings_text, " --meanings"),
    ):  # fmt: skip
        path = LEDGERS / f"{ledger.version}.{suffix}"
        text_there = (head / path).read_text(encoding="utf-8") if (head / path).is_file() else None
        if text is None or text_there == text or (text_there and option and told):
            continue
        yield Change(
            rule=Rule.LEDGER_NOT_CURRENT,
            path=str(path),
            found="the records give another one; a released schema stays as it is (raise "
            "SCHEMA_VERSION: nox -s new-schema), for a new one run: fairweather-interface ledger"
            f"{option} > {path}",
        )
    for path_, row in ledger.rows.items():
        if row["type"].startswith("cannot say"):
            yield Change(rule=Rule.LEDGER_CANNOT_SAY, path=path_, found=row["type"])


def _unused(head: Path, ledger: Ledger) -> Iterator[Change]:
    for name, reason in reserved_names(head).items():
        if name in ledger.rows:
            yield Change(
                rule=Rule.RESERVED_NAME_REUSED,
                path=name,
                found=f"the name is reserved for ever ({reason}); choose another",
            )


def _compared(head: Path, ledger: Ledger, released: Sequence[Released]) -> Iterator[Change]:
    """Hold the ledger at hand against every released one; what several say is said once."""
    names = reserved_names(head)
    known = {item.version: (item, made) for made in reversed(released) for item in made.ledgers}
    schemas: dict[Change, list[str]] = {}
    for schema in sorted(known, key=version):
        before, first = known[schema]  # and the first release that has it
        told = said_in_changelog(head, "Reworded", since=first)
        if version(before.version) > version(ledger.version):
            yield Change(
                rule=Rule.VERSION_WENT_BACK,
                path="schema_version",
                found=f"schema {before.version} was released, found {ledger.version}; schemas "
                "only move forward",
            )
        else:
            for change in changes(before, ledger, reserved=names):
                if change.rule is not Rule.LAW_CHANGED or change.path not in told:
                    schemas.setdefault(change, []).append(before.version)
    for change, of in schemas.items():
        span = of[0] if len(of) == 1 else f"{of[0]} to {of[-1]}"
        yield replace(change, found=change.found.replace("{schemas}", span))


def _ran(work: Path, said: Said, mine: Witness, releases: Sequence[Witness],
         released: Sequence[Released]) -> Iterator[Change]:  # fmt: skip
    """Hold what the contract at hand does against what every release of it does."""
    head = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    ledgers = {item.version: item for made in released for item in made.ledgers}
    ledgers[mine.schema] = parse_ledger(said.text)
    goldens = [
        path for path in sorted((head / GOLDEN).glob("*/*"))
        if (path / "manifest.json").is_file()
    ]  # fmt: skip
    yield from unlike(releases, mine, ledgers, goldens, work)


def _moved(found: Sequence[Change], mine: Witness, newest: Witness) -> Iterator[Change]:
    """Hold a default that changes in a major against the step: it writes what absent meant."""
    kit = newest.ask("document", fields={}).get("answer", {}).get("document", {})
    for change in found:
        if change.rule is Rule.CHANGED_WITH_NEW_MAJOR and "DEFAULT_CHANGED" in change.found:
            told = mine.ask("stepped", text=json.dumps(without(kit, change.path)))
            if not is_said(told.get("answer", {}).get("document", {}), change.path):
                yield Change(
                    rule=Rule.STEP_LOSES_MEANING,
                    path=change.path,
                    found="absent means something else in the new major, and the step leaves it "
                    "absent; let upgrade write what it meant",
                )


def _names_and_writers(
    said: Said, mine: Witness, releases: Sequence[Witness], released: Sequence[Released]
) -> Iterator[Change]:
    newest = {version(each.package_version)[0]: number for number, each in enumerate(released)}
    head = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    for number in newest.values():
        told = said_in_changelog(head, "Breaking", since=released[number])
        yield from changed_names(releases[number], mine, told)
    wrote = releases[-1].ask("ledger").get("answer", {}).get("written", [])
    yield from written(said, parse_ledger(said.text), released[-1], wrote)
    for path in sorted(wheelhouse.RECORDS.glob("app-*.json")):
        answer = mine.ask("software", text=path.read_text(encoding="utf-8"))
        if outcome(answer) != "answer":
            yield Change(
                rule=Rule.SOFTWARE_NOT_READ,
                path=path.name,
                found=f"a released app prints this software manifest, and it is not read: {answer}",
            )


def whole(work: Path, keep: Path, *, quick: bool = False) -> tuple[Change, ...]:
    """Return what :func:`check` does, and what running the releases shows.

    Args:
        work: an empty folder.
        keep: a folder for unpacked releases and for their answers.
        quick: leave out what takes seconds, where something is broken already.

    Raises:
        WheelhouseError: this clone does not hold a released tree.
        LedgerError: a ledger is not one.
    """
    head = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    made, changed = records()
    released = [unpacked(each, keep) for each in made]
    with ExitStack() as stack:
        mine = stack.enter_context(Witness("the contract at hand", "", head / "src"))
        answer = mine.ask("ledger")
        if outcome(answer) != "answer":
            why = answer.get("crashed", answer)
            silent = Change(rule=Rule.CANNOT_BE_ASKED, path=str(PACKAGE),
                            found=f"{why}; mend that first, then ask again")  # fmt: skip
            return (silent, *changed, *(each for made in released for each in frozen(head, made)))
        said = Said(**answer["answer"])
        mine.schema = parse_ledger(said.text).version
        found = list(check(said, keep))
        releases = [
            stack.enter_context(
                Witness(
                    each.name, each.ledgers[-1].version, each.folder / "src",
                    python=interpreter(one.constraints, NEEDED, keep),
                    home=kept_under(keep, each.tree, one.constraints),
                )
            )
            for one, each in zip(made, released, strict=True)
        ]  # fmt: skip
        if releases:
            found += _names_and_writers(said, mine, releases, released)
            found += _moved(found, mine, releases[-1])
            if not (quick and any(change.breaking for change in found)):
                found += _ran(work, said, mine, releases, released)
        return tuple(dict.fromkeys(found))


def main(arguments: Sequence[str] = ()) -> int:
    """Print what changed and what must not have; return 0 when the contract holds, else 1."""
    try:
        with tempfile.TemporaryDirectory() as work:
            keep = (wheelhouse.WHEELHOUSE / "contract").resolve()
            found = whole(Path(work), keep, quick="--quick" in arguments)
    except (LedgerError, wheelhouse.WheelhouseError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for change in found:
        sys.stdout.write(f"{'breaks' if change.breaking else 'may'}  {change}\n")
    broken = sum(change.breaking for change in found)
    releases = ", ".join(made.version for made in wheelhouse.releases("interface")) or "none"
    sys.stdout.write(
        f"the contract {'is broken' if broken else 'holds'} against the releases {releases}: "
        f"compatible changes {len(found) - broken}, others {broken}\n"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
