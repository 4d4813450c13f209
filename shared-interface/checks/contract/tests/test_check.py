"""The check, tried on a small repository of its own, with releases as git trees."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import check as contract
import pytest
import wheelhouse
from rules import COMPATIBLE, OF_A_MAJOR, Change, LedgerError, Rule
from steps import Said

HEADER = "# path | type | required | default | constraints | unit | since | unknown to a reader\n"
OLD = (
    "# field ledger of schema 0.1\n"
    + HEADER
    + "areas | map of object | required | - | length>=1 | - | 0.1 | must-obey\n"
)
FIELD = "bound | number | optional | null | - | % | 0.2 | must-obey\n"
NEW = OLD.replace("schema 0.1", "schema 0.2") + FIELD
NEWER = NEW.replace("schema 0.2", "schema 0.3") + FIELD.replace("bound", "hint").replace("2", "3")
STEP = '"""Schema 0.2 adds `bound`."""\n\n\ndef upgrade(it): ...\n\n\ndef downgrade(it): ...\n'
WORDS = (
    "# Changelog\n\n## Unreleased\n\nThis brings schema **0.2**.\n\n- Schema 0.2 adds\n  `bound`.\n"
)
PROJECT = '[project]\nversion = "{}"\n'

Write = Callable[[str, str], Path]


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the interface's folder in a repository whose 0.1.0 released schema 0.1."""
    root = tmp_path / "repository"
    home = root / "shared-interface"
    (root / ".releases").mkdir(parents=True)
    monkeypatch.setattr(wheelhouse, "ROOT", root)
    monkeypatch.setattr(wheelhouse, "RECORDS", root / ".releases")
    (home / contract.LEDGERS).mkdir(parents=True)
    (home / contract.LEDGERS / "0.1.txt").write_text(OLD)
    (home / contract.CHANGELOG).write_text("# Changelog\n\n## Unreleased\n")
    (home / contract.GOLDEN / "0.1.0").mkdir(parents=True)
    (home / contract.GOLDEN / "0.1.0" / "metadata.json").write_text("{}\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    release(home, "0.1.0")
    return home


def release(home: Path, version: str) -> None:
    """Record the folder as it is as a release, and start the next one."""
    root = home.parent
    (home / "pyproject.toml").write_text(PROJECT.format(version))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", f"Release {version}")
    tree = git(root, "rev-parse", "HEAD:shared-interface").strip()
    record = (
        f'[[release]]\npackage = "interface"\nversion = "{version}"\ndate = "2026-11-22"\n'
        f'tree = "{tree}"\ncontents = "sha256:0"\n'
    )
    with (root / ".releases" / "releases.toml").open("a") as records:
        records.write(record)
    major, minor, _ = version.split(".")
    (home / "pyproject.toml").write_text(PROJECT.format(f"{major}.{int(minor) + 1}.0.dev0"))


def raise_schema(home: Path) -> None:
    """Do all that a new schema comes with."""
    (home / contract.LEDGERS / "0.2.txt").write_text(NEW)
    (home / contract.HISTORY).mkdir()
    (home / contract.HISTORY / "v0_1.py").write_text(STEP)
    (home / contract.CHANGELOG).write_text(WORDS)


def checked(ledger: str, work: Path) -> tuple[Change, ...]:
    return contract.check(Said(text=ledger), work)


def broken(home: Path, ledger: str = NEW) -> list[tuple[Rule, str]]:
    work = home.parent.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    return [(it.rule, it.path) for it in checked(ledger, work) if it.breaking]


@pytest.mark.usefixtures("home")
def test_nothing_changed_and_the_contract_holds(tmp_path: Path) -> None:
    assert checked(OLD, tmp_path / "work") == ()


def test_a_new_schema_with_all_that_comes_with_one_holds(home: Path, tmp_path: Path) -> None:
    raise_schema(home)
    (change,) = checked(NEW, tmp_path / "work")
    assert change.rule is Rule.OPTIONAL_FIELD_ADDED
    assert not change.breaking


def test_a_released_schema_cannot_change_even_where_its_ledger_file_follows(home: Path) -> None:
    changed = OLD + FIELD.replace("0.2", "0.1")
    assert broken(home, changed) == [
        (Rule.LEDGER_NOT_CURRENT, "src/fairweather_interface/ledgers/0.1.txt"),
        (Rule.ADDED_WITHOUT_NEW_SINCE, "bound"),
        (Rule.CHANGED_WITHOUT_NEW_VERSION, "schema_version"),
    ]
    (home / contract.LEDGERS / "0.1.txt").write_text(changed)
    assert broken(home, changed)[0] == (
        Rule.RELEASED_FILE_CHANGED,
        "src/fairweather_interface/ledgers/0.1.txt",
    )


def test_a_new_schema_without_its_ledger_step_words_and_release_is_told_each(home: Path) -> None:
    (home / "pyproject.toml").write_text(PROJECT.format("0.1.1.dev0"))
    assert broken(home) == [
        (Rule.LEDGER_NOT_CURRENT, "src/fairweather_interface/ledgers/0.2.txt"),
        (Rule.STEP_MISSING, "src/fairweather_interface/history/v0_1.py"),
        (Rule.CHANGELOG_SILENT, "CHANGELOG.md"),
        (Rule.PACKAGE_VERSION_TOO_LOW, "pyproject.toml"),
    ]


@pytest.mark.parametrize(
    ("step", "rules"),
    [
        (STEP.replace("upgrade", "update"), [Rule.STEP_INCOMPLETE]),
        (STEP.replace("downgrade", "down"), [Rule.STEP_INCOMPLETE]),
        (STEP.replace('"""Schema 0.2 adds `bound`."""', ""), [Rule.STEP_INCOMPLETE]),
        (STEP.replace("adds", "brings"), [Rule.CHANGELOG_SILENT]),
    ],
)
def test_a_step_has_both_directions_and_words_that_stand_in_the_changelog(
    home: Path, step: str, rules: list[Rule]
) -> None:
    raise_schema(home)
    (home / contract.HISTORY / "v0_1.py").write_text(step)
    assert [rule for rule, _ in broken(home)] == rules


@pytest.mark.parametrize(
    "path",
    [
        contract.LEDGERS / "0.1.txt",
        contract.LEDGERS / "0.2.txt",
        contract.HISTORY / "v0_1.py",
        contract.GOLDEN / "0.1.0" / "metadata.json",
    ],
    ids=str,
)
def test_what_was_released_is_untouched_to_the_byte(home: Path, path: Path) -> None:
    raise_schema(home)
    release(home, "0.2.0")
    assert broken(home) == []
    text = (home / path).read_text()
    (home / path).write_text(text + "\n")
    assert (Rule.RELEASED_FILE_CHANGED, str(path)) in broken(home)
    (home / path).unlink()
    assert (Rule.RELEASED_FILE_REMOVED, str(path)) in broken(home)


def test_a_golden_file_may_be_added(home: Path) -> None:
    (home / contract.GOLDEN / "0.1.1").mkdir()
    (home / contract.GOLDEN / "0.1.1" / "metadata.json").write_text("{}\n")
    assert broken(home, OLD) == []


def test_the_contract_is_held_against_every_release_and_not_only_the_last(home: Path) -> None:
    raise_schema(home)
    release(home, "0.2.0")
    (home / contract.LEDGERS / "0.3.txt").write_text(NEWER)
    (home / contract.HISTORY / "v0_2.py").write_text(STEP.replace("0.2", "0.3"))
    (home / contract.CHANGELOG).write_text(WORDS + WORDS.replace("0.2", "0.3"))
    assert broken(home, NEWER) == []
    (home / contract.HISTORY / "v0_1.py").unlink()
    assert (Rule.STEP_MISSING, str(contract.HISTORY / "v0_1.py")) in broken(home, NEWER)
    gone = NEWER.replace("areas |", "places |")
    assert broken(home, gone).count((Rule.FIELD_REMOVED, "areas")) == 1
    assert broken(home, OLD)[0] == (Rule.RELEASED_FILE_REMOVED, str(contract.HISTORY / "v0_1.py"))
    assert (Rule.VERSION_WENT_BACK, "schema_version") in broken(home, OLD)


def test_a_reserved_name_is_neither_dropped_nor_reused(home: Path) -> None:
    reserved = home / contract.RESERVED
    reserved.write_text("# names\ngone | removed in 0.0, use bound\n")
    release(home, "0.1.1")
    assert broken(home, OLD) == []
    reserved.write_text("# names\n")
    assert broken(home, OLD) == [(Rule.RESERVED_NAME_DROPPED, "gone")]
    reserved.write_text("# names\ngone | removed in 0.0\nbound | never was\n")
    raise_schema(home)
    assert broken(home) == [(Rule.RESERVED_NAME_REUSED, "bound")]


def test_a_line_of_the_archive_is_added_and_never_changed(home: Path, tmp_path: Path) -> None:
    archive = home / contract.ARCHIVE
    archive.write_text("# archive\ncolumn | area | text\n")
    release(home, "0.1.1")
    archive.write_text("# archive\ncolumn | area | text\ncolumn | height | number\n")
    assert broken(home, OLD) == []
    archive.write_text("# archive\ncolumn | area | number\n")
    (change,) = checked(OLD, tmp_path / "again")
    assert (change.rule, change.path) == (Rule.ARCHIVE_LINE_CHANGED, str(contract.ARCHIVE))
    assert "released with the line 'column | area | text'" in change.found
    archive.unlink()
    assert {rule for rule, _ in broken(home, OLD)} == {Rule.ARCHIVE_LINE_CHANGED}


def test_a_first_release_has_nothing_to_be_held_against(home: Path) -> None:
    (home.parent / ".releases" / "releases.toml").unlink()
    assert broken(home, OLD) == []


def test_a_new_major_schema_needs_a_new_major_of_the_package(home: Path) -> None:
    raise_schema(home)
    major = NEW.replace("0.2", "1.0").replace("optional | null", "required | -")
    (home / contract.LEDGERS / "1.0.txt").write_text(major)
    (home / contract.CHANGELOG).write_text(WORDS + "schema **1.0**")
    assert broken(home, major) == [(Rule.PACKAGE_VERSION_TOO_LOW, "pyproject.toml")]
    (home / "pyproject.toml").write_text(PROJECT.format("1.0.0.dev0"))
    assert broken(home, major) == []


def test_a_clone_without_the_released_tree_is_told_how_to_get_it(home: Path) -> None:
    records = home.parent / ".releases" / "releases.toml"
    records.write_text(records.read_text().replace('tree = "', 'tree = "0'))
    with pytest.raises(wheelhouse.WheelhouseError, match="git fetch --unshallow"):
        broken(home, OLD)


def test_a_text_that_is_no_ledger_is_told_so(home: Path) -> None:
    for text in ("", "# field ledger of schema new\n", OLD + "areas | object\n"):
        with pytest.raises(LedgerError, match="found"):
            broken(home, text)


def test_a_record_is_never_edited_nor_taken_out(home: Path) -> None:
    records = home.parent / ".releases" / "releases.toml"
    release(home, "0.1.1")
    release(home, "0.1.2")  # which commits the record of the one before
    text = records.read_text()
    assert broken(home, OLD) == []
    records.write_text(text.replace('version = "0.1.0"\ndate = "2026-11-22"',
                                    'version = "0.1.0"\ndate = "2026-11-23"'))  # fmt: skip
    assert broken(home, OLD) == [(Rule.RECORD_CHANGED, ".releases/releases.toml: interface 0.1.0")]
    records.write_text(text.partition("[[release]]\n")[2].partition("[[release]]")[2])
    assert (Rule.RECORD_CHANGED, ".releases/releases.toml: interface 0.1.0") in broken(home, OLD)
    (home / contract.LEDGERS / "0.1.txt").unlink()
    assert Rule.RELEASED_FILE_REMOVED in {rule for rule, _ in broken(home, OLD)}


def test_the_golden_of_a_released_research_is_what_git_saw_first(home: Path) -> None:
    golden = home / contract.GOLDEN / "research-0.1.0" / "metadata.json"
    golden.parent.mkdir()
    golden.write_text("{}\n")
    git(home.parent, "add", ".")
    git(home.parent, "commit", "--quiet", "-m", "A golden delivery")
    records = home.parent / ".releases" / "releases.toml"
    with records.open("a") as file:
        file.write(records.read_text().replace("interface", "research"))
    golden.write_text("[]\n")
    place = "shared-interface/tests/golden/research-0.1.0/metadata.json"
    assert broken(home, OLD) == [(Rule.RELEASED_FILE_CHANGED, place)]
    golden.unlink()
    assert broken(home, OLD) == [(Rule.RELEASED_FILE_REMOVED, place)]


def test_the_closed_lists_are_these_and_those_of_the_last_release() -> None:
    assert sorted(COMPATIBLE) == [
        "CHANGED_WITH_NEW_MAJOR", "NEW_OBJECT_FIELD_ADDED", "OPTIONAL_FIELD_ADDED",
    ]  # fmt: skip
    assert sorted(OF_A_MAJOR) == [
        "ADDED_WITH_OTHER_DEFAULT", "BECAME_OPTIONAL", "BECAME_REQUIRED", "CONSTRAINT_CHANGED",
        "DEFAULT_CHANGED", "READER_DUTY_CHANGED", "REQUIRED_FIELD_ADDED",
    ]  # fmt: skip


def test_the_contract_at_hand_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main() == 0, capsys.readouterr().out
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("the contract holds against the releases 0.1.0")
    page = wheelhouse.ROOT / "shared-interface" / "docs" / "versioning.md"
    (shown,) = re.findall(r"^ +(the contract holds .*)$", page.read_text("utf-8"), re.MULTILINE)
    if last.partition(":")[0] == shown.partition(":")[0]:  # until the next release: then a record
        assert last == shown


def test_a_contract_that_cannot_be_asked_is_a_failure_with_a_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wheelhouse, "WHEELHOUSE", home.parent / ".wheelhouse")
    package = home / contract.PACKAGE
    (package / "__init__.py").write_text("raise RuntimeError('half done')\n")
    assert contract.main() == 1
    out = capsys.readouterr().out
    assert "breaks  CANNOT_BE_ASKED: src/fairweather_interface: the contract cannot be" in out
    assert "RuntimeError: half done; mend that first" in out


def test_a_broken_contract_prints_rule_place_direction_and_remedy(
    home: Path, tmp_path: Path
) -> None:
    found = map(str, checked(OLD.replace(">=1", ">=2"), tmp_path / "work"))
    current, bound, version = found
    assert current.startswith(
        "LEDGER_NOT_CURRENT: src/fairweather_interface/ledgers/0.1.txt: the records give another"
    )
    assert bound == (
        "CONSTRAINT_CHANGED: areas: found 'length>=2', released as 'length>=1'; tighter: refuses "
        "documents of 0.1; add a new field"
    )
    assert version.startswith("CHANGED_WITHOUT_NEW_VERSION: schema_version: the ledger of schema")
    assert home.is_dir()
