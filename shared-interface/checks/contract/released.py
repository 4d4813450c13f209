"""Know what was released: records, trees, ledgers, and what git remembers of both.

Records and goldens are held against the history of this clone, too, so that no change can edit them
together with what checks them.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import wheelhouse
from rules import (
    COMPATIBLE,
    OF_A_MAJOR,
    Change,
    Ledger,
    Rule,
    parse_ledger,
    parse_reserved,
    version,
)

PACKAGE = Path("src/fairweather_interface")
LEDGERS = PACKAGE / "ledgers"
HISTORY = PACKAGE / "history"
GOLDEN = Path("tests/golden")
RESERVED = LEDGERS / "reserved.txt"
ARCHIVE = LEDGERS / "archive.txt"
RULES = Path("checks/contract/rules.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """One release of the interface, unpacked.

    Attributes:
        name: what it is called in messages.
        package_version: its version.
        tree: the git tree of its folder.
        folder: where that lies.
        ledgers: every ledger it holds, the newest last.
        meanings: what it says of each field, by path; empty where it has no sentences.
    """

    name: str
    package_version: str
    tree: str
    folder: Path
    ledgers: tuple[Ledger, ...]
    meanings: Mapping[str, str] = field(default_factory=dict)


def unpacked(made: wheelhouse.Release, keep: Path) -> Released:
    """Return a release, its tree unpacked below ``keep`` unless it lies there already.

    Raises:
        WheelhouseError: this clone does not hold the tree.
    """
    folder = keep / made.tree
    if not folder.is_dir():
        keep.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=keep))
        wheelhouse.unpack_tree(made.tree, fresh)
        installed = fresh / "src" / f"fairweather_interface-{made.version}.dist-info"
        installed.mkdir(parents=True)  # its command asks for the version that is installed
        words = f"Metadata-Version: 2.1\nName: fairweather-interface\nVersion: {made.version}\n"
        (installed / "METADATA").write_text(words, encoding="utf-8")
        try:
            fresh.rename(folder)
        except OSError:  # another process was faster, with the same files
            shutil.rmtree(fresh)
    texts = (path.read_text(encoding="utf-8") for path in ledger_files(folder))
    ledgers = sorted(map(parse_ledger, texts), key=lambda ledger: version(ledger.version))
    sentences = folder / LEDGERS / f"{ledgers[-1].version}.meanings.toml" if ledgers else folder
    return Released(
        name=f"interface {made.version}",
        package_version=made.version,
        tree=made.tree,
        folder=folder,
        ledgers=tuple(ledgers),
        meanings=tomllib.loads(sentences.read_text("utf-8")) if sentences.is_file() else {},
    )


def ledger_files(root: Path) -> list[Path]:
    """Return the ledgers in a tree of the package."""
    return sorted((root / LEDGERS).glob("[0-9]*.txt"))


def lines(path: Path) -> list[str]:
    """Return the lines of a file; none where there is no file."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def reserved_names(root: Path) -> dict[str, str]:
    """Return the names that a tree of the package reserves, each with the reason."""
    return parse_reserved("\n".join(lines(root / RESERVED)))


def records() -> tuple[tuple[wheelhouse.Release, ...], tuple[Change, ...]]:
    """Return every release of the interface that was ever recorded, and every record that changed.

    A record that is gone from ``releases.toml`` still counts.
    """
    path = (wheelhouse.RECORDS / "releases.toml").relative_to(wheelhouse.ROOT).as_posix()
    commits = _git("log", "--format=%H", "--", path).split()
    asked = "".join(f"{commit}:{path}\n" for commit in reversed(commits))
    ever: dict[tuple[str, str], dict[str, Any]] = {}
    for text in _batch(asked):
        for record in tomllib.loads(text).get("release", []):
            ever.setdefault((record["package"], record["version"]), record)
    now = {(each.package, each.version): asdict(each) for each in wheelhouse.releases()}
    changed = [
        Change(
            rule=Rule.RECORD_CHANGED,
            path=f"{path}: {package} {number}",
            found=f"{'the record was edited' if (package, number) in now else 'the record is gone'}"
            ", and git remembers it; records are only ever added: put it back as it was",
        )
        for (package, number), record in ever.items()
        if now.get((package, number)) != record
    ]
    known = {**now, **ever}
    made = [wheelhouse.Release(**each) for each in known.values() if each["package"] == "interface"]
    made.sort(key=lambda each: version(each.version))
    return tuple(made), tuple(changed)


def producers_goldens(head: Path) -> Iterator[Change]:
    """Hold the golden delivery of every released research against what was committed first."""
    below = (head / GOLDEN).relative_to(wheelhouse.ROOT).as_posix()
    known = [f"{below}/research-{each.version}/" for each in wheelhouse.releases("research")]
    first: dict[str, str] = {}
    log = _git("log", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", below)
    for line in reversed(log.splitlines()):
        cells, _, path = line.partition("\t")
        blob = cells.split()[3]
        if set(blob) != {"0"} and any(path.startswith(each) for each in known):
            first.setdefault(path, blob)
    for path, blob in first.items():
        file = wheelhouse.ROOT / path
        if file.is_file() and _blob(file.read_bytes(), blob) == blob:
            continue
        yield Change(
            rule=Rule.RELEASED_FILE_CHANGED if file.is_file() else Rule.RELEASED_FILE_REMOVED,
            path=path,
            found="a released research delivered it, and git remembers it; put it back as it was",
        )


def _blob(data: bytes, like: str) -> str:
    kind = hashlib.sha256 if len(like) > 40 else hashlib.sha1  # noqa: PLR2004 - as git names it
    return kind(b"blob %d\0" % len(data) + data).hexdigest()


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, *arguments], cwd=wheelhouse.ROOT, capture_output=True, check=False
    )
    return done.stdout.decode() if done.returncode == 0 else ""


def _batch(asked: str) -> Iterator[str]:
    """Yield the text of every object that is named on a line."""
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "cat-file", "--batch"],
        cwd=wheelhouse.ROOT, input=asked.encode(), capture_output=True, check=False,
    )  # fmt: skip
    rest = done.stdout
    while rest:
        title, _, rest = rest.partition(b"\n")
        if title.endswith(b"missing"):
            continue
        size = int(title.split()[-1])
        yield rest[:size].decode()
        rest = rest[size + 1 :]


def frozen(head: Path, made: Released) -> Iterator[Change]:
    """Hold what a release froze against the files at hand."""
    files = [
        *ledger_files(made.folder),
        *sorted((made.folder / LEDGERS).glob("[0-9]*.toml")),
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
    now = reserved_names(head)
    for name in reserved_names(made.folder):
        if name not in now:
            yield Change(
                rule=Rule.RESERVED_NAME_DROPPED,
                path=name,
                found=f"{made.name} reserved it for ever; bring its line back to {RESERVED}",
            )
    said_now = lines(head / ARCHIVE)
    for line in lines(made.folder / ARCHIVE):
        if line not in said_now:
            yield Change(
                rule=Rule.ARCHIVE_LINE_CHANGED,
                path=str(ARCHIVE),
                found=f"{made.name} was released with the line {line!r}, and files were written by "
                "it; bring it back, and say what is new in a column or a key of its own",
            )


def closed_lists(made: Released) -> Iterator[Change]:
    """Hold the closed lists of the rules at hand against those of a release."""
    if not (made.folder / RULES).is_file():
        return
    module = ast.parse((made.folder / RULES).read_text(encoding="utf-8"))
    for name, here in (("COMPATIBLE", COMPATIBLE), ("OF_A_MAJOR", OF_A_MAJOR)):
        for item in module.body:
            target = item.targets[0] if isinstance(item, ast.Assign) else None
            if isinstance(target, ast.Name) and target.id.lstrip("_") == name:
                there = {it.attr for it in ast.walk(item) if isinstance(it, ast.Attribute)}
                for rule in sorted(here - there):
                    yield Change(
                        rule=Rule.CLOSED_LIST_WIDENED,
                        path=f"{RULES}: {name}",
                        found=f"{rule} is on it, and was not in {made.name}; what was breaking "
                        "then is breaking now: take it off",
                    )
