"""Every edit of the table gets its verdict, and no edit a traceback."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
import wheelhouse
from edits import EDITS, MAJOR, MINOR, PROJECT, STEP, Edit
from steps import STUB

ROOT = wheelhouse.ROOT
_LAID = {"minor": MINOR, "major": MAJOR}


_QUICK = {"ledger", "names", "duties", "meanings", "frozen", "steps", "documents"}


def _marked() -> list[object]:
    """Return the edits; a third, of those that need no released reader, run every time."""
    quick = [
        edit for edit in EDITS
        if edit.group in _QUICK and edit.fails not in (None, "NOT_READ_ALIKE", "STEP_NOT_READ")
    ]  # fmt: skip
    quick.sort(key=lambda edit: edit.base != "now")
    often = {edit.name for edit in quick[: len(EDITS) // 3 + 1]}
    return [
        pytest.param(edit, id=edit.name, marks=() if edit.name in often else pytest.mark.slow)
        for edit in EDITS
    ]


@cache
def _base(base: str) -> Path:
    """Return a copy of the repository, as far as the check looks at it, with a schema laid."""
    root = Path(tempfile.mkdtemp(prefix="contract-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    home = root / "shared-interface"
    for name in ("src", "checks/contract", "tests/golden", "CHANGELOG.md", PROJECT):
        there = ROOT / "shared-interface" / name
        copy = shutil.copytree if there.is_dir() else shutil.copy
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        copy(there, home / name)
    shutil.copytree(ROOT / ".releases", root / ".releases")
    wheels = ROOT / ".wheelhouse"
    wheels.mkdir(exist_ok=True)
    (root / ".wheelhouse").symlink_to(wheels)
    _release(root)
    if base in _LAID:
        done = run(root, "new_schema.py", _LAID[base])
        assert done.returncode == 0, done.stderr
        for path in (home / STEP, home / "CHANGELOG.md"):
            path.write_text(path.read_text().replace(STUB, "adds what this edit adds"))
    return root


def _release(root: Path) -> None:
    """Record what lies there as a release, unless its schema is released; start the next version.

    So the table means the same before and after a schema is released.
    """
    home = root / "shared-interface"
    made = wheelhouse.releases("interface")[-1]
    ledgers = {path.name for path in (home / "src/fairweather_interface/ledgers").glob("[0-9]*")}
    names = _git(root, "ls-tree", "-r", "--name-only", made.tree)
    if ledgers <= {Path(name).name for name in names.split()}:
        return
    project, changelog = home / PROJECT, home / "CHANGELOG.md"
    text = project.read_text()
    number = re.findall(r'^version = "(.*)\.dev0"', text, re.MULTILINE)[0]
    major, minor, _ = number.split(".")
    project.write_text(text.replace(f"{number}.dev0", number))
    _git(root, "add", "shared-interface")
    tree = _git(root, "write-tree", "--prefix=shared-interface/").strip()
    project.write_text(text.replace(number, f"{major}.{int(minor) + 1}.0"))
    released = f"## Unreleased\n\n## {number} - 2026-11-30"
    changelog.write_text(changelog.read_text().replace("## Unreleased", released, 1))
    with (root / ".releases/releases.toml").open("a") as records:
        records.write(
            f'\n[[release]]\npackage = "interface"\nversion = "{number}"\ndate = "2026-11-30"\n'
            f'tree = "{tree}"\ncontents = "sha256:0"\n'
        )


def laid(edit: Edit, root: Path) -> Path:
    """Return a copy of the repository with the edit made."""
    shutil.copytree(_base(edit.base), root, symlinks=True)
    for file, old, new in edit.texts:
        path = root / "shared-interface" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}: the edit is out of date"
        path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
    if edit.base in _LAID:
        again = run(root, "new_schema.py", _LAID[edit.base])
        assert again.returncode == 0, again.stderr
    return root


@cache
def _ours() -> tuple[str, str]:
    """Return the folder of our git, and that of its objects."""
    asked = ("rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "objects")
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, *asked], cwd=ROOT, check=True, capture_output=True, text=True
    )
    git, objects = done.stdout.split()
    return git, objects


def _environment(root: Path) -> dict[str, str]:
    """Return the variables by which git knows our history in a copy, and writes nothing to ours."""
    git, objects = _ours()
    (root / ".objects").mkdir(exist_ok=True)
    return {
        **os.environ, "GIT_DIR": git, "GIT_WORK_TREE": str(root),
        "GIT_INDEX_FILE": str(root / ".index"), "GIT_OBJECT_DIRECTORY": str(root / ".objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        "PYTHONPATH": str(root / ".releases/tools"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, *arguments], cwd=root, env=_environment(root), check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip


def run(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the check in a copy of the repository, with the records of git at hand."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(root / "shared-interface/checks/contract" / script), *arguments],
        env=_environment(root), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("edit", _marked())
def test_an_edit_gets_its_verdict(edit: Edit, tmp_path: Path) -> None:
    done = run(laid(edit, tmp_path / "copy"), "check.py", "--quick")
    broken = [line for line in done.stdout.splitlines() if line.startswith("breaks")]
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == (1 if edit.fails else 0), done.stdout + done.stderr
    if edit.fails:
        assert any(f" {edit.fails}:" in line for line in broken), done.stdout
    else:
        assert not broken
