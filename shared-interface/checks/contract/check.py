"""Hold the contract at hand against everything that was ever released of it.

Released ledgers, steps and golden files are read from the git trees that ``releases.toml``
records, so that nobody can change them together with what checks them. Every failure names its
rule, the place, and what to do instead.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import ast
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import wheelhouse
from rules import Change, Ledger, LedgerError, Rule, changes, parse_ledger, parse_reserved, version

PACKAGE = Path("src/fairweather_interface")
LEDGERS = PACKAGE / "ledgers"
HISTORY = PACKAGE / "history"
GOLDEN = Path("tests/golden")
RESERVED = LEDGERS / "reserved.txt"
ARCHIVE = LEDGERS / "archive.txt"
CHANGELOG = Path("CHANGELOG.md")


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """One release of the interface, unpacked.

    Attributes:
        name: what it is called in messages.
        package_version: its version.
        folder: where its tree lies.
        ledgers: every ledger it holds, the newest last.
    """

    name: str
    package_version: str
    folder: Path
    ledgers: tuple[Ledger, ...]


def check(ledger_text: str, work: Path) -> tuple[Change, ...]:
    """Return every change since the releases, compatible ones among them, and every failure.

    Args:
        ledger_text: the ledger that the records at hand give.
        work: an empty folder to unpack releases in.

    Raises:
        WheelhouseError: this clone does not hold a released tree.
        LedgerError: a ledger is not one.
    """
    head = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    ledger = parse_ledger(ledger_text)
    released = [_unpacked(made, work / made.version) for made in wheelhouse.releases("interface")]
    found = [
        *_current(head, ledger, ledger_text),
        *(change for made in released for change in _frozen(head, made)),
        *(change for made in released for change in _reserved(head, made)),
        *(change for made in released for change in _archive(head, made)),
        *_unused(head, ledger),
        *_compared(head, ledger, released),
        *_accompanied(head, ledger, released),
    ]
    return tuple(dict.fromkeys(found))  # several releases may say the same


def _unpacked(made: wheelhouse.Release, folder: Path) -> Released:
    folder.mkdir(parents=True)
    wheelhouse.unpack_tree(made.tree, folder)
    texts = (path.read_text(encoding="utf-8") for path in _ledger_files(folder))
    ledgers = sorted(map(parse_ledger, texts), key=lambda ledger: version(ledger.version))
    return Released(
        name=f"interface {made.version}",
        package_version=made.version,
        folder=folder,
        ledgers=tuple(ledgers),
    )


def _ledger_files(root: Path) -> list[Path]:
    return sorted((root / LEDGERS).glob("[0-9]*.txt"))


def _current(head: Path, ledger: Ledger, text: str) -> Iterator[Change]:
    """Hold the committed ledger of the schema at hand against what the records give."""
    path = LEDGERS / f"{ledger.version}.txt"
    if not (head / path).is_file() or (head / path).read_text(encoding="utf-8") != text:
        yield Change(
            rule=Rule.LEDGER_NOT_CURRENT,
            path=str(path),
            found="the records give another ledger; a released schema stays as it is (raise "
            f"SCHEMA_VERSION), for a new one run: fairweather-interface ledger > {path}",
        )


def _frozen(head: Path, made: Released) -> Iterator[Change]:
    """Hold ledgers, steps and golden files of a release against the files at hand."""
    files = [
        *_ledger_files(made.folder),
        *sorted((made.folder / HISTORY).glob("v*.py")),
        *sorted(path for path in (made.folder / GOLDEN).rglob("*") if path.is_file()),
    ]
    for file in files:
        path = file.relative_to(made.folder)
        if not (head / path).is_file():
            rule, said = Rule.RELEASED_FILE_REMOVED, "bring it back"
        elif (head / path).read_bytes() != file.read_bytes():
            rule, said = Rule.RELEASED_FILE_CHANGED, "put it back, and say what is new elsewhere"
        else:
            continue
        said = f"{made.name} was released with it, byte for byte; {said}"
        yield Change(rule=rule, path=str(path), found=said)


def _reserved(head: Path, made: Released) -> Iterator[Change]:
    now = _reserved_names(head)
    for name in _reserved_names(made.folder):
        if name not in now:
            yield Change(
                rule=Rule.RESERVED_NAME_DROPPED,
                path=name,
                found=f"{made.name} reserved it for ever; bring its line back to {RESERVED}",
            )


def _archive(head: Path, made: Released) -> Iterator[Change]:
    """Hold what a release said of the archive of observations against what is said at hand."""
    now = _lines(head / ARCHIVE)
    for line in _lines(made.folder / ARCHIVE):
        if line not in now:
            yield Change(
                rule=Rule.ARCHIVE_LINE_CHANGED,
                path=str(ARCHIVE),
                found=f"{made.name} was released with the line {line!r}, and files were written by "
                "it; bring it back, and say what is new in a column or a key of its own",
            )


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _unused(head: Path, ledger: Ledger) -> Iterator[Change]:
    for name, reason in _reserved_names(head).items():
        if name in ledger.rows:
            yield Change(
                rule=Rule.RESERVED_NAME_REUSED,
                path=name,
                found=f"the name is reserved for ever ({reason}); choose another",
            )


def _reserved_names(root: Path) -> dict[str, str]:
    path = root / RESERVED
    return parse_reserved(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _compared(head: Path, ledger: Ledger, released: list[Released]) -> Iterator[Change]:
    """Hold the ledger at hand against every released one."""
    names = _reserved_names(head)
    known = {item.version: item for made in released for item in made.ledgers}
    for before in known.values():
        if version(before.version) > version(ledger.version):
            yield Change(
                rule=Rule.VERSION_WENT_BACK,
                path="schema_version",
                found=f"schema {before.version} was released, found {ledger.version}; schemas "
                "only move forward",
            )
        else:
            yield from changes(before, ledger, reserved=names)


def _accompanied(head: Path, ledger: Ledger, released: list[Released]) -> Iterator[Change]:
    """Ask a new schema for what comes with one: a step from the last, its words, a release."""
    older = [item for made in released for item in made.ledgers]
    steps = {item.version for item in older if version(item.version) < version(ledger.version)}
    for schema in sorted(steps, key=version):
        yield from _step(head, schema)
    if not older or any(item.version == ledger.version for item in older):
        return  # nothing was released yet, or this schema was
    if f"schema **{ledger.version}**" not in (head / CHANGELOG).read_text(encoding="utf-8"):
        yield Change(
            rule=Rule.CHANGELOG_SILENT,
            path=str(CHANGELOG),
            found=f"expected a line that says what schema **{ledger.version}** brings",
        )
    last = max(released, key=lambda made: version(made.package_version))
    pyproject = tomllib.loads((head / "pyproject.toml").read_text(encoding="utf-8"))
    now, then = version(str(pyproject["project"]["version"])), version(last.package_version)
    major = version(ledger.version)[0] > version(last.ledgers[-1].version)[0]
    if now[: 1 if major else 2] <= then[: 1 if major else 2]:
        yield Change(
            rule=Rule.PACKAGE_VERSION_TOO_LOW,
            path="pyproject.toml",
            found=f"{last.name} has an older schema; a new one needs at least a "
            f"{'major' if major else 'minor'} release of the package",
        )


def _step(head: Path, schema: str) -> Iterator[Change]:
    path = HISTORY / f"v{schema.replace('.', '_')}.py"
    if not (head / path).is_file():
        yield Change(
            rule=Rule.STEP_MISSING,
            path=str(path),
            found=f"schema {schema} was released and is not the newest; freeze it as a module "
            "with upgrade, downgrade and a docstring that says what came after it",
        )
        return
    module = ast.parse((head / path).read_text(encoding="utf-8"))
    functions = {item.name for item in module.body if isinstance(item, ast.FunctionDef)}
    words = " ".join((ast.get_docstring(module) or "").split())
    absent = [name for name in ("upgrade", "downgrade") if name not in functions]
    absent += [] if words else ["a docstring"]
    if absent:
        yield Change(
            rule=Rule.STEP_INCOMPLETE, path=str(path), found=f"expected {', '.join(absent)}"
        )
    if words not in " ".join((head / CHANGELOG).read_text(encoding="utf-8").split()):
        yield Change(
            rule=Rule.CHANGELOG_SILENT,
            path=str(CHANGELOG),
            found=f"the docstring of {path} is a line of the changelog, found none: {words}",
        )


def main() -> int:
    """Print what changed and what must not have; return 0 when the contract holds, else 1."""
    from fairweather_interface.ledger import ledger_text  # noqa: PLC0415 - the wheel at hand

    try:
        with tempfile.TemporaryDirectory() as work:
            found = check(ledger_text(), Path(work))
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
    sys.exit(main())
