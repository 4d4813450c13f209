"""Every edit of the table gets its verdict, and no edit a traceback."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
import wheelhouse
from edits import EDITS, MAJOR, MINOR, PROJECT, Edit
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
    if base in _LAID:
        done = run(root, "new_schema.py", _LAID[base])
        assert done.returncode == 0, done.stderr
        step = home / "src/fairweather_interface/history/v0_4.py"
        for path in (step, home / "CHANGELOG.md"):
            path.write_text(path.read_text().replace(STUB, "adds what this edit adds"))
    if base == "major":
        project = home / PROJECT
        text = project.read_text()
        project.write_text(text.replace('version = "0.5.0.dev0"', 'version = "1.0.0.dev0"'))
    return root


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


def run(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the check in a copy of the repository, with the records of git at hand."""
    git = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "rev-parse", "--absolute-git-dir"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(root / "shared-interface/checks/contract" / script), *arguments],
        env={
            **os.environ, "GIT_DIR": git, "GIT_WORK_TREE": str(root),
            "PYTHONPATH": str(root / ".releases/tools"), "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True, text=True, check=False,
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
