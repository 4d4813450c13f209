"""What may change in the contract, as rules over two field ledgers.

The list of compatible changes is closed: whatever is not on it is breaking. Inside a major
version every schema is compatible with all earlier ones in both directions, so only two things
are compatible at all:

``OPTIONAL_FIELD_ADDED``
    a new field that may be absent, that means "as before" when it is, and that says ``since``
    the new version;
``NEW_OBJECT_FIELD_ADDED``
    a field of any kind below such a new field.

Everything else needs a new major version. There a field may also go, when its name is reserved,
or become required, optional, tighter or looser; what a name means never changes, in no version:
not its type, its unit, nor its age.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

_COLUMNS = ("path", "type", "required", "default", "constraints", "unit", "since", "unknown")
AS_BEFORE = {"null", "false"}


class LedgerError(Exception):
    """A text is not a field ledger."""


class Rule(StrEnum):
    """The rules by name; a name is never reused for another rule."""

    OPTIONAL_FIELD_ADDED = "OPTIONAL_FIELD_ADDED"
    NEW_OBJECT_FIELD_ADDED = "NEW_OBJECT_FIELD_ADDED"
    REQUIRED_FIELD_ADDED = "REQUIRED_FIELD_ADDED"
    ADDED_WITH_OTHER_DEFAULT = "ADDED_WITH_OTHER_DEFAULT"
    ADDED_WITHOUT_NEW_SINCE = "ADDED_WITHOUT_NEW_SINCE"
    RESERVED_NAME_REUSED = "RESERVED_NAME_REUSED"
    FIELD_REMOVED = "FIELD_REMOVED"
    TYPE_CHANGED = "TYPE_CHANGED"
    BECAME_REQUIRED = "BECAME_REQUIRED"
    BECAME_OPTIONAL = "BECAME_OPTIONAL"
    DEFAULT_CHANGED = "DEFAULT_CHANGED"
    CONSTRAINT_CHANGED = "CONSTRAINT_CHANGED"
    UNIT_CHANGED = "UNIT_CHANGED"
    SINCE_CHANGED = "SINCE_CHANGED"
    READER_DUTY_CHANGED = "READER_DUTY_CHANGED"
    CHANGED_WITHOUT_NEW_VERSION = "CHANGED_WITHOUT_NEW_VERSION"
    CHANGED_WITH_NEW_MAJOR = "CHANGED_WITH_NEW_MAJOR"
    VERSION_WENT_BACK = "VERSION_WENT_BACK"
    LEDGER_NOT_CURRENT = "LEDGER_NOT_CURRENT"
    RELEASED_FILE_CHANGED = "RELEASED_FILE_CHANGED"
    RELEASED_FILE_REMOVED = "RELEASED_FILE_REMOVED"
    RESERVED_NAME_DROPPED = "RESERVED_NAME_DROPPED"
    ARCHIVE_LINE_CHANGED = "ARCHIVE_LINE_CHANGED"
    NOT_READ_ALIKE = "NOT_READ_ALIKE"
    CANNOT_BE_ASKED = "CANNOT_BE_ASKED"
    PUBLIC_NAME_CHANGED = "PUBLIC_NAME_CHANGED"
    LEDGER_CANNOT_SAY = "LEDGER_CANNOT_SAY"
    LAW_CHANGED = "LAW_CHANGED"
    MEANING_CHANGED = "MEANING_CHANGED"
    DUTY_DOUBTFUL = "DUTY_DOUBTFUL"
    DUTY_ALWAYS_WRITTEN = "DUTY_ALWAYS_WRITTEN"
    RECORD_CHANGED = "RECORD_CHANGED"
    CLOSED_LIST_WIDENED = "CLOSED_LIST_WIDENED"
    SOFTWARE_NOT_READ = "SOFTWARE_NOT_READ"
    WRITER_LOST = "WRITER_LOST"
    STEP_NOT_REGISTERED = "STEP_NOT_REGISTERED"
    STEP_NOT_READ = "STEP_NOT_READ"
    STEP_LOSES_MEANING = "STEP_LOSES_MEANING"
    STEP_NOT_ALONE = "STEP_NOT_ALONE"
    STEP_MISSING = "STEP_MISSING"
    STEP_INCOMPLETE = "STEP_INCOMPLETE"
    CHANGELOG_SILENT = "CHANGELOG_SILENT"
    PACKAGE_VERSION_TOO_LOW = "PACKAGE_VERSION_TOO_LOW"


COMPATIBLE = frozenset(
    {Rule.OPTIONAL_FIELD_ADDED, Rule.NEW_OBJECT_FIELD_ADDED, Rule.CHANGED_WITH_NEW_MAJOR}
)
"""The closed list."""

OF_A_MAJOR = frozenset(
    {
        Rule.REQUIRED_FIELD_ADDED,
        Rule.ADDED_WITH_OTHER_DEFAULT,
        Rule.BECAME_REQUIRED,
        Rule.BECAME_OPTIONAL,
        Rule.DEFAULT_CHANGED,
        Rule.CONSTRAINT_CHANGED,
        Rule.READER_DUTY_CHANGED,
    }
)

_CHANGES = {
    "type": (Rule.TYPE_CHANGED, "add a new field beside it and deprecate this one"),
    "default": (
        Rule.DEFAULT_CHANGED,
        "absent must go on meaning what it meant; add a new field for the other meaning",
    ),
    "unit": (Rule.UNIT_CHANGED, "no reader would notice; add a new field that carries its unit"),
    "since": (Rule.SINCE_CHANGED, "history does not change; leave it as it was released"),
    "unknown": (
        Rule.READER_DUTY_CHANGED,
        "released readers act on the old duty; add a new field with the other one",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """A field ledger: its schema version and its rows, by path and column."""

    version: str
    rows: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between two ledgers, and what the rules say of it."""

    rule: Rule
    path: str
    found: str

    @property
    def breaking(self) -> bool:
        """Whether it is not on the closed list."""
        return self.rule not in COMPATIBLE

    def __str__(self) -> str:
        return f"{self.rule}: {self.path}: {self.found}"


def parse_ledger(text: str) -> Ledger:
    """Return the ledger a text states.

    Raises:
        LedgerError: a line is not a row of a ledger.
    """
    title, _, *lines = [*text.splitlines(), "", ""]
    rows = {}
    for line in filter(None, lines):
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) != len(_COLUMNS):
            raise LedgerError(f"found {line!r}, expected the columns {', '.join(_COLUMNS)}")
        rows[cells[0]] = dict(zip(_COLUMNS, cells, strict=True))
    schema = title.rpartition(" ")[2]
    version(schema)  # is one, or says so
    return Ledger(version=schema, rows=rows)


def parse_reserved(text: str) -> dict[str, str]:
    """Return the reserved names a text lists, each with the reason."""
    rows = (line.partition(" | ") for line in text.splitlines() if not line.startswith("#"))
    return {path: reason for path, _, reason in rows}


def version(text: str) -> tuple[int, ...]:
    """Return the numbers a version starts with, so that versions compare as numbers."""
    numbers = re.match(r"\d+(\.\d+)*", text)
    if numbers is None:
        raise LedgerError(f"found the version {text!r}, expected numbers and dots")
    return tuple(map(int, numbers[0].split(".")))


def changes(
    before: Ledger, after: Ledger, *, reserved: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    """Return every difference from an earlier ledger to a later one, with the rule it falls under.

    ``reserved`` are names that were removed once, with the reason.

    Raises:
        LedgerError: a row or a title says no version.
    """
    found = [*_removed(before, after), *_kept(before, after)]
    found += _added(before, after, reserved or {})
    if version(after.version)[0] > version(before.version)[0]:
        found = [_of_a_major(change, reserved or {}) for change in found]
    if found and before.version == after.version:
        found.append(
            Change(
                rule=Rule.CHANGED_WITHOUT_NEW_VERSION,
                path="schema_version",
                found=f"the ledger of schema {after.version} is not what was released as such; "
                "a changed contract is a new schema version, with its step and changelog line",
            )
        )
    return tuple(found)


def _of_a_major(change: Change, reserved: Mapping[str, str]) -> Change:
    """Return a change as a new major version has it."""
    gone = change.rule is Rule.FIELD_REMOVED and change.path in reserved
    if not gone and change.rule not in OF_A_MAJOR:
        return change
    return Change(
        rule=Rule.CHANGED_WITH_NEW_MAJOR, path=change.path, found=f"{change.rule} in a minor one"
    )


def _removed(before: Ledger, after: Ledger) -> list[Change]:
    return [
        Change(
            rule=Rule.FIELD_REMOVED,
            path=path,
            found="it was there and is not (a new name for the same thing counts as this, too); "
            "deprecate it, write it as long as older software reads it, and reserve its name in "
            "the next major version",
        )
        for path in before.rows
        if path not in after.rows
    ]


def _kept(before: Ledger, after: Ledger) -> list[Change]:
    found = []
    removed = [path for path in before.rows if path not in after.rows]
    for path, released in before.rows.items():
        if path not in after.rows:
            continue
        old, new = _plain(released), _plain(after.rows[path])
        if (old["required"], new["required"]) == ("optional", "required"):
            found.append(
                Change(
                    rule=Rule.BECAME_REQUIRED,
                    path=path,
                    found=f"{_TIGHTER}: what was delivered without it could not be read; leave it "
                    "optional",
                )
            )
        elif old["required"] != new["required"]:
            found.append(
                Change(
                    rule=Rule.BECAME_OPTIONAL,
                    path=path,
                    found=f"{_LOOSER} that lack it; go on asking for it",
                )
            )
        found += _bounds(path, old, new, removed)
        for column, (rule, remedy) in _CHANGES.items():
            if column == "default" and old["required"] != new["required"]:
                continue  # told above
            if old[column] != new[column]:
                change = f"found {new[column]!r}, released as {old[column]!r}; {remedy}"
                found.append(Change(rule=rule, path=path, found=change))
    return found


def _plain(row: Mapping[str, str]) -> Mapping[str, str]:
    """Return a row with a fixed tuple of one type said as a list of fixed length."""
    items = row["type"][1:-1].split(", ") if row["type"].startswith("[") else []
    if len(items) < 2 or len(set(items)) > 1:  # noqa: PLR2004 - a pair
        return row
    length = [f"length<={len(items)}", f"length>={len(items)}"]
    own = [each for each in row["constraints"].split("; ") if each != "-"]
    return {**row, "type": f"list of {items[0]}", "constraints": "; ".join([*length, *own])}


_TIGHTER = "tighter: refuses documents of {schemas}"
_LOOSER = "looser: {schemas} refuse new documents"
_BOUND = re.compile(r"^(each |item \d+ |key )*(length)?(>=|<=|>|<)(-?[\d.e+-]+)$")
_OF_PYDANTIC = ("~", "one of ", "multiple of ", "null ", "also read as ", "kind by ", "from ")


def _bounds(
    path: str, old: Mapping[str, str], new: Mapping[str, str], removed: Sequence[str]
) -> Iterator[Change]:
    """Yield what changed of the constraints of a field, each bound with its direction.

    A law may be made for newer documents alone (``from 1.0: ...``), and may lose what it says of a
    field that is removed with it: both bind as a bound does. That a field will go binds nobody.
    """
    was, has = ({each for each in row["constraints"].split("; ")
                 if each != "-" and not each.startswith("deprecated since ")}
                for row in (old, new))  # fmt: skip
    gone, come = sorted(was - has), sorted(has - was)
    for bound in [*gone, *come]:
        words = re.sub(r"^(each |item \d+ |key )*", "", bound)
        if bound in gone and _speaks_of(bound, removed):
            continue
        if not _BOUND.match(bound) and not words.startswith(_OF_PYDANTIC):
            yield Change(
                rule=Rule.LAW_CHANGED,
                path=path,
                found=f"found {'; '.join(come) or 'no law'!r}, released as "
                f"{'; '.join(gone) or 'no law'!r}; a law is a part of what a name means, in a "
                "major, too: add a field; if only the words are new, say so in the changelog: "
                f"'- Reworded: `{path}`'",
            )
            break
    else:
        for direction in dict.fromkeys(_direction(gone, come)):
            yield Change(
                rule=Rule.CONSTRAINT_CHANGED,
                path=path,
                found=f"found {'; '.join(come) or 'none'!r}, released as "
                f"{'; '.join(gone) or 'none'!r}; {direction}; add a new field",
            )


def _speaks_of(law: str, removed: Sequence[str]) -> bool:
    """Return whether a law names one of the fields, as ``max_*_seen`` names two."""
    names = re.findall(r"[\w.*\[\]{}]*\w", law)
    return any(fnmatchcase(path, name) for path in removed for name in names if "_" in name)


def _direction(gone: list[str], come: list[str]) -> Iterator[str]:
    """Yield which way constraints moved; both, where it cannot be known."""
    if bool(gone) != bool(come):
        opened = all(each.endswith("allowed") or "also read" in each for each in (*gone, *come))
        yield _TIGHTER if bool(come) != opened else _LOOSER
        return
    for old in gone:
        then = _BOUND.match(old)
        for new in come:
            now = _BOUND.match(new)
            if then and now and then[3] == now[3]:
                rises = float(now[4]) > float(then[4])
                yield _TIGHTER if rises == then[3].startswith(">") else _LOOSER
            elif old.startswith("one of ") and new.startswith("one of "):
                values, others = (set(each[7:].split(", ")) for each in (old, new))
                yield from [_TIGHTER] * bool(values - others) + [_LOOSER] * bool(others - values)
            else:
                yield from (_TIGHTER, _LOOSER)


def _added(before: Ledger, after: Ledger, reserved: Mapping[str, str]) -> list[Change]:
    found = []
    new = [path for path in after.rows if path not in before.rows]
    for path in new:
        row = after.rows[path]
        parent = re.sub(r"(\[\]|\{\}|<[^>]*>)+$", "", path.rpartition(".")[0])
        rule, said = Rule.OPTIONAL_FIELD_ADDED, f"optional {row['type']}, {row['unknown']}"
        if path in reserved:
            rule, said = (
                Rule.RESERVED_NAME_REUSED,
                f"the name is reserved for ever ({reserved[path]}); choose another",
            )
        elif not version(before.version) < version(row["since"]) <= version(after.version):
            rule, said = (
                Rule.ADDED_WITHOUT_NEW_SINCE,
                f"found since {row['since']}, expected {after.version}, which adds it",
            )
        elif parent in new:
            rule, said = Rule.NEW_OBJECT_FIELD_ADDED, f"part of the new {parent}"
        elif row["required"] == "required":
            rule, said = (
                Rule.REQUIRED_FIELD_ADDED,
                f"{_TIGHTER}, which lack it; make it optional, and let absent mean as before",
            )
        elif row["default"] not in AS_BEFORE:
            rule, said = (
                Rule.ADDED_WITH_OTHER_DEFAULT,
                f"found the default {row['default']!r}, expected null: absent must mean as before",
            )
        found.append(Change(rule=rule, path=path, found=said))
    return found
