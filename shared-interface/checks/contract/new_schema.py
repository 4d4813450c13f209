"""Lay a new schema version: its step, its ledger, its meanings and the stub of its words.

    nox -s new-schema -- 1.1

Run again after a change of the records, it writes ledger and meanings anew; released files are
never written.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import wheelhouse
from released import HISTORY, LEDGERS, PACKAGE
from rules import LedgerError, version
from steps import CHANGELOG, STUB
from witnesses import Witness

_VERSIONS = PACKAGE / "versions.py"
_PROJECT = Path("pyproject.toml")
_STEP = '''"""{words}"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def upgrade(document: Document) -> Document:
    """Return the document: absent means in {new} what it meant in {old}, and no field has moved."""
    return document


def downgrade(document: Document) -> Document:
    """Return the document: what readers of {old} do not know of it, they may ignore."""
    return document
'''
_NEXT = """\
next:
  1. add the field to its record in src/fairweather_interface/metadata/: optional, with
     Rule("what it states", since="{new}"); must_obey=True if older software goes wrong without it
  2. say in {step} and in CHANGELOG.md, in the same words, what the schema adds
     (in place of {stub!r}); must it be obeyed, let downgrade refuse it
  3. nox -s new-schema -- {new}: writes ledger and meanings again
  4. python tests/test_documents.py: brings the handbook up to date
  5. nox -s contract: says what is missing
"""
_NEXT_OF_A_MAJOR = """\
next, for a new major:
  1. take the fields that go out of their records, and reserve each name for ever with a line of
     src/fairweather_interface/ledgers/reserved.txt: PATH | {new}; what says it now
  2. {step}: let upgrade say in the new words what the old ones said, and downgrade in the old words
     what they can say; it raises NotExpressibleError for the rest, and for what they ask for
  3. say in its docstring and in CHANGELOG.md, in the same words, what the schema brings (in place
     of {stub!r}); name what goes of Python: "- Breaking: `name` ..."
  4. a law that older documents may break: Rule(..., newer_law=("{new}", "the law")), and laws.py
  5. nox -s new-schema -- {new}: writes ledger and meanings again
  6. python tests/test_documents.py: brings the handbook up to date
  7. nox -s contract: says what is missing, and which older document is read as another
  8. docs/versioning.md, "How to add a breaking change": what research, app and others do, and when
"""


def lay(home: Path, schema: str) -> list[Path]:
    """Lay a schema in the folder of the package and return the files that were written.

    Raises:
        LedgerError: it is no schema version, is released, or is older than the one at hand; or the
            records cannot be asked for their ledger.
    """
    text = (home / _VERSIONS).read_text(encoding="utf-8")
    old = re.findall(r'^SCHEMA_VERSION = "(.*)"', text, re.MULTILINE)[0]
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)", schema) or version(schema) < version(old):
        raise LedgerError(f"found {schema!r}, expected a schema after {old}, such as 1.1 or 2.0")
    if any((folder / LEDGERS / f"{schema}.txt").is_file() for folder in _released()):
        raise LedgerError(f"schema {schema} is released and stays as it is: lay the next one")
    files = [] if schema == old else _laid(home, old, schema)
    with Witness("the contract at hand", schema, home / "src") as mine:
        said = mine.ask("ledger")
    if "answer" not in said:
        raise LedgerError(f"the records cannot be asked for their ledger: {said}")
    for suffix, told in (("txt", "text"), ("meanings.toml", "meanings_text")):
        files.append(home / LEDGERS / f"{schema}.{suffix}")
        files[-1].write_text(said["answer"][told], encoding="utf-8")
    return files


def _released() -> list[Path]:
    folder = wheelhouse.WHEELHOUSE / "contract"
    return [folder / made.tree for made in wheelhouse.releases("interface")]


def _laid(home: Path, old: str, new: str) -> list[Path]:
    """Raise the schema, freeze the one before it as a step, and leave a stub of its words."""
    module = f"v{old.replace('.', '_')}"
    words = f"Schema {new} {STUB}."
    title = f"## Unreleased\n\nThis release brings schema **{new}**.\n\n### Added\n\n- {words}\n"
    major = version(new)[0] > version(old)[0]
    changes = {
        _VERSIONS: [(f'SCHEMA_VERSION = "{old}"', f'SCHEMA_VERSION = "{new}"')],
        _PROJECT: [(r'\nversion = ".*"', f'\nversion = "{new}.0.dev0"')] if major else [],
        HISTORY / "__init__.py": [
            (r"(from fairweather_interface.history import .*)", rf"\1, {module}"),
            (r"(STEPS: Mapping\[str, Step\] = \{[^}]*?),?\s*\}", rf'\1, "{old}": {module}}}'),
        ],
        CHANGELOG: [(r"## Unreleased\n(\n### Added\n\n(?=- ))?", title)],
    }  # fmt: skip
    changes = {path: edits for path, edits in changes.items() if edits}
    for path, edits in changes.items():
        text = (home / path).read_text(encoding="utf-8")
        for pattern, put in edits:
            text, count = re.subn(pattern, put, text, count=1)
            if not count:
                raise LedgerError(f"{path}: found no {pattern!r}, so nothing can be laid there")
        (home / path).write_text(text, encoding="utf-8")
    step = home / HISTORY / f"{module}.py"
    step.write_text(_STEP.format(words=words, old=old, new=new), encoding="utf-8")
    return [*(home / path for path in changes), step]


def main(arguments: Sequence[str]) -> int:
    """Lay the schema that is asked for, and say what is next."""
    home = wheelhouse.ROOT / wheelhouse.FOLDERS["interface"]
    if len(arguments) != 1:
        sys.stderr.write("expected a schema version: nox -s new-schema -- 1.1\n")
        return 2
    try:
        files = lay(home, arguments[0])
    except LedgerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in files:
        sys.stdout.write(f"wrote {path.relative_to(wheelhouse.ROOT)}\n")
    step = next((path.name for path in files if re.match(r"v\d+_", path.name)), "its step")
    text = _NEXT_OF_A_MAJOR if arguments[0].endswith(".0") else _NEXT
    sys.stdout.write(text.format(new=arguments[0], step=step, stub=STUB))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
