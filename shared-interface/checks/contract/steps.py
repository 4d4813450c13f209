"""Hold what comes with a schema: steps, words, a release, what is written, and readers' duties."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from released import HISTORY, PACKAGE, Released
from rules import Change, Ledger, Rule, version

CHANGELOG = Path("CHANGELOG.md")
STUB = "adds `…`: say here what it brings, in a line"
ASKED_BY = ("applicability.py", "verdict.py")
"""The modules that decide whether a model answers: what they read is obeyed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the contract at hand says of itself; ``None`` where it was not asked.

    Attributes:
        text: its ledger.
        meanings: what each field states, by path.
        meanings_text: the same, as it is kept beside the ledger.
        reasons: why a field may be ignored, by path, where its rule says so.
        places: the file and line of each field's record.
        steps: the schemas that have a registered step.
        written: the schemas that are written.
    """

    text: str
    meanings: Mapping[str, str] = field(default_factory=dict)
    meanings_text: str | None = None
    reasons: Mapping[str, str | None] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[str] | None = None
    written: Sequence[str] | None = None


def accompanied(
    head: Path, said: Said, ledger: Ledger, released: Sequence[Released]
) -> Iterator[Change]:
    """Ask a new schema for what comes with one: a step from the last, its words, a release."""
    older = [item for made in released for item in made.ledgers]
    steps = {item.version for item in older if version(item.version) < version(ledger.version)}
    for schema in sorted(steps, key=version):
        yield from _step(head, schema, said.steps)
    yield from _alone(head)
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


def _step(head: Path, schema: str, registered: Sequence[str] | None) -> Iterator[Change]:
    path = HISTORY / f"v{schema.replace('.', '_')}.py"
    if not (head / path).is_file():
        yield Change(
            rule=Rule.STEP_MISSING,
            path=str(path),
            found=f"schema {schema} was released and is not the newest; freeze it as a module "
            "with upgrade, downgrade and a docstring that says what came after it: "
            "nox -s new-schema lays it",
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
    if STUB in words:
        yield Change(
            rule=Rule.CHANGELOG_SILENT,
            path=str(path),
            found=f"its docstring still says {words!r}; say what the schema brings, here and in "
            "the changelog",
        )
    if words not in " ".join((head / CHANGELOG).read_text(encoding="utf-8").split()):
        yield Change(
            rule=Rule.CHANGELOG_SILENT,
            path=str(CHANGELOG),
            found=f"the docstring of {path} is a line of the changelog, found none: {words}",
        )
    if registered is not None and schema not in registered:
        yield Change(
            rule=Rule.STEP_NOT_REGISTERED,
            path=str(path),
            found=f"history.STEPS has no {schema}, so that its documents are not upgraded; add it",
        )


def _alone(head: Path) -> Iterator[Change]:
    """Hold every step against what it imports: a step is frozen, and so is all that it uses."""
    for file in sorted((head / HISTORY).glob("v*.py")):
        for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(item, ast.Import):
                names = [each.name for each in item.names]
            elif isinstance(item, ast.ImportFrom):
                names = ["." if item.level else str(item.module)]
            else:
                continue
            live = [
                name for name in names
                if name.startswith((".", "fairweather_interface"))
                and name != "fairweather_interface.errors"
            ]  # fmt: skip
            if live:
                yield Change(
                    rule=Rule.STEP_NOT_ALONE,
                    path=f"{file.relative_to(head)}:{item.lineno}",
                    found=f"it imports {', '.join(live)}, which is not frozen with it; write what "
                    "it needs into the step",
                )


def written(said: Said, ledger: Ledger, last: Released, wrote: Sequence[str]) -> Iterator[Change]:
    """Hold the schemas that are written against those of the last release."""
    if version(ledger.version)[0] > version(last.ledgers[-1].version)[0]:
        return
    for schema in wrote:
        if schema not in (said.written or ()):
            yield Change(
                rule=Rule.WRITER_LOST,
                path="metadata.WRITTEN_SCHEMAS",
                found=f"{last.name} writes schema {schema}, and research asks for it as long as "
                "software is live that reads no newer one; only a new major stops: bring it back",
            )


def duties(head: Path, said: Said, ledger: Ledger, last: Released) -> Iterator[Change]:
    """Hold what readers may ignore against what it stands in, and who reads it all the same."""
    before = last.ledgers[-1].rows
    new = [path for path in ledger.rows if path not in before]
    for path in new:
        row = ledger.rows[path]
        parent = re.sub(r"[\[\]{}]|<.*?>", "", path.rpartition(".")[0])
        above = next((each for name, each in before.items()
                      if re.sub(r"[\[\]{}]|<.*?>", "", name) == parent), None)  # fmt: skip
        name = path.rpartition(".")[2]
        if row["unknown"] == "must-obey":
            if row["required"] == "optional" and row["default"] != "null":
                yield Change(
                    rule=Rule.DUTY_ALWAYS_WRITTEN,
                    path=path,
                    found=f"it must be obeyed, and its default {row['default']} is written into "
                    "every document, so that no released reader may read one; let it be null",
                )
            continue
        if said.reasons.get(path):
            continue
        reader = _reader(head, last.folder, name)
        if reader or (above is not None and above["unknown"] == "must-obey"):
            place = f"{reader} reads it" if reader else f"{parent} must be obeyed"
            yield Change(
                rule=Rule.DUTY_DOUBTFUL,
                path=path,
                found=f"it may be ignored, but {place}; if older software goes wrong without it, "
                'say must_obey=True; if not, say why in its Rule: harmless="..."',
            )


def _reader(head: Path, then: Path, name: str) -> str | None:
    """Return the module that decides by a name now, and did not at the release."""
    for module in ASKED_BY:
        if name in _names_in(head / PACKAGE / module) - _names_in(then / PACKAGE / module):
            return module
    return None


def _names_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {
        str(item.attr if isinstance(item, ast.Attribute) else item.value)
        for item in tree
        if isinstance(item, ast.Attribute)
        or (isinstance(item, ast.Constant) and isinstance(item.value, str))
    }


def said_in_changelog(head: Path, word: str, *, since: Released) -> set[str]:
    """Return what the changelog names in items that begin with a word, above those of a release."""
    text = (head / CHANGELOG).read_text(encoding="utf-8") if (head / CHANGELOG).is_file() else ""
    newer = text.partition("## Unreleased")[2].partition(f"\n## {since.package_version} ")[0]
    items = re.split(r"^(?:- |## )", newer, flags=re.MULTILINE)
    return {name for item in items if item.startswith(word)
            for name in re.findall(r"`([^`]+)`", item)}  # fmt: skip


def meanings(head: Path, said: Said, last: Released) -> Iterator[Change]:
    """Hold what each field states against what the last release said that it states."""
    told = said_in_changelog(head, "Reworded", since=last)
    for path, then in last.meanings.items():
        now = said.meanings.get(path)
        if now is not None and now != then and path not in told:
            yield Change(
                rule=Rule.MEANING_CHANGED,
                path=path,
                found=f"found {now!r}, released as {then!r}; a name never means something else: "
                "add a field for the other meaning; if only the words are new, say so in the "
                f"changelog: '- Reworded: `{path}`'",
            )
